"""Witnesses that misbehave, as real HTTP servers: none of them is believed, and none can stop a log without proof."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest

from frs.audit.checkpoints import Checkpoint
from frs.audit.chosen_witness import make_client
from frs.audit.cosignatures import Cosigner
from frs.audit.erasure_journal import JournalEntry, journal_text
from frs.audit.notes import NoteSigner
from frs.audit.witnessing import Witnessing
from frs.errors import FrsError, Reason
from tests.witness.conftest import WitnessedHouse, settings_of

NAME = "witness.example/1"
KEY = Cosigner(NAME, bytes(32))
Reply = Callable[[str, bytes], bytes]


def http(status: int, body: bytes = b"", kind: str = "text/plain") -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Liar:
    """Answers whatever it was told to: ``reply`` gets the path and the body."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with closing(connection), connection.makefile("rb") as file, suppress(OSError, IndexError):
            path = file.readline().decode().split(" ")[1]
            length = 0
            while (line := file.readline().strip()) != b"":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            answer = self._reply(path, file.read(length))
            if answer == TRICKLE:
                for byte in b"HTTP/1.1 200 X\r\n" + b"X: " + b"y" * 10_000:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.05)
            connection.sendall(answer)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


TRICKLE = b"trickle"


@pytest.fixture
def lie(house: WitnessedHouse) -> Iterator[Callable[[Reply], Witnessing]]:
    """Return what brings a log of 9 events, of which nothing is witnessed, to a witness that lies."""
    house.grow(9)
    liars: list[Liar] = []

    def to(reply: Reply) -> Witnessing:
        liars.append(liar := Liar(reply))
        settings = settings_of(
            house.settings.data_dir,
            house.settings,
            witness_url=liar.url,
            witness_vkey=KEY.verifier.vkey,
            witness_timeout_seconds=0.5,
        ).audit
        client = make_client(settings)
        assert client is not None
        return Witnessing(client, house.log, house.signer, house.store.database, settings, house.clock)

    yield to
    for liar in liars:
        liar.close()


def expect(witnessing: Witnessing, house: WitnessedHouse, *reasons: Reason) -> str:
    """Expect a failure, and that the log goes on as if nothing had been said."""
    with pytest.raises(FrsError) as caught:
        witnessing.sync()
    assert caught.value.reason in reasons, caught.value.message
    witnessing._round()
    assert house.log.failure is None
    state = witnessing.state()
    assert state.failure is not None
    assert (state.cosigned, state.refusal) == (0, None)
    house.fill(1)
    return caught.value.message


def first(then: Reply) -> Reply:
    """Answer that nothing was seen yet, and lie on submissions."""
    return lambda path, body: then(path, body) if path.startswith("/add") else http(204)


def cosignature(key: Cosigner, body: bytes, **changes: object) -> bytes:
    """Return an answer of signature lines as a witness makes it, or makes it wrong."""
    note = body.partition(b"\n\n")[2].decode()
    said = Checkpoint.parse(note.partition("\n\n")[0] + "\n")
    fields = {"origin": said.origin, "size": said.size, "root": said.root, **changes}
    return key.cosign(Checkpoint(**fields), 1_800_000_000).line().encode()  # type: ignore[arg-type]


GROUNDLESS: dict[str, Reply] = {
    "an empty answer": lambda *_: b"",
    "no HTTP": lambda *_: b"\x00\x01\x02\r\n\r\n",
    "less than announced": lambda *_: b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nx",
    "an error of its own": lambda *_: http(500, b"oops"),
    "a redirection": lambda *_: b"HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    "bytes that trickle": lambda *_: TRICKLE,
}


@pytest.mark.parametrize("reply", GROUNDLESS.values(), ids=GROUNDLESS.keys())
def test_no_answer_is_a_witness_that_is_down(
    lie: Callable[[Reply], Witnessing], house: WitnessedHouse, reply: Reply
) -> None:
    """Whatever is no answer counts as none, within the time that a call may take."""
    began = time.monotonic()
    expect(lie(reply), house, Reason.WITNESS_UNAVAILABLE)
    assert time.monotonic() - began < 4


