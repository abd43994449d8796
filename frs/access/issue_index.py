"""``issued.jsonl`` beside the authority: every certificate that it ever issued, a line of JSON each.

A renewed certificate is no longer in any file here and stays valid until it ends; the index is how it can still be
found and revoked. A line is durable before the certificate is written, so no certificate exists that it does not name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from frs.store.durable import FILE_MODE, sync_folder

FILE = "issued.jsonl"


@dataclass(frozen=True, slots=True)
class IssuedSerial:
    """One line."""

    serial: str
    """Hexadecimal."""
    name: str
    """The identity's name; ``server`` for the service's own."""
    not_before: datetime
    not_after: datetime
    alternatives: tuple[str, ...]
    """What its subject alternative names say: roles and scope, or the server's hosts."""


def append(folder: Path, issued: IssuedSerial) -> None:
    """Add a line, durable when this returns. For one process at a time."""
    line = {
        "serial": issued.serial,
        "name": issued.name,
        "not_before": issued.not_before.isoformat(),
        "not_after": issued.not_after.isoformat(),
        "alternatives": list(issued.alternatives),
    }
    descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(descriptor, "rb+") as file:
        end = file.seek(0, os.SEEK_END)
        torn = False
        if end:
            file.seek(end - 1)
            torn = file.read(1) != b"\n"  # a crash left half a line: nothing was issued for it
        file.write((b"\n" if torn else b"") + json.dumps(line, ensure_ascii=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if not end:
        sync_folder(folder)


def read(folder: Path) -> Iterator[IssuedSerial]:
    """Yield every line, oldest first; half a line that a crash left is passed over, and so is a missing file."""
    try:
        lines = (folder / FILE).read_bytes().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            value = json.loads(line)
            yield IssuedSerial(
                str(value["serial"]),
                str(value["name"]),
                datetime.fromisoformat(value["not_before"]),
                datetime.fromisoformat(value["not_after"]),
                tuple(str(each) for each in value["alternatives"]),
            )
        except (ValueError, KeyError, TypeError):
            continue
