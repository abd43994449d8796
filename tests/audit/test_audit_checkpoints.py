"""Checkpoints: their form, and the signer's refusal of any tree that does not extend the last one signed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from frs.audit import tree
from frs.audit.checkpoints import Checkpoint, CheckpointSigner, read_checkpoint
from frs.errors import FrsError, Reason
from frs.store.transaction import CommitParticipant, Transaction
from tests.audit_house import AuditHouse
from tests.memory_tree import MemoryTree

SPEC_TEXT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
LEAVES = [b"leaf %d" % number for number in range(10)]


@pytest.fixture
def signer(tmp_path: Path) -> CheckpointSigner:
    return CheckpointSigner("frs.example/log", b"\x05" * 32, tmp_path)


def sign(signer: CheckpointSigner, memory: MemoryTree, size: int) -> str:
    proof: Callable[[int, int], list[bytes]] = lambda old, new: tree.consistency_proof(old, new, memory.read)  # noqa: E731
    return signer.sign(size, tree.root(size, memory.read), proof)


def test_specifications_example_is_read_and_written() -> None:
    """The example of c2sp.org/tlog-checkpoint comes back byte for byte."""
    checkpoint = Checkpoint.parse(SPEC_TEXT)

    assert checkpoint.origin == "example.com/behind-the-sofa"
    assert checkpoint.size == 20852163
    assert checkpoint.root.hex().startswith("0ac5186a91863e8e")
    assert checkpoint.text() == SPEC_TEXT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\n1\n",
        "a\n1\nAAAA\n",
        SPEC_TEXT.rstrip("\n"),
        SPEC_TEXT + "extension\n",
        SPEC_TEXT.replace("20852163", "020852163"),
        SPEC_TEXT.replace("20852163", "+20852163"),
        SPEC_TEXT.replace("20852163", "-1"),
        SPEC_TEXT.replace("20852163", "2_0"),
        SPEC_TEXT.replace("20852163", "٢"),
        SPEC_TEXT.replace("example.com/behind-the-sofa", ""),
        SPEC_TEXT.replace("q2I=", "q2J="),
    ],
)
def test_malformed_checkpoints_are_refused(text: str) -> None:
    """Sizes with signs, zeroes or foreign digits, roots that are no hash, and extensions are refused."""
    with pytest.raises(FrsError) as caught:
        Checkpoint.parse(text)
    assert caught.value.reason is Reason.LOG_INCONSISTENT


def test_signed_checkpoint_verifies_with_the_public_key_alone(signer: CheckpointSigner) -> None:
    """The note names origin, size and root, and carries one signature under the origin's name."""
    memory = MemoryTree(LEAVES)
    note = sign(signer, memory, 7)

    assert read_checkpoint(note, signer.vkey) == Checkpoint("frs.example/log", 7, tree.root(7, memory.read))
    assert note.splitlines()[4].startswith("— frs.example/log ")


def test_checkpoint_of_another_log_is_refused(signer: CheckpointSigner, tmp_path: Path) -> None:
    """A note of another origin, or another key, does not verify as this log's."""
    (tmp_path / "other").mkdir()
    other = CheckpointSigner("frs.example/other", b"\x05" * 32, tmp_path / "other")
    note = sign(other, MemoryTree(LEAVES), 3)

    with pytest.raises(FrsError, match="no signature"):
        read_checkpoint(note, signer.vkey)


def test_unchanged_tree_is_not_signed_anew(signer: CheckpointSigner) -> None:
    """Signing the same tree returns the note that is there."""
    memory = MemoryTree(LEAVES)
    assert sign(signer, memory, 5) == sign(signer, memory, 5) == signer.last()


def test_growing_tree_is_signed(signer: CheckpointSigner, tmp_path: Path) -> None:
    """A tree that extends the last is signed and remembered across signers, from the empty one on."""
    memory = MemoryTree(LEAVES)
    for size in (0, 1, 4, 10):
        note = sign(signer, memory, size)
        assert CheckpointSigner("frs.example/log", b"\x05" * 32, tmp_path).last() == note


@pytest.mark.parametrize(
    ("signed", "forged", "message"),
    [
        (LEAVES[:6], LEAVES[:5], "older database"),
        (LEAVES[:6], [*LEAVES[:2], b"other", *LEAVES[3:9]], "rewritten"),
        (LEAVES[:6], [*LEAVES[:5], b"other"], "rewritten"),
        (LEAVES[:4], [b"other", *LEAVES[1:8]], "rewritten"),
    ],
)
def test_inconsistent_tree_is_never_signed(
    signer: CheckpointSigner, tmp_path: Path, signed: list[bytes], forged: list[bytes], message: str
) -> None:
    """A shorter tree, or one in which a signed leaf differs, is refused, and the last note stays."""
    note = sign(signer, MemoryTree(signed), len(signed))

    with pytest.raises(FrsError, match=message) as caught:
        sign(signer, MemoryTree(forged), len(forged))
    assert caught.value.reason is Reason.LOG_INCONSISTENT
    assert signer.last() == note
    assert (tmp_path / "checkpoint").read_text() == note


def test_tree_whose_proof_lies_is_not_signed(signer: CheckpointSigner) -> None:
    """The signer believes the proof's hashes, not whoever asks it to sign."""
    memory, forged = MemoryTree(LEAVES), MemoryTree([b"other", *LEAVES[1:]])
    sign(signer, memory, 4)

    with pytest.raises(FrsError, match="rewritten"):
        signer.sign(8, tree.root(8, forged.read), lambda old, new: tree.consistency_proof(old, new, memory.read))


def test_altered_file_is_noticed(signer: CheckpointSigner, tmp_path: Path) -> None:
    """A checkpoint file that was written by hand, or is no text, stops the signer."""
    memory = MemoryTree(LEAVES)
    note = sign(signer, memory, 4)
    for content in (note.replace("\n4\n", "\n3\n").encode(), b"", b"\xff\xfe"):
        (tmp_path / "checkpoint").write_bytes(content)
        with pytest.raises(FrsError) as caught:
            sign(signer, memory, 5)
        assert caught.value.reason is Reason.LOG_INCONSISTENT


def test_note_that_cannot_be_kept_is_not_given_out(signer: CheckpointSigner, tmp_path: Path) -> None:
    """When the file cannot be written, nothing is signed."""
    tmp_path.rename(tmp_path.with_name("gone"))

    with pytest.raises(FrsError) as caught:
        sign(signer, MemoryTree(LEAVES), 4)
    assert caught.value.reason is Reason.STORAGE_FAILED


def test_origin_that_cannot_name_a_key_is_a_setting_to_correct(tmp_path: Path) -> None:
    """An origin with a space is refused with the setting's name."""
    with pytest.raises(FrsError, match=r"audit\.origin") as caught:
        CheckpointSigner("my log", bytes(32), tmp_path)
    assert caught.value.reason is Reason.SETTINGS_INVALID


def test_log_that_did_not_grow_is_not_written_to(house: AuditHouse) -> None:
    """Asking for a checkpoint again and again queues no act while nothing is appended."""
    acts: list[int] = []

    class Counter(CommitParticipant):
        def begin_act(self, tx: Transaction) -> None:  # noqa: ARG002  # the interface's
            acts.append(1)

    house.store.database.join(Counter())
    house.fill(2)
    notes = {house.log.checkpoint() for _ in range(5)}
    assert (len(notes), len(acts)) == (1, 2)
    house.restart()
    assert notes == {house.log.checkpoint()}
