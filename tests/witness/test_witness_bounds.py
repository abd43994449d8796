"""The witness under rude clients: sizes, slowness, numbers, TLS; and killed in the middle of an answer."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TextIO

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from frs.audit import tree
from frs.audit.checkpoints import Checkpoint
from frs.audit.cosignatures import Cosigner
from frs.audit.notes import Signature
from frs.audit.witness_client import WitnessClient
from frs.clock import SystemClock
from frs.errors import FrsError, Reason
from frs.witness.cosigning import Witness
from frs.witness.folder import RECORDS_FILE, create_witness, read_witness
from frs.witness.records import Records
from frs.witness.serving import MOST_CONNECTIONS, WitnessServer, tls_context
from tests.forking import Child
from tests.witness.conftest import WitnessHouse
from tests.witness.test_witness_protocol import ORIGIN, SIGNER, Log, add


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[WitnessHouse]:
    """Give a witness that waits half a second for a request."""
    house = WitnessHouse(tmp_path / "hasty", seconds=0.5)
    house.records.add_log(ORIGIN, SIGNER.verifier.vkey)
    yield house
    house.stop()


def connect(witness: WitnessHouse) -> socket.socket:
    return socket.create_connection(("127.0.0.1", witness.port), 10)


def test_bodies_are_limited_and_have_a_length(witness: WitnessHouse) -> None:
    """413 above the limit, 411 without a length; the connection is closed, for the body was not read."""
    for head, status in (
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 300000\r\n\r\n", b"413"),
        (b"POST /add-erasures HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", b"411"),
        (b"POST /add-checkpoint HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"411"),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"411"),
        (b"POST /add-checkpoint HTTP/1.1\r\n" + b"X: " + b"x" * 70_000 + b"\r\n\r\n", b"431"),
        (b"GARBAGE\r\n\r\n", b"400"),
    ):
        with connect(witness) as connection:
            connection.sendall(head)
            answer = connection.makefile("rb").read()
        assert status in answer.split(b"\r\n")[0], answer


def test_a_connection_can_be_used_again(witness: WitnessHouse) -> None:
    """HTTP/1.1 keeps it open, as the specification asks."""
    with connect(witness) as connection:
        file = connection.makefile("rb")
        for _ in range(3):
            connection.sendall(b"GET /checkpoint?origin=x HTTP/1.1\r\nHost: w\r\n\r\n")
            assert b"404" in file.readline()
            length = 0
            while (line := file.readline().strip()) != b"":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            file.read(length)


def trickle(connection: socket.socket, content: bytes) -> None:
    for byte in content:
        connection.sendall(bytes([byte]))
        time.sleep(0.02)


def test_a_request_that_trickles_is_given_up(hasty: WitnessHouse) -> None:
    """However regularly its bytes come, after half a second here it is over; nothing was remembered."""
    body = Log(2).submission(0, 2)
    with connect(hasty) as connection:
        connection.sendall(f"POST /add-checkpoint HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        began = time.monotonic()
        with pytest.raises(OSError):  # noqa: PT011  # reset or broken pipe
            trickle(connection, body * 10)
        assert time.monotonic() - began < 3
    assert hasty.records.logs()[0].size == 0


def test_too_many_connections_are_turned_away_and_forgotten(hasty: WitnessHouse) -> None:
    """Silent clients take a bounded number of threads, for a bounded time."""
    silent = [connect(hasty) for _ in range(MOST_CONNECTIONS)]
    time.sleep(0.1)
    with connect(hasty) as late:
        assert late.recv(1) == b""
    time.sleep(0.7)
    assert hasty.ask("GET", "/").status == 200
    for connection in silent:
        connection.close()


def certificate(folder: Path) -> tuple[str, str]:
    """Make a self-signed certificate for this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "tls.crt", folder / "tls.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return str(paths[0]), str(paths[1])


def test_tls_protects_the_way_and_is_checked(tmp_path: Path) -> None:
    """With a certificate the witness speaks TLS; a client that trusts another authority does not talk to it."""
    chain, key = certificate(tmp_path)
    cosigner = create_witness(tmp_path / "w")
    records = Records(tmp_path / "w" / RECORDS_FILE)
    records.add_log(ORIGIN, SIGNER.verifier.vkey)
    server = WitnessServer(Witness(records, cosigner, SystemClock()), "127.0.0.1", 0, tls_context(chain, key))
    url = f"https://localhost:{server.port}"
    try:
        with connect_plain(server.port):  # shakes no hands: others are served
            trusted = WitnessClient(url, cosigner.verifier.vkey, ca=chain)
            assert trusted.latest(ORIGIN) is None
            cosigned = trusted.add_checkpoint(Log(2).note(2), 0, [])
            assert trusted.latest(ORIGIN) == cosigned
        with pytest.raises(FrsError) as caught:
            WitnessClient(url, cosigner.verifier.vkey).latest(ORIGIN)
        assert caught.value.reason is Reason.WITNESS_UNTRUSTED
        with pytest.raises(FrsError) as caught:
            WitnessClient(url, cosigner.verifier.vkey, ca=str(tmp_path / "none"))
        assert caught.value.reason is Reason.SETTINGS_INVALID
    finally:
        server.close()
        records.close()
    with pytest.raises(FrsError) as caught:
        tls_context(chain, chain)
    assert caught.value.reason is Reason.SETTINGS_INVALID


