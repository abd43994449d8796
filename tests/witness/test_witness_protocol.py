"""C2SP tlog-witness over raw HTTP: every status, and what is remembered after each."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from frs.audit import tree
from frs.audit.checkpoints import Checkpoint
from frs.audit.cosignatures import CosignatureVerifier, add_signatures
from frs.audit.erasure_journal import JournalEntry, check_journal, parse_journal_text
from frs.audit.notes import NoteSigner, parse_note
from frs.audit.tree import Accumulator
from tests.memory_tree import MemoryTree
from tests.witness.conftest import Reply, WitnessHouse

ORIGIN = "example.com/log"
SIGNER = NoteSigner(ORIGIN, bytes(32))
AT = datetime(2026, 3, 2, tzinfo=UTC)


class Log:
    """A log in memory whose checkpoints are signed with any key."""

    def __init__(self, leaves: int, salt: str = "", signer: NoteSigner = SIGNER) -> None:
        self.tree = MemoryTree()
        self.signer = signer
        for number in range(leaves):
            self.tree.append(f"{salt}{number}".encode())

    def note(self, size: int, more: str = "") -> str:
        root = tree.root(size, self.tree.read)
        return self.signer.sign(Checkpoint(self.signer.verifier.name, size, root).text() + more)

    def submission(self, old: int, size: int, note: str = "") -> bytes:
        proof = tree.consistency_proof(min(old, size), size, self.tree.read)
        return submission(old, proof, note or self.note(size))


def submission(old: int, proof: Sequence[bytes], note: str) -> bytes:
    lines = [f"old {old}", *(base64.b64encode(node).decode() for node in proof)]
    return "".join(f"{line}\n" for line in lines).encode() + b"\n" + note.encode()


def entries(*numbers: int) -> list[JournalEntry]:
    return [JournalEntry(number, f"event:{number}", AT) for number in numbers]


def erasures(before: Sequence[JournalEntry], new: Sequence[JournalEntry], old: int | None = None) -> bytes:
    """Return a submission of new entries after those that the witness has."""
    accumulator = Accumulator()
    for entry in (*before, *new):
        accumulator.add(entry.leaf())
    origin = f"{ORIGIN}/erasures"
    note = SIGNER.under(origin).sign(Checkpoint(origin, accumulator.size, accumulator.root()).text())
    lines = b"".join(entry.leaf() + b"\n" for entry in new)
    return f"old {len(before) if old is None else old}\n".encode() + lines + b"\n" + note.encode()


def add(witness: WitnessHouse, body: bytes) -> Reply:
    return witness.ask("POST", "/add-checkpoint", body)


@pytest.fixture
def knowing(witness: WitnessHouse) -> WitnessHouse:
    witness.records.add_log(ORIGIN, SIGNER.verifier.vkey)
    return witness


def size_of(witness: WitnessHouse) -> int:
    log = witness.records.log(ORIGIN)
    assert log is not None
    return log.size


def test_a_growing_log_is_cosigned_each_time(knowing: WitnessHouse) -> None:
    """200 with signature lines that verify on the checkpoint; what was stored is what is shown."""
    log = Log(40)
    verifier = CosignatureVerifier.parse(knowing.vkey)
    before = 0
    for size in (1, 2, 7, 8, 8, 40):
        answer = add(knowing, log.submission(before, size))
        assert (answer.status, answer.body[:4]) == (200, "\u2014 ".encode())
        cosigned = add_signatures(log.note(size), parse_note(f"x\n\n{answer.body.decode()}").signatures)
        assert verifier.verify(cosigned) > 1_700_000_000
        before = size
    shown = knowing.ask("GET", f"/checkpoint?origin={ORIGIN}")
    assert (shown.status, shown.body.decode()) == (200, cosigned)


def test_the_size_known_is_told_to_a_log_that_has_another(knowing: WitnessHouse) -> None:
    """409 with the size as text/x.tlog.size, as a log that has forgotten asks for it with 0."""
    log = Log(9)
    add(knowing, log.submission(0, 5))
    for old, size in ((0, 9), (4, 9), (6, 9), (0, 3), (3, 4)):
        answer = add(knowing, log.submission(old, size))
        assert (answer.status, answer.kind, answer.body) == (409, "text/x.tlog.size", b"5\n")
    assert not knowing.records.evidence()


def test_a_smaller_tree_is_never_cosigned(knowing: WitnessHouse) -> None:
    """An old size above the checkpoint's is 400; below, the witness's size is told."""
    log = Log(9)
    add(knowing, log.submission(0, 9))
    assert add(knowing, log.submission(9, 4)).status == 400
    assert add(knowing, log.submission(4, 4)).status == 409
    assert size_of(knowing) == 9


def test_an_unknown_log_and_a_strange_key_are_refused(knowing: WitnessHouse) -> None:
    """404 for the origin, 403 without a signature of a trusted key or with a broken one."""
    log = Log(3)
    assert add(knowing, log.submission(0, 3).replace(b"example.com/log\n", b"example.com/lag\n")).status == 404
    stranger = NoteSigner(ORIGIN, bytes([1]) * 32)
    assert add(knowing, Log(3, signer=stranger).submission(0, 3)).status == 403
    broken = log.note(3).replace("\n3\n", "\n4\n")
    assert add(knowing, submission(0, [], broken)).status == 403
    assert size_of(knowing) == 0
    both = log.note(3) + parse_note(Log(3, signer=stranger).note(3)).signatures[0].line()
    assert add(knowing, submission(0, [], both)).status == 200


def test_another_key_of_a_log_is_trusted_too(knowing: WitnessHouse) -> None:
    """A log may change its key: either is enough."""
    other = NoteSigner(ORIGIN, bytes([1]) * 32)
    assert knowing.records.add_log(ORIGIN, other.verifier.vkey)
    assert add(knowing, Log(3).submission(0, 3)).status == 200
    assert add(knowing, Log(5, signer=other).submission(3, 5)).status == 200


def test_what_cannot_be_read_is_400(knowing: WitnessHouse) -> None:
    """Nothing else is said about it and nothing remembered."""
    for body in (b"", b"old 0\n", b"old x\n\n" + Log(1).note(1).encode(), b"\xff" * 100):
        assert add(knowing, body).status == 400
    assert size_of(knowing) == 0


def test_a_proof_that_fails_is_422_and_evidence(knowing: WitnessHouse) -> None:
    """A tree that the log signed and that was not shown to continue the one cosigned is kept: a fork has no proof."""
    add(knowing, Log(6).submission(0, 6))
    held = knowing.ask("GET", f"/checkpoint?origin={ORIGIN}").body.decode()
    fork = Log(9, salt="x")
    assert add(knowing, fork.submission(6, 9)).status == 422
    assert add(knowing, fork.submission(6, 9)).status == 422
    (evidence,) = knowing.records.evidence(ORIGIN)
    assert (evidence.note, evidence.held) == (fork.note(9), held)
    log = knowing.records.log(ORIGIN)
    assert log is not None
    assert (log.size, log.refused) == (6, 2)
    assert add(knowing, submission(0, [bytes(32)], Log(9).note(9))).status == 409
    assert add(knowing, Log(9).submission(6, 9)).status == 200


def test_anybody_can_send_a_true_note_with_a_false_proof(knowing: WitnessHouse) -> None:
    """What was kept then says no more than that, and is let go when that tree turns out to continue the other."""
    log, fork = Log(9), Log(7, salt="x")
    add(knowing, log.submission(0, 6))
    assert add(knowing, submission(6, [bytes(32)], log.note(9))).status == 422
    assert add(knowing, fork.submission(6, 7)).status == 422
    assert [item.note for item in knowing.records.evidence()] == [log.note(9), fork.note(7)]
    assert "without a proof" in knowing.records.evidence()[0].what
    assert add(knowing, log.submission(6, 9)).status == 200
    assert [item.note for item in knowing.records.evidence()] == [fork.note(7)]
    assert add(knowing, submission(9, [bytes(32)], log.note(9))).status == 422
    assert [item.note for item in knowing.records.evidence()] == [fork.note(7)]


def test_a_true_journal_with_false_entries_is_let_go_too(knowing: WitnessHouse) -> None:
    """The note was signed, the entries were not: whoever alters them proves nothing."""
    some = entries(1, 2)
    assert knowing.ask("POST", "/add-erasures", erasures([], some).replace(b"event:2", b"event:3")).status == 422
    assert len(knowing.records.evidence()) == 1
    assert knowing.ask("POST", "/add-erasures", erasures([], some)).status == 200
    assert not knowing.records.evidence()


def test_a_proof_with_a_first_checkpoint_is_422(knowing: WitnessHouse) -> None:
    """From nothing there is nothing to prove."""
    assert add(knowing, submission(0, [bytes(32)], Log(2).note(2))).status == 422
    assert size_of(knowing) == 0


def test_two_trees_of_one_size_are_409_and_evidence(knowing: WitnessHouse) -> None:
    """The size that is known, and an earlier one, with another root: refused and kept."""
    log, fork = Log(8), Log(8, salt="x")
    add(knowing, log.submission(0, 5))
    add(knowing, log.submission(5, 8))
    for size in (8, 5):
        answer = add(knowing, submission(size, [], fork.note(size)))
        assert (answer.status, answer.body) == (409, b"8\n")
    assert [item.note for item in knowing.records.evidence()] == [fork.note(8), fork.note(5)]


def test_only_so_much_evidence_is_kept(knowing: WitnessHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first refused notes are kept, the others counted."""
    monkeypatch.setattr("frs.witness.records.MOST_EVIDENCE", 3)
    add(knowing, Log(2).submission(0, 2))
    for number in range(5):
        add(knowing, submission(2, [], Log(2, salt=f"{number}-").note(2)))
    assert [item.note for item in knowing.records.evidence()] == [Log(2, salt=f"{n}-").note(2) for n in range(3)]
    assert knowing.records.logs()[0].refused == 5


