"""The folder of installed packs: what is there, and how a pack gets into it whole or not at all.

A pack is built in a hidden folder beside the others and takes its name by a rename when it is complete and on
disk; a process that dies leaves the shelf as it was, and what it left behind is cleared by the next one. One
process places at a time (``flock`` on ``.lock``); readers need no lock.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from frs.embed.manifest import MANIFEST, is_pack_name
from frs.embed.pack import Pack, describe_pack, load_pack
from frs.errors import FrsError, Reason

STAGING = ".new-"
RETIRED = ".old-"


class Progress(Protocol):
    """Told how far a step is; ``total`` is 0 while it is not known. Units are the step's own (bytes, layers)."""

    def __call__(self, step: str, done: int, total: int) -> None:
        """Report."""
        ...


def silent(step: str, done: int, total: int) -> None:
    """Report to nobody."""


class Shelf:
    """The model packs of one installation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def downloads(self) -> Path:
        """Where partial downloads wait to be resumed."""
        return self.folder / ".downloads"

    def names(self) -> tuple[str, ...]:
        """Return the names of all installed packs, usable or not."""
        if not self.folder.is_dir():
            return ()
        return tuple(sorted(f.name for f in self.folder.iterdir() if f.is_dir() and is_pack_name(f.name)))

    def describe(self, name: str) -> Pack:
        """Return what a pack's manifest says, without digesting its files."""
        return describe_pack(self._path(name))

    def load(self, name: str) -> Pack:
        """Return a pack with its files verified."""
        return load_pack(self._path(name))

    @contextmanager
    def placing(self, name: str) -> Iterator[Path]:
        """Give an empty folder that becomes the pack ``name`` when the block ends without an error.

        A pack of that name is replaced. Raises ``STORAGE_FULL`` or ``STORAGE_FAILED`` when the disk refuses, and
        ``MODEL_INVALID`` for a name that no pack may have or a block that wrote no manifest.
        """
        if not is_pack_name(name):
            raise FrsError(Reason.MODEL_INVALID, f"{name!r} cannot name a pack: use a-z, 0-9, '.', '_' and '-'")
        with self._alone():
            staged = Path(tempfile.mkdtemp(prefix=STAGING, dir=self.folder))
            try:
                yield staged
                if not (staged / MANIFEST).is_file():
                    raise FrsError(Reason.MODEL_INVALID, f"no manifest was written for the pack {name}")
                _make_durable(staged)
                self._put(staged, self.folder / name)
            finally:
                shutil.rmtree(staged, ignore_errors=True)

    def _path(self, name: str) -> Path:
        path = self.folder / name
        if not is_pack_name(name) or not path.is_dir():
            raise FrsError(Reason.MODEL_NOT_FOUND, f"no pack {name!r} is installed in {self.folder}", pack=name)
        return path

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with storage_errors():
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                for left in [*self.folder.glob(STAGING + "*"), *self.folder.glob(RETIRED + "*")]:
                    shutil.rmtree(left, ignore_errors=True)
                yield

    def _put(self, staged: Path, place: Path) -> None:
        retired = Path(tempfile.mkdtemp(prefix=RETIRED, dir=self.folder))
        if place.exists():
            place.rename(retired / place.name)
        try:
            staged.rename(place)
        except OSError:
            if (retired / place.name).exists():
                (retired / place.name).rename(place)
            raise
        _sync(self.folder)
        shutil.rmtree(retired, ignore_errors=True)


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn an operating system's refusal to read or write into an error of the catalogue."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise FrsError(
            Reason.STORAGE_FULL if full else Reason.STORAGE_FAILED, f"model files could not be read or written: {error}"
        ) from error


def _make_durable(folder: Path) -> None:
    for path in folder.iterdir():
        path.chmod(0o644)
        _sync(path)
    folder.chmod(0o755)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