def connect_plain(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 10)


class DyingCosigner(Cosigner):
    """Kills its process when it should sign: after the checks, before anything is stored or answered."""

    def cosign(self, checkpoint: Checkpoint, time: int) -> Signature:  # noqa: ARG002  # the signer's
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


class DyingRecords(Records):
    """Kills its process after a change was stored and before it is answered."""

    def move(self, checkpoint: Checkpoint, note: str, cosigned: str, at: str) -> None:
        super().move(checkpoint, note, cosigned, at)
        self._connection.execute("COMMIT")
        os.kill(os.getpid(), signal.SIGKILL)


def serve_and_die(folder: Path, stored: bool, stream: TextIO) -> None:
    """Run a witness that dies at its first cosignature."""
    key = read_witness(folder)
    records = (DyingRecords if stored else Records)(folder / RECORDS_FILE)
    cosigner = key if stored else DyingCosigner("witness.example/1", bytes(32))
    server = WitnessServer(Witness(records, cosigner, SystemClock()), "127.0.0.1", 0)
    stream.write(f"{server.port}\n")
    stream.flush()
    time.sleep(30)


@pytest.mark.parametrize("stored", [False, True])
def test_killed_between_check_and_answer(witness: WitnessHouse, stored: bool) -> None:
    """Killed before the record: as if nothing was asked. After it: the record is there, and only it is continued."""
    log = Log(9)
    witness.records.add_log(ORIGIN, SIGNER.verifier.vkey)
    add(witness, log.submission(0, 4))
    witness.stop()
    child = Child(partial(serve_and_die, witness.folder, stored))
    dying = WitnessClient(f"http://127.0.0.1:{child.output.readline().strip()}", witness.vkey)
    with pytest.raises(FrsError) as caught:
        dying.add_checkpoint(log.note(7), 4, tree.consistency_proof(4, 7, log.tree.read))
    assert caught.value.reason is Reason.WITNESS_UNAVAILABLE
    assert child.wait() == -signal.SIGKILL

    witness.start()
    assert witness.records.logs()[0].size == (7 if stored else 4)
    fork = Log(9, salt="x")
    assert add(witness, fork.submission(7 if stored else 4, 9)).status == 422
    assert add(witness, log.submission(7 if stored else 4, 9)).status == 200


def test_killed_again_and_again_it_never_cosigns_two_trees(witness: WitnessHouse) -> None:
    """Whatever was answered before each death is what the next life continues."""
    witness.records.add_log(ORIGIN, SIGNER.verifier.vkey)
    log = Log(40)
    size = 0
    witness.stop()
    for _ in range(4):
        child = Child(partial(serve, witness.folder))
        client = WitnessClient(f"http://127.0.0.1:{child.output.readline().strip()}", witness.vkey)
        for new in range(size + 1, size + 5):
            client.add_checkpoint(log.note(new), new - 1, tree.consistency_proof(new - 1, new, log.tree.read))
        size += 4
        child.kill()
        assert child.wait() == -signal.SIGKILL
        records = Records(witness.folder / RECORDS_FILE)
        assert records.logs()[0].size == size
        records.close()


def serve(folder: Path, stream: TextIO) -> None:
    """Run a witness until it is killed."""
    server = WitnessServer(Witness(Records(folder / RECORDS_FILE), read_witness(folder), SystemClock()), "127.0.0.1", 0)
    stream.write(f"{server.port}\n")
    stream.flush()
    time.sleep(30)


def test_the_key_is_for_its_owner_alone_and_is_never_made_twice(tmp_path: Path) -> None:
    """Mode 0600; a folder that has one is left alone; a file that is none is told apart from one that is not there."""
    folder = tmp_path / "w"
    made = create_witness(folder, "witness.example/7")
    assert (folder / "key").stat().st_mode & 0o777 == 0o600
    assert read_witness(folder).verifier == made.verifier
    for wrong, reason in (
        (partial(create_witness, folder), Reason.ALREADY_INITIALISED),
        (partial(create_witness, tmp_path / "v", "a b"), Reason.INVALID_FIELD),
        (partial(read_witness, tmp_path / "v"), Reason.NOT_INITIALISED),
    ):
        with pytest.raises(FrsError) as caught:
            wrong()
        assert caught.value.reason is reason
    (folder / "key").write_text("{}")
    with pytest.raises(FrsError) as caught:
        read_witness(folder)
    assert caught.value.reason is Reason.KEY_WRONG
