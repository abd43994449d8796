"""Checkpoints (C2SP tlog-checkpoint): origin, number of events and root, a line each, signed as a note."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from frs_verify.encoding import LARGEST_INTEGER, decode_base64
from frs_verify.failure import DoesNotVerifyError
from frs_verify.notes import LogKey, parse_note
from frs_verify.tree import EMPTY_ROOT, HASH_BYTES
from frs_verify.witnesses import WitnessKey

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint."""

    origin: str
    size: int
    root: bytes
    cosigned: tuple[tuple[str, int], ...] = ()
    """Each witness that was asked for, and when it cosigned, seconds since 1970."""


@dataclass(frozen=True)
class Trust:
    """Whose word counts: the log's key, and the witnesses that must have cosigned too."""

    log: LogKey
    witnesses: Sequence[WitnessKey] = ()

    def read(self, note: str) -> Checkpoint:
        """Verify a signed checkpoint with every key that is trusted."""
        parsed = parse_note(note)
        origin = self.log.verify(parsed)
        size, root = _read(parsed.text)
        cosigned = tuple((witness.name, witness.verify(parsed, origin, size, root)) for witness in self.witnesses)
        return Checkpoint(origin, size, root, cosigned)


def _read(text: str) -> tuple[int, bytes]:
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not _NUMBER.fullmatch(lines[1]) or int(lines[1]) > LARGEST_INTEGER:
        raise DoesNotVerifyError("The checkpoint does not have the three lines of origin, size and root.")
    size, root = int(lines[1]), decode_base64(lines[2], "The checkpoint's root")
    if len(root) != HASH_BYTES or (size == 0 and root != EMPTY_ROOT):
        raise DoesNotVerifyError("The checkpoint's root is none.")
    return size, root
