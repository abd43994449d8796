"""What a log may ask of the witness, read strictly: the bodies of ``add-checkpoint`` and ``add-erasures``.

Both are a line ``old N``, lines of content, an empty line and a signed note (C2SP tlog-witness for the first; the
second is ours and made alike). Whatever else comes raises ValueError with what is wrong, in constant memory.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from frs.audit.checkpoints import Checkpoint
from frs.audit.cosignatures import checkpoint_of
from frs.audit.erasure_journal import MOST_ENTRIES, JournalEntry
from frs.audit.notes import parse_note
from frs.audit.tree import HASH_BYTES
from frs.errors import FrsError

MOST_CHECKPOINT_BYTES = 256 * 1024
MOST_ERASURES_BYTES = 2 * 1024 * 1024
MOST_PROOF_LINES = 63  # the specification's
MOST_SIZE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Submission:
    """A signed note, and what it claims; the signature is not verified yet."""

    old: int
    """Size of the tree that the sender believes the witness to have."""
    note: str
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class CheckpointSubmission(Submission):
    """Body of ``add-checkpoint``."""

    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ErasuresSubmission(Submission):
    """Body of ``add-erasures``."""

    entries: tuple[JournalEntry, ...]


def parse_add_checkpoint(body: bytes) -> CheckpointSubmission:
    """Read a body of ``add-checkpoint``. Raises ValueError."""
    lines, submission = _split(body)
    if len(lines) > MOST_PROOF_LINES:
        raise ValueError(f"more than {MOST_PROOF_LINES} lines of proof")
    if submission.old > submission.checkpoint.size:
        raise ValueError("the old size is greater than the checkpoint's")
    proof = tuple(_hash(line) for line in lines)
    return CheckpointSubmission(submission.old, submission.note, submission.checkpoint, proof)


def parse_add_erasures(body: bytes) -> ErasuresSubmission:
    """Read a body of ``add-erasures``. Raises ValueError."""
    lines, submission = _split(body)
    if len(lines) > MOST_ENTRIES:
        raise ValueError(f"more than {MOST_ENTRIES} entries")
    try:
        entries = tuple(JournalEntry.parse(line) for line in lines)
    except FrsError as error:
        raise ValueError(error.message) from error
    if submission.old + len(entries) != submission.checkpoint.size:
        raise ValueError("the note is not of the old size and the entries sent")
    return ErasuresSubmission(submission.old, submission.note, submission.checkpoint, entries)


def parse_number(text: str) -> int:
    """Read a decimal without leading zeroes, at most 2**63 - 1. Raises ValueError."""
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or (text[0] == "0" and text != "0"):
        raise ValueError("not a decimal number without leading zeroes")
    number = int(text)
    if number > MOST_SIZE:
        raise ValueError("too large a number")
    return number


def _split(body: bytes) -> tuple[list[bytes], Submission]:
    head, separator, rest = body.partition(b"\n\n")
    if not separator:
        raise ValueError("there is no empty line")
    first, *lines = head.split(b"\n")
    if not first.startswith(b"old "):
        raise ValueError("the first line is not 'old' and a size")
    try:
        note = rest.decode("utf-8")
        checkpoint = checkpoint_of(parse_note(note).text)
    except FrsError as error:
        raise ValueError(error.message) from error
    if checkpoint.size > MOST_SIZE:
        raise ValueError("too large a tree")
    return lines, Submission(parse_number(first[4:].decode("ascii")), note, checkpoint)


def _hash(line: bytes) -> bytes:
    raw = base64.b64decode(line, validate=True)
    if len(raw) != HASH_BYTES or base64.b64encode(raw) != line:
        raise ValueError("a line of the proof is no hash in base64")
    return raw
