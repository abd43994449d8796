"""A server of ``LiveService.Stream`` that breaks when a test says so; the real one is used in tests/journeys."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from frs.v1 import live_pb2 as pb
from frs.v1 import live_pb2_grpc


def refuse(context: grpc.ServicerContext, code: int, reason: str) -> None:
    """End the stream with a rich error, as the edge does."""
    detail = AnyMessage()
    detail.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="frs"))
    context.abort_with_status(rpc_status.to_status(status_pb2.Status(code=code, message=reason, details=[detail])))


@dataclass
class Connection:
    """What one stream carried."""

    opening: pb.StreamOpen
    frames: list[pb.Frame] = field(default_factory=list)


class Peer(live_pb2_grpc.LiveServiceServicer):
    """Acknowledges frames with a credit; ``script`` may end a connection after each frame.

    ``script(connection number from 1, frames on it)`` is called before a frame is acknowledged and returns the
    status code and reason to break with, or None.
    """

    def __init__(self, script: Callable[[int, int], tuple[int, str] | None] = lambda *_: None, credit: int = 4) -> None:
        self._script = script
        self._credit = credit
        self.connections: list[Connection] = []
        self.most_unacknowledged = 0
        self.gate = threading.Event()
        """Cleared: frames are taken and not acknowledged."""
        self.gate.set()

    def __enter__(self) -> Peer:
        self._server = grpc.server(futures.ThreadPoolExecutor(8))
        live_pb2_grpc.add_LiveServiceServicer_to_server(self, self._server)
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.stub = live_pb2_grpc.LiveServiceStub(self._channel)
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._channel.close()
        self._server.stop(None).wait()

    def Stream(  # noqa: N802  # the contract's name
        self, request_iterator: Iterator[pb.StreamRequest], context: grpc.ServicerContext
    ) -> Iterator[pb.StreamResponse]:
        connection = Connection(next(request_iterator).open)
        self.connections.append(connection)
        number = len(self.connections)
        yield pb.StreamResponse(state=pb.StreamState(model="peer@1", provider="none"))
        if (end := self._script(number, 0)) is not None:
            refuse(context, *end)
        yield self._progress(connection)
        for request in request_iterator:
            connection.frames.append(request.frame)
            if (end := self._script(number, len(connection.frames))) is not None:
                refuse(context, *end)
            self.gate.wait(20)
            yield pb.StreamResponse(alert=pb.AlertRaised(alert=f"alerts/{request.frame.sequence}"))
            yield self._progress(connection)
        yield self._progress(connection, done=True)

    def _progress(self, connection: Connection, *, done: bool = False) -> pb.StreamResponse:
        handled = len(connection.frames)
        return pb.StreamResponse(
            progress=pb.StreamProgress(
                acknowledged_sequence=connection.frames[-1].sequence if connection.frames else 0,
                credit=0 if done else self._credit,
                frames_received=handled,
                frames_processed=handled,
                faces_seen=handled // 2,
                alerts=handled,
                done=done,
            )
        )

    @property
    def received(self) -> list[bytes]:
        """The frames of all connections in the order they came."""
        return [frame.data for connection in self.connections for frame in connection.frames]


UNAVAILABLE = code_pb2.UNAVAILABLE
PRECONDITION = code_pb2.FAILED_PRECONDITION
