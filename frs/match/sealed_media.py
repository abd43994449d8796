"""Uploaded media as they lie on the disk: a file each, made of sealed records that are only ever appended.

A record is two little-endian 32-bit numbers, the bytes of media in it and the bytes sealed, and then the sealed bytes.
Each is sealed under the upload's own key and bound to its offset, so that records cannot be swapped, left out or
taken from another upload without being noticed. What counts is what the database has committed: anything after
``stored`` is the tail of a write that was never acknowledged, and the next write cuts it off.

No plain byte of an upload is ever written to a disk; a video is decoded through :class:`MediaReader`.
"""

from __future__ import annotations

import bisect
import errno
import io
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
        """Open the records of the first ``stored`` bytes, in order."""
        with MediaReader(self._path, self._vault, self._owner, stored) as reader:
            for number in range(reader.records):
                yield reader.record(number)

    def reader(self, stored: int) -> MediaReader:
        """Open the media of the first ``stored`` bytes for random access."""
        return MediaReader(self._path, self._vault, self._owner, stored)

    def remove(self) -> None:
        """Take the file away; one that is not there is no failure."""
        with _storage_errors():
            self._path.unlink(missing_ok=True)


class MediaReader(io.RawIOBase):
    """The plain media as a seekable file that exists in memory only, a record at a time."""

    def __init__(self, path: Path, vault: Vault, owner: str, stored: int) -> None:
        super().__init__()
        self._vault = vault
        self._owner = owner
        self._position = 0
        self._open: tuple[int, bytes] = (-1, b"")
        with _storage_errors():
            self._file = path.open("rb")
            self._starts, self._places, self.size = self._index(stored)

    @property
    def records(self) -> int:
        """How many records the media has."""
        return len(self._starts)

    def record(self, number: int) -> bytes:
        """Open one record. Raises FrsError(KEY_MISSING, KEY_WRONG, STORAGE_FAILED)."""
        if self._open[0] != number:
            place, length = self._places[number]
            with _storage_errors():
                self._file.seek(place)
                sealed = self._file.read(length)
            self._open = (number, self._vault.open(self._owner, sealed, _context(self._starts[number])))
        return self._open[1]

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move as :meth:`io.IOBase.seek` does."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Where the next read begins, in bytes of the media."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes (all that are left when negative); empty at the end."""
        left = self.size - self._position if size < 0 else size
        parts: list[bytes] = []
        while left > 0 and self._position < self.size:
            number = bisect.bisect_right(self._starts, self._position) - 1
            begin = self._position - self._starts[number]
            part = self.record(number)[begin : begin + left]
            parts.append(part)
            self._position += len(part)
            left -= len(part)
        return b"".join(parts)

    def readall(self) -> bytes:
        """Everything from here to the end."""
        return self.read()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's buffer protocol
        """Fill a buffer."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the file and forget the open record."""
        if not self.closed:
            self._open = (-1, b"")
            self._file.close()
        super().close()

    def _index(self, stored: int) -> tuple[list[int], list[tuple[int, int]], int]:
        starts: list[int] = []
        places: list[tuple[int, int]] = []
        place = size = 0
        whole = os.fstat(self._file.fileno()).st_size >= stored
        while whole and place < stored:
            self._file.seek(place)
            plain, sealed = _HEAD.unpack(self._file.read(_HEAD.size).ljust(_HEAD.size, b"\0"))
            starts.append(size)
            places.append((place + _HEAD.size, sealed))
            size += plain
            place += _HEAD.size + sealed
            whole = 0 < plain <= sealed
        if not whole or place != stored:
            self._file.close()
            raise FrsError(Reason.STORAGE_FAILED, "The uploaded file on the data volume is damaged.")
        return starts, places, size


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
