"""Uploads of media: what is sent, and that a break costs nothing that was durable."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

from frs.cli import uploading
from frs.cli.client import Client
from frs.cli.uploading import find_media, media_kind, upload
from frs.errors import FrsError, Reason
from frs.v1 import retrospective_pb2 as pb
from frs.v1.retrospective_pb2_grpc import RetrospectiveServiceStub


class Breaking:
    """Takes an upload and loses the connection after some messages; what it took stays taken."""

    def __init__(self, *breaks: int) -> None:
        self._breaks = list(breaks)
        self.held = bytearray()
        self.offsets: list[int] = []
        self.announced = pb.Upload()

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return the three methods that an upload calls."""
        unary, streaming = grpc.unary_unary_rpc_method_handler, grpc.stream_unary_rpc_method_handler
        out = pb.Upload.SerializeToString
        methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "CreateUpload": unary(self._create, pb.CreateUploadRequest.FromString, out),
            "GetUpload": unary(lambda *_: self._state(), pb.GetUploadRequest.FromString, out),
            "WriteUpload": streaming(self._write, pb.WriteUploadRequest.FromString, out),
        }
        return grpc.method_handlers_generic_handler("frs.v1.RetrospectiveService", methods)

    def _state(self) -> pb.Upload:
        state = pb.UPLOAD_STATE_COMPLETE if len(self.held) == self.announced.size else pb.UPLOAD_STATE_RECEIVING
        return pb.Upload(name="uploads/1", committed_size=len(self.held), state=state)

    def _create(self, request: pb.CreateUploadRequest, _: grpc.ServicerContext) -> pb.Upload:
        self.announced = request.upload
        return self._state()

    def _write(self, requests: Iterator[pb.WriteUploadRequest], context: grpc.ServicerContext) -> pb.Upload:
        most = self._breaks.pop(0) if self._breaks else 1000
        for number, request in enumerate(requests):
            if number == 0:
                self.offsets.append(request.offset)
            assert request.offset == len(self.held)
            if number == most:
                context.abort(grpc.StatusCode.UNAVAILABLE, "the connection is lost")
            self.held += request.data
        return self._state()


Start = Callable[[Breaking], tuple[Client, RetrospectiveServiceStub]]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a server and gives a client and a stub."""
    monkeypatch.setattr(uploading, "CHUNK", 100)
    monkeypatch.setattr(uploading, "FIRST_WAIT", 0.01)
    ends = []

    def start(servicer: Breaking) -> tuple[Client, RetrospectiveServiceStub]:
        server = grpc.server(futures.ThreadPoolExecutor(2))
        server.add_generic_rpc_handlers((servicer.handlers(),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        ends.append((channel, server))
        client = Client(channel, f"127.0.0.1:{port}", tmp_path)
        return client, client.stub(RetrospectiveServiceStub)

    yield start
    for channel, server in ends:
        channel.close()
        server.stop(None).wait()


def test_an_upload_resumes_from_what_is_durable(serve: Start, tmp_path: Path) -> None:
    """Two breaks; each next stream begins at the committed offset, and the file arrives whole."""
    film = tmp_path / "film.mp4"
    film.write_bytes(bytes(range(256)) * 4)
    servicer = Breaking(3, 5)
    client, stub = serve(servicer)
    told: list[int] = []
    assert upload(client, stub, film, told.append) == "uploads/1"
    assert servicer.offsets == [0, 300, 800]
    assert bytes(servicer.held) == film.read_bytes()
    assert servicer.announced.sha256 == hashlib.sha256(film.read_bytes()).hexdigest()
    assert (servicer.announced.kind, servicer.announced.file_name) == (pb.MEDIA_KIND_VIDEO, "film.mp4")
    assert told[-1] == 1024


def test_an_upload_that_never_gets_on_is_given_up(serve: Start, tmp_path: Path) -> None:
    """After the attempts the connection's error is told."""
    film = tmp_path / "film.mp4"
    film.write_bytes(b"x" * 500)
    client, stub = serve(Breaking(*[0] * 20))
    with pytest.raises(FrsError) as caught:
        upload(client, stub, film, lambda _: None)
    assert caught.value.reason is Reason.SERVER_UNREACHABLE


def test_folders_are_searched_for_pictures_and_videos(tmp_path: Path) -> None:
    """In name order, sub-folders included, other files left alone; a file that is named is taken as it is."""
    for name in ("b.JPG", "a.mp4", "notes.txt", "sub/c.png", "sub/.DS_Store"):
        path = tmp_path / "media" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    odd = tmp_path / "media" / "notes.txt"
    found = find_media([tmp_path / "media", odd])
    assert [path.name for path in found] == ["a.mp4", "b.JPG", "c.png", "notes.txt"]
    assert [media_kind(path) for path in found[:2]] == [pb.MEDIA_KIND_VIDEO, pb.MEDIA_KIND_STILL]


def test_a_folder_without_media_is_an_error(tmp_path: Path) -> None:
    """A job of nothing is not submitted."""
    with pytest.raises(FrsError, match="no picture and no video"):
        find_media([tmp_path])
