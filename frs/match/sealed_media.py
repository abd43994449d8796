"""Uploaded media as they lie on the disk: a file each, made of sealed records that are only ever appended.

A record is two little-endian 32-bit numbers, the bytes of media in it and the bytes sealed, and then the sealed bytes.
Each is sealed under the upload's own key and bound to its offset, so that records cannot be swapped, left out or
taken from another upload without being noticed. What counts is what the database has committed: anything after
``stored`` is the tail of a write that was never acknowledged, and the next write cuts it off.

No plain byte of an upload is ever written to a disk.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from frs.errors import FrsError, Reason
from frs.store.durable import FILE_MODE, sync_folder
from frs.store.vault import Vault

_HEAD = struct.Struct("<II")


class SealedMedia:
    """One upload's file. The caller sees to it that one thread at a time appends."""

    def __init__(self, path: Path, vault: Vault, owner: str) -> None:
        self._path = path
        self._vault = vault
        self._owner = owner

    def append(self, stored: int, offset: int, data: bytes) -> int:
        """Seal ``data``, which begins at ``offset`` of the media, behind the first ``stored`` bytes of the file.

        Returns the file's new length when it is durable. Raises FrsError(STORAGE_FULL or STORAGE_FAILED); then the
        first ``stored`` bytes are as they were.
        """
        sealed = self._vault.seal(self._owner, data, _context(offset))
        new = not self._path.exists()
        with _storage_errors():
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
            with os.fdopen(descriptor, "r+b") as file:
                file.truncate(stored)
                file.seek(stored)
                file.write(_HEAD.pack(len(data), len(sealed)) + sealed)
                file.flush()
                os.fsync(file.fileno())
            if new:
                sync_folder(self._path.parent)
        return stored + _HEAD.size + len(sealed)

    def chunks(self, stored: int) -> Iterator[bytes]:
        """Open the records of the first ``stored`` bytes, in order.

        Raises FrsError: KEY_MISSING, KEY_WRONG, STORAGE_FAILED, and UPLOAD_CHECKSUM_MISMATCH for a file that is cut
        short or gone.
        """
        place = offset = 0
        with _storage_errors(), self._open() as file:
            while place < stored:
                head = file.read(_HEAD.size)
                plain, sealed = _HEAD.unpack(head) if len(head) == _HEAD.size else (0, 0)
                record = file.read(min(sealed, stored - place))
                if not 0 < plain < sealed or len(record) != sealed:
                    raise _damaged()
                data = self._vault.open(self._owner, record, _context(offset))
                if len(data) != plain:
                    raise _damaged()
                place += _HEAD.size + sealed
                offset += plain
                yield data

    def _open(self) -> BinaryIO:
        try:
            return self._path.open("rb")
        except FileNotFoundError:
            raise _damaged() from None

    def remove(self) -> None:
        """Take the file away; one that is not there is no failure."""
        with _storage_errors():
            self._path.unlink(missing_ok=True)


def _damaged() -> FrsError:
    return FrsError(Reason.UPLOAD_CHECKSUM_MISMATCH, "The uploaded file on the data volume is damaged.")


def _context(offset: int) -> bytes:
    return offset.to_bytes(8, "big")


@contextmanager
def _storage_errors() -> Iterator[None]:
    """Say what a failing file system means to a caller."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise FrsError(Reason.STORAGE_FULL, "The data volume is full; the upload keeps what it had.") from error
        raise FrsError(Reason.STORAGE_FAILED, f"The uploaded file cannot be used: {error.strerror}.") from error
