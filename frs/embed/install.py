"""Installs a pack of the catalogue: licence, source, checksums, then the shelf.

A pack comes from its publisher, from a mirror (a base address), from a folder, or from a local zip archive; the
checks are the same. An archive's SHA-256 is checked before it is opened, and of its content only the detector and
the recogniser are written, under their own names: no path of the archive is ever used as a path.
"""

from __future__ import annotations

import re
import shutil
import zipfile
import zlib
from pathlib import Path

from frs.clock import Clock
from frs.embed.catalogue import CatalogueEntry, Member
from frs.embed.download import Wanted, discard, download
from frs.embed.manifest import digest_file, write_manifest
from frs.embed.pack import Pack
from frs.embed.shelf import Progress, Shelf, silent, storage_errors
from frs.embed.starter import make_starter
from frs.errors import FrsError, Reason

MAX_FILE_BYTES = 1 << 30
_CHUNK = 1 << 20


def install(
    entry: CatalogueEntry,
    shelf: Shelf,
    clock: Clock,
    *,
    licence_accepted: bool = False,
    source: str = "",
    progress: Progress = silent,
    pause_seconds: float = 1.0,
) -> Pack:
    """Install a pack, replacing one of its name.

    ``source`` is empty for the publisher, else a base address, a folder or a zip archive. Raises
    ``MODEL_LICENCE_NOT_ACCEPTED``, ``MODEL_DOWNLOAD_FAILED``, and ``MODEL_CHANGED`` when a file is not the
    publisher's.
    """
    if entry.made_here:
        return make_starter(shelf, clock, progress)
    if not licence_accepted:
        message = f"{entry.name} is not installed: its licence was not accepted. {entry.licence} {entry.licence_url}"
        raise FrsError(Reason.MODEL_LICENCE_NOT_ACCEPTED, message, pack=entry.name)
    obtained, downloaded = _obtain(entry, source, shelf, progress, pause_seconds)
    with storage_errors(), shelf.placing(entry.name) as folder:
        for member in (entry.detector, entry.recogniser):
            _take(member, entry, obtained, folder / member.name)
        write_manifest(
            folder,
            name=entry.name,
            detector=(entry.detector.name, entry.detector_kind),
            recogniser=(entry.recogniser.name, entry.recogniser_kind),
            dimension=entry.dimension,
            input_size=entry.input_size,
            licence=entry.licence,
            licence_url=entry.licence_url,
            profile=entry.profile,
            made_at=clock.now(),
            notice=entry.notice,
        )
    for part in downloaded:
        discard(part)
    return shelf.load(entry.name)


def _obtain(
    entry: CatalogueEntry, source: str, shelf: Shelf, progress: Progress, pause_seconds: float
) -> tuple[dict[str, Path], list[Path]]:
    """Return what the pack is made from, by published name, and which of it was downloaded."""
    if source and not re.match(r"[A-Za-z]+://", source):
        return _local(entry, Path(source)), []
    obtained = {}
    for remote in entry.remotes:
        # A mirror is a plain folder of files: it need not repeat the publisher's tree.
        url = f"{source.rstrip('/')}/{remote.name}" if source else entry.base + remote.path
        wanted = Wanted(url, remote.sha256, max_bytes=remote.size * 2)
        obtained[remote.name] = download(wanted, shelf.downloads, progress, pause_seconds)
    return obtained, list(obtained.values())


def _local(entry: CatalogueEntry, place: Path) -> dict[str, Path]:
    if place.is_file() and len(entry.remotes) == 1:
        archives = {entry.remotes[0]: place}
    else:
        members = {m.name: place / m.name for m in (entry.detector, entry.recogniser)}
        if all(path.is_file() for path in members.values()):
            return members  # unpacked already; each is checked when it is taken
        archives = {remote: place / remote.name for remote in entry.remotes}
    for remote, path in archives.items():
        if not path.is_file():
            raise FrsError(Reason.MODEL_NOT_FOUND, f"{place} has neither {remote.name} nor the files of {entry.name}")
        found, _ = digest_file(path)
        if found != remote.sha256:
            raise _changed(path.name, found, remote.sha256)
    return {remote.name: path for remote, path in archives.items()}


def _take(member: Member, entry: CatalogueEntry, obtained: dict[str, Path], target: Path) -> None:
    """Write one model file to ``target`` and check it."""
    if member.name in obtained:
        shutil.copyfile(obtained[member.name], target)
    else:
        _unpack(obtained[entry.remotes[0].name], member.name, target)
    found, _ = digest_file(target)
    if found != member.sha256:
        raise _changed(member.name, found, member.sha256)


def _unpack(archive: Path, name: str, target: Path) -> None:
    """Write the one entry of the archive whose last part is ``name``, wherever in the archive it lies."""
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [i for i in opened.infolist() if not i.is_dir() and i.filename.rsplit("/", 1)[-1] == name]
            if len(entries) != 1:
                raise FrsError(Reason.MODEL_INVALID, f"the archive holds {len(entries)} files named {name}, not one")
            with opened.open(entries[0]) as source, target.open("wb") as file:
                while chunk := source.read(_CHUNK):
                    if file.tell() + len(chunk) > MAX_FILE_BYTES:
                        raise FrsError(Reason.MODEL_INVALID, f"{name} is larger than a model can be", file=name)
                    file.write(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise FrsError(Reason.MODEL_INVALID, f"the archive cannot be unpacked: {error}", file=name) from error


def _changed(name: str, found: str, expected: str) -> FrsError:
    message = f"{name} is not the publisher's file: its SHA-256 is {found}, not {expected}"
    return FrsError(Reason.MODEL_CHANGED, message, file=name)
