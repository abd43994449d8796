"""Uploads that resume: a file goes up in chunks from the server's committed offset, again after every break."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from frs.cli.client import Client, call
from frs.errors import FrsError, Reason
from frs.v1 import retrospective_pb2 as pb
from frs.v1.retrospective_pb2_grpc import RetrospectiveServiceStub

CHUNK = 1024 * 1024
ATTEMPTS = 5
FIRST_WAIT = 1.0  # seconds; doubles with each attempt
_PASSING = {Reason.SERVER_UNREACHABLE, Reason.SHUTTING_DOWN, Reason.UPLOAD_OFFSET_MISMATCH}
STILLS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
VIDEOS = {".mp4", ".mkv", ".mov", ".avi", ".webm", ".mpg", ".mpeg", ".ts", ".m4v", ".gif"}


def find_media(given: Sequence[Path]) -> list[Path]:
    """Return the files given and, of folders, every picture and video below them in name order."""
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.suffix.lower() in STILLS | VIDEOS and p.is_file())
        else:
            found.append(path)
    if not found:
        raise FrsError(Reason.INVALID_FIELD, "there is no picture and no video in what was given")
    return found


def media_kind(path: Path) -> pb.MediaKind.ValueType:
    """Return what a file is by its name; anything that is no known video is sent as a still."""
    return pb.MEDIA_KIND_VIDEO if path.suffix.lower() in VIDEOS else pb.MEDIA_KIND_STILL


def _chunks(path: Path, name: str, start: int, report: Callable[[int], None]) -> Iterator[pb.WriteUploadRequest]:
    offset = start
    with path.open("rb") as file:
        file.seek(start)
        while data := file.read(CHUNK):
            yield pb.WriteUploadRequest(name=name, offset=offset, data=data)
            offset += len(data)
            report(offset)


def upload(client: Client, stub: RetrospectiveServiceStub, path: Path, report: Callable[[int], None]) -> str:
    """Upload one file and return its resource name; ``report`` gets the bytes sent so far."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    announced = pb.Upload(kind=media_kind(path), file_name=path.name, size=path.stat().st_size, sha256=digest)
    state = call(client, stub.CreateUpload, pb.CreateUploadRequest(upload=announced))
    for attempt in range(ATTEMPTS):
        try:
            if attempt:
                state = call(client, stub.GetUpload, pb.GetUploadRequest(name=state.name))
            if state.state != pb.UPLOAD_STATE_COMPLETE:
                requests = _chunks(path, state.name, state.committed_size, report)
                state = call(client, stub.WriteUpload, requests, seconds=3600)
        except FrsError as error:
            if error.reason not in _PASSING or attempt == ATTEMPTS - 1:
                raise
            time.sleep(FIRST_WAIT * 2**attempt)
            continue
        if state.state == pb.UPLOAD_STATE_COMPLETE:
            return state.name
    raise FrsError(Reason.UPLOAD_INCOMPLETE, f"{path.name} could not be uploaded")
