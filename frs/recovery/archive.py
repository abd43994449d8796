"""The file format of backups: a tar archive that is read strictly, with a signed manifest as its last members.

Any tar program opens one. Members are files in the order written, then ``manifest.json`` (RFC 8785: what the backup
is, and name, size and SHA-256 of every member before it) and ``manifest.note``: a C2SP signed note over the manifest's
SHA-256, made with the log's key under the name ``<log origin>/backup`` or ``<log origin>/keyring-backup``. Headers hold
nothing but name and size, so that each archive has one form: a byte that is not as the writer writes it is refused.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, cast

from frs.audit.canonical import canonical
from frs.audit.notes import NoteSigner
from frs.errors import FrsError, Reason
from frs.store.durable import FILE_MODE, make_folder
from frs.types import Json

VERSION = 1
CHUNK = 256 * 1024
MANIFEST = "manifest.json"
NOTE = "manifest.note"
_BLOCK = 512
_MOST_MANIFEST = 256 * 1024 * 1024
_NAME = re.compile(r"frs\.toml|frs\.sqlite|keyring\.sqlite|log\.vkey(\.[0-9a-z-]{1,40})?|uploads/[0-9a-f]{32}")


class Kind(StrEnum):
    """What an archive holds; also the end of the name that signs it."""

    DATA = "backup"
    KEYRING = "keyring-backup"


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive says of itself, its members checked; who signed it is checked by :meth:`require_signed`."""

    kind: Kind
    said: Mapping[str, Json]
    members: tuple[Member, ...]
    digest: str
    note: str

    def text(self, name: str) -> str:
        """Return a text of the manifest. Raises FrsError(BACKUP_INVALID)."""
        value = self.said.get(name)
        if not isinstance(value, str):
            raise invalid(f"its manifest does not say {name}")
        return value

    def number(self, name: str) -> int:
        """Return a number of the manifest. Raises FrsError(BACKUP_INVALID)."""
        value = self.said.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise invalid(f"its manifest does not say {name}")
        return int(value)

    def require_signed(self, seed: bytes) -> None:
        """Check that the log's own key signed the manifest. Raises FrsError(BACKUP_INVALID)."""
        verifier = NoteSigner(_signing_name(self.text("origin"), self.kind), seed).verifier
        try:
            text = verifier.verify(self.note)
        except FrsError as error:
            raise invalid(f"it was not made by this installation ({error.message})") from error
        if text != _signed_text(self.kind, self.digest):
            raise invalid("the signature is of another manifest")


class ArchiveWriter:
    """Writes one archive as an iterator of bytes, member by member."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._members: list[Member] = []

    def add(self, name: str, size: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield a member of exactly ``size`` bytes."""
        digest, length = hashlib.sha256(), 0
        yield _header(name, size)
        for chunk in chunks:
            digest.update(chunk)
            length += len(chunk)
            yield chunk
        if length != size:
            raise FrsError(Reason.STORAGE_FAILED, f"{name} changed while it was copied; make the backup again.")
        yield bytes(-size % _BLOCK)
        self._members.append(Member(name, size, digest.hexdigest()))

    def finish(self, said: Mapping[str, Json], origin: str, seed: bytes) -> Iterator[bytes]:
        """Yield manifest, signature and the archive's end; ``seed`` is the log's signing key."""
        members: list[Json] = [{"name": m.name, "size": m.size, "sha256": m.sha256} for m in self._members]
        facts = {**said, "origin": origin, "kind": str(self._kind), "version": VERSION, "members": members}
        manifest = canonical(facts)
        signer = NoteSigner(_signing_name(origin, self._kind), seed)
        note = signer.sign(_signed_text(self._kind, hashlib.sha256(manifest).hexdigest())).encode()
        for name, content in ((MANIFEST, manifest), (NOTE, note)):
            yield _header(name, len(content)) + content + bytes(-len(content) % _BLOCK)
        yield bytes(2 * _BLOCK)


