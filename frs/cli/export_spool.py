"""The file that an export grows in: NDJSON with a header, a line for each event and, when it is whole, a trailer.

``FILE.part`` survives whatever ends the command. Each line is RFC 8785 canonical JSON, so that a line that was cut off
at any byte is told from a whole one; :func:`reopen` cuts there and says where to go on. docs/verify.md describes the
lines field by field; the verifier that reads them shares no code with this.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from frs.audit.canonical import canonical
from frs.errors import FrsError, Reason
from frs.store.durable import FILE_MODE
from frs.types import Json
from frs.v1 import oversight_pb2 as pb

FORMAT = "frs-log-export"
VERSION = 1


def make_header(
    checkpoint: pb.Checkpoint, asked: Mapping[str, Json], *, payloads: bool, proofs: bool
) -> dict[str, Json]:
    """Return the header; ``asked`` has ``filter``, ``recipient`` and ``reason``."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "origin": checkpoint.signed_note.partition("\n")[0],
        "verifier_key": checkpoint.verifier_key,
        "checkpoint": checkpoint.signed_note,
        "payloads": payloads,
        "proofs": proofs,
        "complete": not asked["filter"],
        **asked,
    }


def event_line(event: pb.Event, *, proofs: bool) -> bytes:
    """Return the line of an event, without its newline."""
    fields: dict[str, Json] = {"index": event.index, "leaf": event.leaf.decode("utf-8")}
    if proofs:
        fields["proof"] = [base64.b64encode(digest).decode("ascii") for digest in event.inclusion_proof]
    if event.payload_json:
        fields["payload"] = event.payload_json
        fields["nonce"] = event.payload_nonce.hex()
    return canonical(fields)


class Spool:
    """An open ``FILE.part``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header: dict[str, Any] = {}
        self.events = 0
        self.payloads = 0
        self.last_index = -1
        self.whole = False
        """Whether the trailer is written."""
        self._sum = hashlib.sha256()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        self._file: BinaryIO = os.fdopen(descriptor, "r+b")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise FrsError(Reason.INVALID_FIELD, f"another export is writing {path} now") from None

    @property
    def tree_size(self) -> int:
        """The tree that the header's checkpoint is of."""
        return int(self.header["checkpoint"].split("\n")[1])

    def begin(self, header: dict[str, Json]) -> None:
        """Write the header into an empty file."""
        self.header = header
        self._write(canonical(header))

    def add(self, event: pb.Event) -> None:
        """Write an event's line."""
        self._write(event_line(event, proofs=self.header["proofs"]))
        self._count(event.index, bool(event.payload_json))

    def finish(self) -> None:
        """Write the trailer, durably. Raises OSError."""
        if not self.whole:
            trailer: dict[str, Json] = {"end": True, "events": self.events, "sha256": self._sum.hexdigest()}
            self._file.write(canonical(trailer) + b"\n")
            self.whole = True
        self.keep()

    def keep(self) -> None:
        """Make what has been written durable. Raises OSError."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; again is harmless. What cannot be written any more is fetched again."""
        with contextlib.suppress(OSError):
            self._file.close()

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield the events of a whole spool."""
        self._file.seek(0)
        self._file.readline()
        for _ in range(self.events):
            yield json.loads(self._file.readline())

    def edges(self) -> tuple[str, str]:
        """Return the header's and the trailer's line of a whole spool, as they are written."""
        trailer: dict[str, Json] = {"end": True, "events": self.events, "sha256": self._sum.hexdigest()}
        return canonical(self.header).decode("utf-8"), canonical(trailer).decode("utf-8")

    def _write(self, line: bytes) -> None:
        self._file.write(line + b"\n")
        self._sum.update(line + b"\n")

    def _count(self, index: int, payload: bool) -> None:
        self.events += 1
        self.payloads += payload
        self.last_index = index

    def read_back(self) -> None:
        """Take up what the file holds and cut off what is not whole, so that writing goes on behind it."""
        kept = 0
        for line in self._file:
            if not line.endswith(b"\n") or not self._take(line):
                break
            kept += len(line)
            if self.whole:
                break
        self._file.seek(kept)
        self._file.truncate()

    def _take(self, line: bytes) -> bool:
        """Count a line that was written before; False when it is none of this export's."""
        try:
            fields = json.loads(line)
            if canonical(fields) != line[:-1]:
                return False
            if not self.header:
                if (fields["format"], fields["version"]) != (FORMAT, VERSION):
                    return False
                self.header = fields
            elif "end" in fields:
                self.whole = fields == {"end": True, "events": self.events, "sha256": self._sum.hexdigest()}
                return self.whole
            elif fields["index"] <= self.last_index or not isinstance(fields["leaf"], str):
                return False
            else:
                self._count(fields["index"], "payload" in fields)
        except (ValueError, KeyError, TypeError, RecursionError):
            return False
        self._sum.update(line)
        return True


def reopen(path: Path) -> Spool:
    """Open a spool that was left behind, or a new one. Raises OSError, FrsError when another command is writing it.

    Where not even the header is whole, it is empty again.
    """
    spool = Spool(path)
    spool.read_back()
    return spool