LIES: dict[str, Reply] = {
    "a cosignature of another key": first(
        lambda _, body: http(200, cosignature(Cosigner(NAME, bytes([1]) * 32), body))
    ),
    "of another name": first(lambda _, body: http(200, cosignature(Cosigner("other", bytes(32)), body))),
    "on another root": first(lambda _, body: http(200, cosignature(KEY, body, root=bytes(32)))),
    "on another size": first(lambda _, body: http(200, cosignature(KEY, body, size=8))),
    "on another log": first(lambda _, body: http(200, cosignature(KEY, body, origin="other"))),
    "no signature at all": first(lambda *_: http(200)),
    "garbage": first(lambda *_: http(200, b"\xff\xfe")),
    "text": first(lambda *_: http(200, b"fine\n")),
    "too much": first(lambda *_: http(200, b"x" * 5_000_000)),
    "a larger size without proof": first(lambda *_: http(409, b"1000\n", "text/x.tlog.size")),
    "a size that is none": first(lambda *_: http(409, b"-1\n", "text/x.tlog.size")),
    "a size of another kind": first(lambda *_: http(409, b"3\n")),
    "a refused proof without reason": first(lambda *_: http(422)),
    "an unsigned note": lambda *_: http(200, b"x\n1000\nAAAA\n\n"),
    "no note": lambda *_: http(200, b"\xff"),
    "a note of a stranger": lambda *_: http(
        200, NoteSigner("stranger", bytes(32)).sign(Checkpoint("stranger", 1000, bytes(32)).text()).encode()
    ),
    "an endless journal": lambda path, _: (
        http(204) if path.startswith("/checkpoint") else http(200, journal_text("x\n1\nAAAA\n\n", []))
    ),
}


@pytest.mark.parametrize("reply", LIES.values(), ids=LIES.keys())
def test_a_lie_is_not_believed(lie: Callable[[Reply], Witnessing], house: WitnessedHouse, reply: Reply) -> None:
    """It is told as WITNESS_UNTRUSTED; the log takes events as before, and nothing counts as cosigned."""
    expect(lie(reply), house, Reason.WITNESS_UNTRUSTED)


def test_a_note_of_our_name_with_another_key_is_not_believed(
    lie: Callable[[Reply], Witnessing], house: WitnessedHouse
) -> None:
    """Only the log's own key proves anything against it."""
    forged = NoteSigner(house.log.origin, bytes(32)).sign(Checkpoint(house.log.origin, 1000, bytes(32)).text())
    expect(lie(lambda *_: http(200, forged.encode())), house, Reason.WITNESS_UNTRUSTED)


def test_a_journals_note_does_not_pass_for_the_logs(lie: Callable[[Reply], Witnessing], house: WitnessedHouse) -> None:
    """The same key signs both, under two names: one cannot be shown as the other."""
    signer = house.signer.note_signer.under(f"{house.log.origin}/erasures")
    shown = signer.sign(Checkpoint(f"{house.log.origin}/erasures", 1000, bytes(32)).text())
    expect(lie(lambda *_: http(200, shown.encode())), house, Reason.WITNESS_UNTRUSTED)


def test_what_our_own_key_has_signed_is_believed_of_anybody(
    lie: Callable[[Reply], Witnessing], house: WitnessedHouse
) -> None:
    """Even a witness that nobody trusts can show that the log was larger once."""
    shown = house.signer.note_signer.sign(Checkpoint(house.log.origin, 1000, bytes(32)).text())
    witnessing = lie(lambda *_: http(200, shown.encode()))
    with pytest.raises(FrsError) as caught:
        witnessing.compare()
    assert caught.value.reason is Reason.WITNESS_CONFLICT
    witnessing._round()
    with pytest.raises(FrsError) as caught:
        house.fill(1)
    assert caught.value.reason is Reason.WITNESS_CONFLICT


def test_a_journal_without_end_is_not_collected(lie: Callable[[Reply], Witnessing], house: WitnessedHouse) -> None:
    """A restoration that asks for a journal reads as much as the log has signed, and no page is empty before."""
    origin, signer = f"{house.log.origin}/erasures", house.signer.note_signer
    note = signer.under(origin).sign(Checkpoint(origin, 5, bytes(32)).text())
    page = [JournalEntry(n, f"event:{n}", house.clock.now()) for n in (1, 2)]
    client = lie(lambda *_: http(200, journal_text(note, page)))._client
    found = client.erasures(house.log.origin, house.log.vkey)
    assert found is not None
    assert len(found[1]) == 5
    client = lie(lambda *_: http(200, journal_text(note, [])))._client
    with pytest.raises(FrsError, match="gives 0 entries of a journal of 5"):
        client.erasures(house.log.origin, house.log.vkey)