def read_archive(
    path: Path, kind: Kind, into: Path | None = None, report: Callable[[int], None] | None = None
) -> Manifest:
    """Check an archive whole, and write its members into an empty folder when one is given.

    ``report`` gets the bytes read so far. Raises FrsError: BACKUP_INVALID with what is wrong; STORAGE_FULL or
    STORAGE_FAILED when the members cannot be written.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise invalid(f"{path} cannot be read: {error.strerror}") from error
    with file:
        found: list[Member] = []
        while (entry := _read_header(file)) is not None:
            name, size = entry
            if name == MANIFEST:
                return _read_end(file, kind, size, found)
            if not is_member(name) or any(member.name == name for member in found[-1:]):
                raise invalid(f"{name!r} does not belong in it")
            found.append(Member(name, size, _copy(file, size, into / name if into is not None else None, report)))
    raise invalid("it has no manifest")


def is_member(name: str) -> bool:
    """Whether a file of this name may be in an archive."""
    return _NAME.fullmatch(name) is not None


def invalid(what: str) -> FrsError:
    """Return the error for an archive that cannot be used."""
    return FrsError(Reason.BACKUP_INVALID, f"The backup is not valid: {what}.")


@contextmanager
def writing_errors(path: Path) -> Iterator[None]:
    """Say what a failing file system means to whoever writes a file."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise FrsError(Reason.STORAGE_FULL, f"There is no room for {path}; nothing of it is kept.") from error
        raise FrsError(Reason.STORAGE_FAILED, f"{path} cannot be written: {error.strerror}.") from error


def chunks_of(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the first ``size`` bytes of a file from where it stands; fewer when it ends."""
    left = size
    while left and (chunk := file.read(min(CHUNK, left))):
        left -= len(chunk)
        yield chunk


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, FILE_MODE
    return member.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict")


def _read_header(file: BinaryIO) -> tuple[str, int] | None:
    block = file.read(_BLOCK)
    if block == bytes(_BLOCK):
        return None
    try:
        member = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        if member.size < 0 or block != _header(member.name, member.size):
            raise ValueError("other fields than a backup's")
    except (tarfile.HeaderError, ValueError) as error:
        raise invalid(f"it is cut short or damaged ({error})") from error
    return member.name, member.size


def _copy(file: BinaryIO, size: int, target: Path | None, report: Callable[[int], None] | None) -> str:
    digest, left = hashlib.sha256(), size
    with _target(target) as write:
        for chunk in chunks_of(file, size):
            digest.update(chunk)
            write(chunk)
            left -= len(chunk)
            if report is not None:
                report(file.tell())
    if left:
        raise invalid("it is cut short")
    _read_padding(file, size)
    return digest.hexdigest()


@contextmanager
def _target(path: Path | None) -> Iterator[Callable[[bytes], object]]:
    if path is None:
        yield len  # nowhere
        return
    with writing_errors(path):
        make_folder(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        with os.fdopen(descriptor, "wb") as target:
            yield target.write
            target.flush()
            os.fsync(target.fileno())


def _read_padding(file: BinaryIO, size: int) -> None:
    length = -size % _BLOCK
    if file.read(length) != bytes(length):
        raise invalid("it is cut short or damaged")


def _read_end(file: BinaryIO, kind: Kind, size: int, found: list[Member]) -> Manifest:
    if size > _MOST_MANIFEST:
        raise invalid("its manifest is too large")
    manifest = file.read(size)
    _read_padding(file, size)
    entry = _read_header(file)
    if entry is None or entry[0] != NOTE or entry[1] > _BLOCK * 8:
        raise invalid("its manifest is not signed")
    note = file.read(entry[1])
    _read_padding(file, entry[1])
    if file.read() != bytes(2 * _BLOCK):
        raise invalid("it is cut short, or something was added to it")
    try:
        said = json.loads(manifest)
        if not isinstance(said, dict) or canonical(said) != manifest:
            raise ValueError("not canonical")
        members = tuple(Member(each["name"], each["size"], each["sha256"]) for each in said["members"])
        text = note.decode("utf-8")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise invalid("its manifest cannot be read") from error
    if said.get("version") != VERSION or said.get("kind") != str(kind):
        raise invalid(f"it is no {kind} of version {VERSION} (it says {said.get('kind')} {said.get('version')})")
    if members != tuple(found) or len({member.name for member in found}) != len(found):
        raise invalid("its files are not those of its manifest")
    return Manifest(kind, cast("dict[str, Json]", said), members, hashlib.sha256(manifest).hexdigest(), text)


def _signing_name(origin: str, kind: Kind) -> str:
    return f"{origin}/{kind}"


def _signed_text(kind: Kind, digest: str) -> str:
    return f"frs {kind} {VERSION}\n{digest}\n"
