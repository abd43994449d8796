"""Downloads one file over HTTP: resumed where it broke off, bounded in size, and checked by SHA-256.

The partial file is kept under the digest it is to have, with the server's validator (RFC 9110: a strong ``ETag``,
or ``Last-Modified``), and is resumed with ``Range`` and ``If-Range``; a server that ignores either makes it start
again. Whatever the server does, a file is only returned when its SHA-256 is the one asked for.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import frs
from frs.embed.manifest import digest_file
from frs.embed.shelf import Progress, silent, storage_errors
from frs.errors import FrsError, Reason

CHUNK = 1 << 18
TIMEOUT_SECONDS = 30.0
FRUITLESS_ATTEMPTS = 5
"""How often in a row an attempt may bring less than FRUITFUL_BYTES before the download is given up."""
FRUITFUL_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be downloaded."""

    url: str
    sha256: str
    max_bytes: int
    """Most bytes that are accepted; beyond it the download fails."""


class _BrokenOffError(Exception):
    """The connection failed or the server asked to come back: worth another attempt."""


def download(wanted: Wanted, folder: Path, progress: Progress = silent, pause_seconds: float = 1.0) -> Path:
    """Return a file in ``folder`` with the digest wanted; the caller removes it when it is done with it.

    ``pause_seconds`` is the wait after a fruitless attempt; it doubles with each.
    Raises ``MODEL_DOWNLOAD_FAILED``; what has arrived stays for the next call unless its digest is wrong.
    """
    if not re.match(r"https?://", wanted.url):
        raise _failed(wanted, "only http and https addresses are downloaded")
    with storage_errors():
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{wanted.sha256}.part"
        with part.open("ab") as file, _alone(wanted, file):
            if file.tell() > 0 and _digest(part) == wanted.sha256:
                return part  # complete, but the process ended before it was used
            resumed = _fetch(wanted, part, file, progress, pause_seconds)
            if resumed and _digest(part) != wanted.sha256:
                _empty(file)  # the beginning came from another time: once more from the start
                _fetch(wanted, part, file, progress, pause_seconds)
            found = _digest(part)
            if found != wanted.sha256:
                _empty(file)
                raise _failed(wanted, f"its SHA-256 is {found}, not {wanted.sha256}")
            return part


def discard(part: Path) -> None:
    """Remove a downloaded file and what was noted of it."""
    with storage_errors():
        part.unlink(missing_ok=True)
        part.with_suffix(".json").unlink(missing_ok=True)


def _fetch(wanted: Wanted, part: Path, file: IO[bytes], progress: Progress, pause: float) -> bool:
    """Bring the file to its end, over as many attempts as it takes; tell whether earlier bytes were kept."""
    resumed = file.tell() > 0
    fruitless = 0
    while True:
        before = file.tell()
        try:
            if not _attempt(wanted, part, file, progress):
                resumed = False
            return resumed
        except _BrokenOffError as error:
            fruitless = 0 if file.tell() >= before + FRUITFUL_BYTES else fruitless + 1
            if fruitless >= FRUITLESS_ATTEMPTS:
                raise _failed(wanted, f"{error}; {file.tell()} bytes are kept and will be resumed") from error
            if fruitless:
                time.sleep(pause * 2 ** (fruitless - 1))


def _attempt(wanted: Wanted, part: Path, file: IO[bytes], progress: Progress) -> bool:
    """Make one request and take what it brings; tell whether it continued where the file ended."""
    note = part.with_suffix(".json")
    file.seek(0, 2)
    start, validator = file.tell(), _read_validator(note, wanted.url)
    headers = {"User-Agent": f"frs/{frs.__version__}", "Accept-Encoding": "identity"}
    if start and validator:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    with _open(wanted, headers, file) as response:
        continued = response.status == http.client.PARTIAL_CONTENT
        if continued and not re.match(rf"bytes {start}-", response.headers.get("Content-Range", "")):
            _empty(file)
            raise _BrokenOffError("the server resumed at another place")
        if not continued:
            _empty(file)
            start = 0
        note.write_text(json.dumps({"url": wanted.url, "validator": _validator(response)}))
        length = response.headers.get("Content-Length")
        total = start + int(length) if length and length.isdigit() else 0
        if total > wanted.max_bytes:
            raise _failed(wanted, f"it is {total} bytes long; at most {wanted.max_bytes} are accepted")
        for chunk in _chunks(response):
            if file.tell() + len(chunk) > wanted.max_bytes:
                _empty(file)
                raise _failed(wanted, f"it is longer than {wanted.max_bytes} bytes, the most that are accepted")
            file.write(chunk)
            progress(wanted.url, file.tell(), total)
        file.flush()
        if file.tell() < total:
            raise _BrokenOffError(f"the connection ended after {file.tell()} of {total} bytes")
        return continued


@contextmanager
def _open(wanted: Wanted, headers: dict[str, str], file: IO[bytes]) -> Iterator[http.client.HTTPResponse]:
    request = urllib.request.Request(wanted.url, headers=headers)  # noqa: S310  # the scheme was checked
    try:
        response = _opener().open(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                _empty(file)
                raise _BrokenOffError("the server cannot resume there") from error
            if error.code in (408, 425, 429) or error.code >= 500:
                raise _BrokenOffError(f"the server answers {error.code}") from error
            raise _failed(wanted, f"the server answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
        raise _BrokenOffError(str(getattr(error, "reason", error)) or type(error).__name__) from error
    with response:
        yield response


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while True:
        try:
            chunk = response.read1(CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise _BrokenOffError(str(error) or type(error).__name__) from error
        if not chunk:
            return
        yield chunk


def _opener() -> urllib.request.OpenerDirector:
    """Return an opener for http and https alone, through the environment's proxy: no file:, ftp: or data:."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _validator(response: http.client.HTTPResponse) -> str:
    etag = response.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):  # RFC 9110: a weak one may not stand in If-Range
        return str(etag)
    return str(response.headers.get("Last-Modified", ""))


def _read_validator(note: Path, url: str) -> str:
    try:
        value = json.loads(note.read_text())
    except (FileNotFoundError, ValueError):
        return ""
    if not isinstance(value, dict) or value.get("url") != url:
        return ""
    return str(value.get("validator", ""))


@contextmanager
def _alone(wanted: Wanted, file: IO[bytes]) -> Iterator[None]:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _failed(wanted, "another process is downloading it") from error
    yield  # closing the file releases the lock


def _empty(file: IO[bytes]) -> None:
    file.seek(0)
    file.truncate(0)


def _digest(path: Path) -> str:
    return digest_file(path)[0]


def _failed(wanted: Wanted, why: str) -> FrsError:
    return FrsError(Reason.MODEL_DOWNLOAD_FAILED, f"{wanted.url} could not be downloaded: {why}", url=wanted.url)
