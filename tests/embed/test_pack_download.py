"""Downloads over real HTTP on loopback: resumed, bounded, checked, and never left half done."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from frs.embed.download import FRUITLESS_ATTEMPTS, Wanted, discard, download
from frs.errors import FrsError, Reason

CONTENT = bytes(range(256)) * 1200  # 307,200 bytes


@dataclass
class Behaviour:
    """How the server answers; changed by the tests."""

    content: bytes = CONTENT
    etag: str = '"one"'
    ranges: bool = True
    length: bool = True
    drop_after: list[int] = field(default_factory=list)
    """Bytes of the body after which each request's connection is cut, first request first."""
    statuses: list[int] = field(default_factory=list)
    """Statuses answered before anything else."""
    location: str = ""
    wrong_range: bool = False
    requests: list[dict[str, str]] = field(default_factory=list)
    """Headers received."""


class Handler(BaseHTTPRequestHandler):
    behaviour: Behaviour

    def do_GET(self) -> None:
        b = self.behaviour
        b.requests.append({name.lower(): value for name, value in self.headers.items()})
        if b.statuses:
            self.send_error(b.statuses.pop(0))
            return
        if b.location and self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", b.location)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = self._start()
        if start > len(b.content):
            self.send_error(416)
            return
        body = b.content[start:]
        self.send_response(206 if start else 200)
        if b.etag:
            self.send_header("ETag", b.etag)
        if b.length:
            self.send_header("Content-Length", str(len(body)))
        if start:
            said = start + 1 if b.wrong_range else start
            self.send_header("Content-Range", f"bytes {said}-{len(b.content) - 1}/{len(b.content)}")
        self.end_headers()
        self.wfile.write(body[: b.drop_after.pop(0)] if b.drop_after else body)

    def _start(self) -> int:
        b, wanted = self.behaviour, self.headers.get("Range")
        if not wanted or not b.ranges or self.headers.get("If-Range") != b.etag:
            return 0
        return int(wanted.removeprefix("bytes=").removesuffix("-"))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        pass


@dataclass
class Server:
    address: str
    behaviour: Behaviour

    def wanted(self, content: bytes = CONTENT, path: str = "/pack.zip", max_bytes: int = 1 << 20) -> Wanted:
        return Wanted(self.address + path, hashlib.sha256(content).hexdigest(), max_bytes)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    behaviour = Behaviour()
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"behaviour": behaviour}))
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield Server(f"http://127.0.0.1:{http.server_address[1]}", behaviour)
    http.shutdown()
    thread.join()
    http.server_close()


def test_download_brings_the_file_and_reports_progress(server: Server, tmp_path: Path) -> None:
    """A download gives the file's bytes and tells how far it is, up to the whole."""
    steps: list[tuple[str, int, int]] = []
    path = download(server.wanted(), tmp_path, lambda *step: steps.append(step))
    assert path.read_bytes() == CONTENT
    assert steps[-1] == (server.address + "/pack.zip", len(CONTENT), len(CONTENT))
    assert [s[1] for s in steps] == sorted(s[1] for s in steps)


def test_dropped_connection_is_resumed_where_it_broke_off(server: Server, tmp_path: Path) -> None:
    """When the connection drops twice, each new request asks only for what is missing, of the same version."""
    server.behaviour.drop_after = [100_000, 150_000]
    assert download(server.wanted(), tmp_path, pause_seconds=0.01).read_bytes() == CONTENT
    assert [r.get("range") for r in server.behaviour.requests] == [None, "bytes=100000-", "bytes=250000-"]
    assert server.behaviour.requests[1]["if-range"] == '"one"'


def test_later_call_resumes_what_an_earlier_one_left(server: Server, tmp_path: Path) -> None:
    """A download that was given up leaves its bytes, and the next call asks for the rest only."""
    server.behaviour.drop_after = [200_000] + [0] * FRUITLESS_ATTEMPTS
    with pytest.raises(FrsError, match="200000 bytes are kept") as caught:
        download(server.wanted(), tmp_path, pause_seconds=0.01)
    assert caught.value.reason is Reason.MODEL_DOWNLOAD_FAILED
    server.behaviour.requests.clear()
    assert download(server.wanted(), tmp_path).read_bytes() == CONTENT
    assert [r.get("range") for r in server.behaviour.requests] == ["bytes=200000-"]


