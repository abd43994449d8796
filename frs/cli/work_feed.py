"""Work as it comes: the client's side of ``ReviewService.Work``, one case at a time.

A case is asked for when the reviewer is ready for it, so none is held for them while they look at another. A stream
that was cut is opened anew, and the service sends first what the reviewer still holds.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

import grpc

from frs.cli.client import Client, translate
from frs.errors import FrsError, Reason
from frs.v1 import review_pb2 as pb
from frs.v1.review_pb2_grpc import ReviewServiceStub


class WorkFeed:
    """A reviewer's stream. :meth:`want` a case, :meth:`wait` for it, :meth:`close` at the end."""

    def __init__(
        self,
        client: Client,
        stub: ReviewServiceStub,
        deployment: str = "",
        kind: pb.CaseKind.ValueType = pb.CASE_KIND_UNSPECIFIED,
    ) -> None:
        self._client, self._stub = client, stub
        self._first = pb.WorkRequest(credit=1, deployment=deployment, kind=kind)
        self._stream: _Stream | None = None
        self._wanted = False

    def want(self) -> None:
        """Ask for one case, unless one is asked for already."""
        if self._stream is None:
            self._stream = _Stream(self._client, self._stub, self._first)
        elif not self._wanted:
            self._stream.send(pb.WorkRequest(credit=1))
        self._wanted = True

    def wait(self, seconds: float) -> pb.WorkResponse | None:
        """Return the case that has come within this time, or None. Raises FrsError when the stream has ended."""
        if self._stream is None:
            return None
        try:
            arrived = self._stream.arrived.get(timeout=seconds)
        except queue.Empty:
            return None
        self._wanted = False
        if isinstance(arrived, pb.WorkResponse):
            return arrived
        self._stream = None
        raise arrived

    def close(self) -> None:
        """End the stream; what is held stays held until its claim ends."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


class _Stream:
    """One call, read by a thread of its own."""

    def __init__(self, client: Client, stub: ReviewServiceStub, first: pb.WorkRequest) -> None:
        self.arrived: queue.SimpleQueue[pb.WorkResponse | FrsError] = queue.SimpleQueue()
        self._requests: queue.SimpleQueue[pb.WorkRequest | None] = queue.SimpleQueue()
        self._requests.put(first)
        self._address = client.address
        self._call: Any = stub.Work(self._outgoing())
        threading.Thread(target=self._read, name="frs-review-work", daemon=True).start()

    def send(self, request: pb.WorkRequest) -> None:
        self._requests.put(request)

    def close(self) -> None:
        self._requests.put(None)
        self._call.cancel()

    def _outgoing(self) -> Iterator[pb.WorkRequest]:
        while (request := self._requests.get()) is not None:
            yield request

    def _read(self) -> None:
        try:
            for answer in self._call:
                self.arrived.put(answer)
            self.arrived.put(FrsError(Reason.SHUTTING_DOWN, "the service has ended the stream of work"))
        except grpc.RpcError as error:
            self.arrived.put(translate(error, self._address))
        finally:
            self._requests.put(None)