def test_only_so_many_trees_are_remembered(knowing: WitnessHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Roots of old sizes are forgotten, the newest stay."""
    monkeypatch.setattr("frs.witness.records.MOST_SEEN", 3)
    log = Log(9)
    for size in range(1, 10):
        add(knowing, log.submission(size - 1, size))
    assert [knowing.records.seen_root(ORIGIN, size) is not None for size in (5, 6, 7, 8, 9)] == [False] * 2 + [True] * 3


def test_of_submissions_at_once_one_wins(knowing: WitnessHouse) -> None:
    """Check and record are one: from one old size only one of several trees is cosigned."""
    logs = [Log(3, salt=f"{number}-") for number in range(8)]
    answers: list[Reply] = []
    threads = [
        threading.Thread(target=lambda log=log: answers.append(add(knowing, log.submission(0, 3)))) for log in logs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [200] + [409] * 7
    assert len(knowing.records.evidence()) == 7


def test_an_empty_log_can_be_witnessed(knowing: WitnessHouse) -> None:
    """Size 0 has the hash of nothing as its root, and no other."""
    assert add(knowing, Log(0).submission(0, 0)).status == 200
    wrong = SIGNER.sign(Checkpoint(ORIGIN, 0, bytes(32)).text())
    assert add(knowing, submission(0, [], wrong)).status in {409, 422}


def test_the_journal_grows_and_is_shown_in_pages(knowing: WitnessHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """New entries lead from the tree that is known to the one signed; pages begin anywhere."""
    monkeypatch.setattr("frs.witness.cosigning.MOST_ENTRIES", 2)
    some, more = entries(1, 2, 5), entries(6, 9)
    path = f"/erasures?origin={ORIGIN}&from="
    assert knowing.ask("GET", path + "0").status == 204
    assert knowing.ask("POST", "/add-erasures", erasures([], some)).status == 200
    answer = knowing.ask("POST", "/add-erasures", erasures(some, more))
    assert answer.status == 200
    note, page = parse_journal_text(knowing.ask("GET", path + "0").body)
    assert CosignatureVerifier.parse(knowing.vkey).verify(note) > 0
    _, second = parse_journal_text(knowing.ask("GET", path + "2").body)
    _, third = parse_journal_text(knowing.ask("GET", path + "4").body)
    assert [*page, *second, *third] == [*some, *more]
    assert parse_journal_text(knowing.ask("GET", path + "5").body) == (note, [])
    assert check_journal(note, [*some, *more], SIGNER.verifier.vkey).size == 5


def test_a_journal_that_does_not_continue_is_refused(knowing: WitnessHouse) -> None:
    """409 with the size for another size, 422 for another root or order, 403 and 404 as for checkpoints."""
    some = entries(1, 2, 3)
    assert knowing.ask("POST", "/add-erasures", erasures([], some)).status == 200

    def status(body: bytes) -> int:
        return knowing.ask("POST", "/add-erasures", body).status

    assert knowing.ask("POST", "/add-erasures", erasures([], some)).body == b"3\n"
    assert status(erasures([], entries(1, 2))) == 409
    assert status(erasures(entries(7, 8, 9), entries(10))) == 422
    assert status(erasures(some, entries(3))) == 422
    assert status(erasures(some, entries(4)).replace(b"event:4", b"event:5")) == 422
    assert status(erasures(some, entries(4), old=2)) == 400
    assert status(erasures(some, entries(4)).replace(b"example.com/log", b"example.com/lag")) == 404
    assert status(Log(3).submission(3, 3)) == 404
    assert status(erasures(some, entries(4)).replace("— ".encode(), "— x".encode())) == 403
    assert len(knowing.records.evidence()) == 2
    log = knowing.records.log(ORIGIN)
    assert log is not None
    assert log.journal_size == 3


def test_an_empty_journal_is_kept_as_one(knowing: WitnessHouse) -> None:
    """That nothing was destroyed is known too."""
    assert knowing.ask("POST", "/add-erasures", erasures([], [])).status == 200
    note, none = parse_journal_text(knowing.ask("GET", f"/erasures?origin={ORIGIN}&from=0").body)
    assert check_journal(note, none, SIGNER.verifier.vkey).size == 0


def test_everything_is_there_after_a_restart(knowing: WitnessHouse) -> None:
    """Trees, journals and evidence outlive the process."""
    log, some = Log(9), entries(1, 2)
    add(knowing, log.submission(0, 5))
    add(knowing, submission(5, [], Log(5, salt="x").note(5)))
    knowing.ask("POST", "/add-erasures", erasures([], some))
    knowing.stop()
    knowing.start()
    assert add(knowing, log.submission(5, 9)).status == 200
    assert knowing.ask("POST", "/add-erasures", erasures(some, entries(3))).status == 200
    assert len(knowing.records.evidence()) == 1


def test_the_status_page_says_who_and_what(knowing: WitnessHouse) -> None:
    """Name, key, and for each log its size and root."""
    add(knowing, Log(5).submission(0, 5))
    answer = knowing.ask("GET", "/")
    said = json.loads(answer.body)
    assert (answer.status, answer.kind) == (200, "application/json")
    assert (said["name"], said["vkey"]) == ("witness.example/1", knowing.vkey)
    (log,) = said["logs"]
    assert (log["origin"], log["size"], log["root"]) == (ORIGIN, 5, tree.root(5, Log(5).tree.read).hex())


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/checkpoint", 400),
        ("/checkpoint?origin=example.com/log", 204),
        ("/checkpoint?origin=unknown", 404),
        ("/checkpoint?origin=a&x=1", 400),
        ("/checkpoint?x", 400),
        ("/erasures?origin=example.com/log", 400),
        ("/erasures?origin=example.com/log&from=-1", 400),
        ("/erasures?origin=example.com/log&from=" + "9" * 30, 400),
        ("/erasures?origin=unknown&from=0", 404),
        ("/checkpoint?origin=" + "x" * 4000, 400),
        ("/nothing", 404),
        ("/add-checkpoint", 404),
    ],
)
def test_other_questions_are_refused(knowing: WitnessHouse, path: str, status: int) -> None:
    """What is asked for must be named, once, and exist."""
    assert knowing.ask("GET", path).status == status


def test_posting_elsewhere_is_refused(knowing: WitnessHouse) -> None:
    """There are two places to post to."""
    assert knowing.ask("POST", "/", b"x").status == 404
    assert knowing.ask("PUT", "/add-checkpoint", b"x").status == 501