def test_complete_download_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    """A file that is already whole is returned without a request; discarding it forgets it."""
    path = download(server.wanted(), tmp_path)
    server.behaviour.requests.clear()
    assert download(server.wanted(), tmp_path) == path
    assert server.behaviour.requests == []
    discard(path)
    assert list(tmp_path.iterdir()) == []


def test_server_without_ranges_is_started_again(server: Server, tmp_path: Path) -> None:
    """A server that ignores Range sends everything again, and nothing of the first part is left in the file."""
    server.behaviour.ranges = False
    server.behaviour.drop_after = [100_000]
    assert download(server.wanted(), tmp_path, pause_seconds=0.01).read_bytes() == CONTENT


def test_server_without_validators_is_started_again(server: Server, tmp_path: Path) -> None:
    """Without an ETag or date there is no telling whether it is the same file: no range is asked for."""
    server.behaviour.etag = ""
    server.behaviour.drop_after = [100_000]
    assert download(server.wanted(), tmp_path, pause_seconds=0.01).read_bytes() == CONTENT
    assert [r.get("range") for r in server.behaviour.requests] == [None, None]


def test_weak_validator_is_not_used_to_resume(server: Server, tmp_path: Path) -> None:
    """A weak ETag does not promise the same bytes, so it is not sent in If-Range."""
    server.behaviour.etag = 'W/"one"'
    server.behaviour.drop_after = [100_000]
    assert download(server.wanted(), tmp_path, pause_seconds=0.01).read_bytes() == CONTENT
    assert [r.get("range") for r in server.behaviour.requests] == [None, None]


def test_file_that_changed_meanwhile_is_started_again(server: Server, tmp_path: Path) -> None:
    """When the server's file is another one by the time of resuming, the old beginning is thrown away."""
    old = b"x" * len(CONTENT)
    server.behaviour.content, server.behaviour.etag = old, '"old"'
    server.behaviour.drop_after = [100_000] + [0] * FRUITLESS_ATTEMPTS
    with pytest.raises(FrsError):
        download(server.wanted(), tmp_path, pause_seconds=0.01)
    server.behaviour.content, server.behaviour.etag = CONTENT, '"new"'
    assert download(server.wanted(), tmp_path).read_bytes() == CONTENT


def test_resumed_beginning_that_is_wrong_is_fetched_again(server: Server, tmp_path: Path) -> None:
    """A part whose kept bytes were spoilt on disk ends with a wrong digest once, and then is fetched whole."""
    server.behaviour.drop_after = [100_000] + [0] * FRUITLESS_ATTEMPTS
    with pytest.raises(FrsError):
        download(server.wanted(), tmp_path, pause_seconds=0.01)
    (part,) = tmp_path.glob("*.part")
    part.write_bytes(b"?" * 100_000)
    assert download(server.wanted(), tmp_path).read_bytes() == CONTENT


def test_wrong_resume_position_is_started_again(server: Server, tmp_path: Path) -> None:
    """A server that resumes elsewhere than asked is not believed."""
    server.behaviour.wrong_range = True
    server.behaviour.drop_after = [100_000]
    assert download(server.wanted(), tmp_path, pause_seconds=0.01).read_bytes() == CONTENT


def test_part_longer_than_the_file_is_started_again(server: Server, tmp_path: Path) -> None:
    """A kept part that is longer than the file (416) is thrown away."""
    server.behaviour.drop_after = [100_000] + [0] * FRUITLESS_ATTEMPTS
    with pytest.raises(FrsError):
        download(server.wanted(), tmp_path, pause_seconds=0.01)
    (part,) = tmp_path.glob("*.part")
    part.write_bytes(b"?" * (len(CONTENT) + 1))
    assert download(server.wanted(), tmp_path, pause_seconds=0.01).read_bytes() == CONTENT


