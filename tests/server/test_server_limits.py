# ruff: noqa: N802, ARG002  # servicers bear the names of the contract and the signature of gRPC
"""The limits of an identity over a real connection: what is refused, what is slowed down, and that memory stays."""

from __future__ import annotations

import resource
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from frs.errors import FrsError, Reason
from frs.server.readiness import Readiness
from frs.settings import AccessSettings
from frs.v1 import (
    live_pb2,
    live_pb2_grpc,
    review_pb2,
    review_pb2_grpc,
    watchlist_pb2,
    watchlist_pb2_grpc,
)
from tests.server.rpc_errors import RichError, rich

KIB = 1024


class Watchlists(watchlist_pb2_grpc.WatchlistServiceServicer):
    """Knows one list."""

    async def GetWatchlist(self, request: watchlist_pb2.GetWatchlistRequest, context: Any) -> watchlist_pb2.Watchlist:
        if request.name != "watchlists/night":
            raise FrsError(Reason.WATCHLIST_NOT_FOUND, "There is no such watchlist.")
        return watchlist_pb2.Watchlist(name=request.name)


class Streams(live_pb2_grpc.LiveServiceServicer, review_pb2_grpc.ReviewServiceServicer):
    """Counts what it is sent, and sends as much as it is asked for."""

    async def Stream(
        self, request_iterator: AsyncIterator[live_pb2.StreamRequest], context: Any
    ) -> AsyncIterator[live_pb2.StreamResponse]:
        async for _ in request_iterator:
            yield live_pb2.StreamResponse()

    async def WatchAlerts(
        self, request: review_pb2.WatchAlertsRequest, context: Any
    ) -> AsyncIterator[review_pb2.WatchAlertsResponse]:
        alert = review_pb2.Alert(probe_image_jpeg=b"x" * 200 * KIB)
        for position in range(1000):
            yield review_pb2.WatchAlertsResponse(position=position, alert=alert)


def register(server: grpc.aio.Server, _: Readiness) -> None:
    watchlist_pb2_grpc.add_WatchlistServiceServicer_to_server(Watchlists(), server)  # type: ignore[abstract]
    live_pb2_grpc.add_LiveServiceServicer_to_server(Streams(), server)  # type: ignore[abstract]
    review_pb2_grpc.add_ReviewServiceServicer_to_server(Streams(), server)  # type: ignore[abstract]


def get(channel: grpc.Channel, name: str = "watchlists/night") -> RichError | None:
    stub = watchlist_pb2_grpc.WatchlistServiceStub(channel)
    try:
        stub.GetWatchlist(watchlist_pb2.GetWatchlistRequest(name=name), timeout=10)
    except grpc.RpcError as error:
        return rich(error)
    return None


def reasons(found: list[RichError | None]) -> list[str]:
    return ["" if error is None else error.reason for error in found]


def test_more_requests_than_the_burst_are_told_when_to_come_back(run_edge: Callable[..., Any]) -> None:
    """One identity is held back, another is not, and who waits gets in."""
    edge = run_edge(register, access=AccessSettings(requests_per_second=4, request_burst=3))
    with edge.channel("all") as channel:
        found = [get(channel) for _ in range(4)]
        assert reasons(found) == ["", "", "", "RATE_LIMITED"]
        last = found[-1]
        assert last is not None
        assert last.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        with edge.channel("feed") as other:
            assert reasons([get(other)]) == ["PERMISSION_DENIED"]
        time.sleep(float(last.metadata["retry_seconds"]))
        assert get(channel) is None


def test_trying_what_is_there_is_slow(run_edge: Callable[..., Any]) -> None:
    """Refusals, and answers that something does not exist, are counted alike; then nothing is looked at any more."""
    edge = run_edge(register, access=AccessSettings(refusals_per_minute=3))
    with edge.channel("all") as channel:
        found = [get(channel, f"watchlists/guess-{number}") for number in range(3)]
        assert reasons(found) == ["WATCHLIST_NOT_FOUND"] * 3
        assert reasons([get(channel)]) == ["RATE_LIMITED"]
    with edge.channel("feed") as channel:
        assert reasons([get(channel) for _ in range(4)]) == ["PERMISSION_DENIED"] * 3 + ["RATE_LIMITED"]


def frames(count: int, size: int) -> Iterator[live_pb2.StreamRequest]:
    data, captured = b"x" * size, Timestamp(seconds=1_772_442_000)
    for number in range(count):
        yield live_pb2.StreamRequest(frame=live_pb2.Frame(data=data, capture_time=captured, sequence=number + 1))


def test_open_streams_are_bounded(run_edge: Callable[..., Any]) -> None:
    """One more is refused; when one ends there is room again."""
    edge = run_edge(register, access=AccessSettings(concurrent_streams=2))
    with edge.channel("all") as channel:
        stub = review_pb2_grpc.ReviewServiceStub(channel)
        streams = [stub.WatchAlerts(review_pb2.WatchAlertsRequest()) for _ in range(2)]
        for stream in streams:
            next(stream)
        with pytest.raises(grpc.RpcError) as caught:
            next(stub.WatchAlerts(review_pb2.WatchAlertsRequest()))
        assert rich(caught.value).reason == "RATE_LIMITED"
        streams[0].cancel()
        until = time.monotonic() + 5
        while True:  # the server learns of the cancellation in its own time
            try:
                assert next(stub.WatchAlerts(review_pb2.WatchAlertsRequest())).position == 0
                break
            except grpc.RpcError:
                assert time.monotonic() < until
                time.sleep(0.01)
        streams[1].cancel()


def test_a_stream_that_sends_too_much_is_slowed_down(run_edge: Callable[..., Any]) -> None:
    """It loses nothing and takes its time; a request of the same identity is refused meanwhile."""
    edge = run_edge(register, access=AccessSettings(mib_per_second=1))
    began = time.monotonic()
    with edge.channel("all") as channel:
        answers = live_pb2_grpc.LiveServiceStub(channel).Stream(frames(14, 100 * KIB), timeout=30)
        assert len(list(answers)) == 14
    assert 0.3 < time.monotonic() - began < 5


def resident() -> int:
    """Return this process's resident bytes now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_memory_of_a_stream_is_constant(run_edge: Callable[..., Any]) -> None:
    """However much a client sends, and however much waits for a client that does not read."""
    edge = run_edge(register, access=AccessSettings())
    with edge.channel("all") as channel:
        live, review = live_pb2_grpc.LiveServiceStub(channel), review_pb2_grpc.ReviewServiceStub(channel)
        assert sum(1 for _ in live.Stream(frames(40, 500 * KIB), timeout=60)) == 40  # whatever grows once has grown
        before = resident()
        assert sum(1 for _ in live.Stream(frames(400, 500 * KIB), timeout=60)) == 400  # 195 MiB
        unread = review.WatchAlerts(review_pb2.WatchAlertsRequest())  # 195 MiB, of which one message is read
        assert next(unread).position == 0
        time.sleep(0.3)
        assert resident() - before < 24 * 1024 * KIB
        unread.cancel()
