"""A camera's side of the live stream."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from frs.v1 import live_pb2, live_pb2_grpc
from tests.journeys.service import Service

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def opening(deployment: str, camera: str = "cam-1", *, lossless: bool = True) -> live_pb2.StreamRequest:
    """Return the first message."""
    return live_pb2.StreamRequest(open=live_pb2.StreamOpen(deployment=deployment, camera_id=camera, lossless=lossless))


def frame(sequence: int, data: bytes, seconds: float | None = None, camera: str = "") -> live_pb2.StreamRequest:
    """Return a frame, a fifth of a second after the one before."""
    stamp = Timestamp()
    stamp.FromDatetime(START + timedelta(seconds=sequence / 5 if seconds is None else seconds))
    return live_pb2.StreamRequest(
        frame=live_pb2.Frame(data=data, capture_time=stamp, camera_id=camera, sequence=sequence)
    )


@dataclass
class Heard:
    """What the server said."""

    answers: list[live_pb2.StreamResponse] = field(default_factory=list)
    error: grpc.RpcError | None = None

    @property
    def kinds(self) -> list[str]:
        return [str(answer.WhichOneof("message")) for answer in self.answers]

    @property
    def alerts(self) -> list[str]:
        return [answer.alert.alert for answer in self.answers if answer.HasField("alert")]

    @property
    def problems(self) -> dict[int, str]:
        found = [answer.problem for answer in self.answers if answer.HasField("problem")]
        return {problem.sequence: problem.reason for problem in found}

    @property
    def last(self) -> live_pb2.StreamProgress:
        """The last progress."""
        return [answer.progress for answer in self.answers if answer.HasField("progress")][-1]


def play(service: Service, requests: Iterable[live_pb2.StreamRequest], name: str = "camera") -> Heard:
    """Send everything, half-close, and hear it all."""
    heard = Heard()
    stub = service.stub(live_pb2_grpc.LiveServiceStub, name)
    try:
        heard.answers.extend(stub.Stream(iter(requests), timeout=60))
    except grpc.RpcError as error:
        heard.error = error
    return heard


class Camera:
    """A stream that stays open; a test sends and waits for what it expects."""

    def __init__(self, service: Service, deployment: str, camera: str, *, lossless: bool = True) -> None:
        self.heard = Heard()
        self._requests: queue.Queue[live_pb2.StreamRequest | None] = queue.Queue()
        self._changed = threading.Condition()
        self._requests.put(opening(deployment, camera, lossless=lossless))
        stub = service.stub(live_pb2_grpc.LiveServiceStub, "camera")
        self._call = stub.Stream(self._outgoing())
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _outgoing(self) -> Iterator[live_pb2.StreamRequest]:
        while (request := self._requests.get()) is not None:
            yield request

    def _listen(self) -> None:
        try:
            for answer in self._call:
                with self._changed:
                    self.heard.answers.append(answer)
                    self._changed.notify_all()
        except grpc.RpcError as error:
            self.heard.error = error

    def send(self, request: live_pb2.StreamRequest) -> None:
        self._requests.put(request)

    def until_acknowledged(self, sequence: int) -> None:
        """Wait until a frame was dealt with."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: any(a.progress.acknowledged_sequence >= sequence for a in self.heard.answers), 30
            )

    def until_open(self) -> None:
        """Wait for the first answer."""
        with self._changed:
            assert self._changed.wait_for(lambda: bool(self.heard.answers), 30)

    def half_close(self) -> None:
        self._requests.put(None)

    def vanish(self) -> None:
        """Leave without a word."""
        self._call.cancel()

    def ended(self) -> Heard:
        """Wait until the server has ended the stream."""
        self._thread.join(30)
        assert not self._thread.is_alive()
        self._requests.put(None)
        return self.heard