def test_wrong_checksum_fails_and_leaves_nothing(server: Server, tmp_path: Path) -> None:
    """A file with another digest is refused with both digests named, and its bytes are not kept."""
    with pytest.raises(FrsError, match="SHA-256") as caught:
        download(server.wanted(b"what was promised"), tmp_path)
    assert caught.value.reason is Reason.MODEL_DOWNLOAD_FAILED
    assert all(p.stat().st_size == 0 for p in tmp_path.glob("*.part"))


@pytest.mark.parametrize("status", [403, 404, 410])
def test_refusal_by_the_server_fails_at_once(server: Server, tmp_path: Path, status: int) -> None:
    """A file that is not there is not asked for again; the status is named."""
    server.behaviour.statuses = [status]
    with pytest.raises(FrsError, match=str(status)) as caught:
        download(server.wanted(), tmp_path)
    assert caught.value.reason is Reason.MODEL_DOWNLOAD_FAILED
    assert len(server.behaviour.requests) == 1


def test_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    """Statuses that pass (429, 503) are waited out."""
    server.behaviour.statuses = [503, 429]
    assert download(server.wanted(), tmp_path, pause_seconds=0.01).read_bytes() == CONTENT
    assert len(server.behaviour.requests) == 3


def test_unreachable_server_fails_after_a_few_attempts(tmp_path: Path) -> None:
    """Where nobody listens the download fails instead of trying for ever."""
    wanted = Wanted("http://127.0.0.1:9/pack.zip", "0" * 64, 1 << 20)
    with pytest.raises(FrsError, match="127") as caught:
        download(wanted, tmp_path, pause_seconds=0.001)
    assert caught.value.reason is Reason.MODEL_DOWNLOAD_FAILED


@pytest.mark.parametrize("length", [True, False])
def test_file_beyond_the_limit_is_refused(server: Server, tmp_path: Path, length: bool) -> None:
    """A server that sends more than the file can be, announced or not, is cut off and nothing is kept."""
    server.behaviour.length = length
    with pytest.raises(FrsError, match="accepted") as caught:
        download(server.wanted(max_bytes=100_000), tmp_path)
    assert caught.value.reason is Reason.MODEL_DOWNLOAD_FAILED
    assert all(p.stat().st_size == 0 for p in tmp_path.glob("*.part"))


def test_redirection_is_followed(server: Server, tmp_path: Path) -> None:
    """Publishers redirect to their storage; the file is taken from there."""
    server.behaviour.location = server.address + "/pack.zip"
    assert download(server.wanted(path="/moved"), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_redirection_out_of_http_is_not_followed(server: Server, tmp_path: Path, target: str) -> None:
    """A server cannot send the download to a local file or another protocol."""
    server.behaviour.location = target
    with pytest.raises(FrsError) as caught:
        download(server.wanted(path="/moved"), tmp_path, pause_seconds=0.001)
    assert caught.value.reason is Reason.MODEL_DOWNLOAD_FAILED


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "/etc/passwd"])
def test_other_addresses_are_refused(tmp_path: Path, url: str) -> None:
    """Only http and https addresses are downloaded."""
    with pytest.raises(FrsError, match="http") as caught:
        download(Wanted(url, "0" * 64, 10), tmp_path)
    assert caught.value.reason is Reason.MODEL_DOWNLOAD_FAILED


def test_second_download_of_the_same_file_is_refused(server: Server, tmp_path: Path) -> None:
    """While one download runs another of the same file is refused rather than mixed into it."""
    caught: list[FrsError] = []

    def while_downloading(step: str, done: int, total: int) -> None:
        if not caught:
            with pytest.raises(FrsError, match="another process") as error:
                download(server.wanted(), tmp_path)
            caught.append(error.value)

    assert download(server.wanted(), tmp_path, while_downloading).read_bytes() == CONTENT
    assert caught[0].reason is Reason.MODEL_DOWNLOAD_FAILED


def test_disk_that_cannot_be_written_is_a_storage_failure(server: Server, tmp_path: Path) -> None:
    """A folder that cannot be made fails as storage, not as the network."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FrsError) as caught:
        download(server.wanted(), tmp_path / "file" / "downloads")
    assert caught.value.reason is Reason.STORAGE_FAILED
