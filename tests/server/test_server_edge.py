# ruff: noqa: N802, ARG002  # servicers bear the names of the contract and the signature of gRPC
"""The interceptor over a real TLS connection: who calls, what is refused, how failures are told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog

from frs.access.authority import Authority
from frs.access.tokens import MOST_CHARACTERS
from frs.clock import SystemClock
from frs.errors import FrsError, Reason
from frs.server.caller import caller
from frs.server.readiness import Phase, Readiness
from frs.types import Role
from frs.v1 import (
    live_pb2,
    live_pb2_grpc,
    retrospective_pb2,
    retrospective_pb2_grpc,
    review_pb2,
    review_pb2_grpc,
    watchlist_pb2,
    watchlist_pb2_grpc,
)
from tests.server.rpc_errors import rich

PLANTED = "NOM-4711 Ana Kovač"


class Watchlists(watchlist_pb2_grpc.WatchlistServiceServicer):
    """Answers with who called; fails as asked."""

    async def GetWatchlist(self, request: watchlist_pb2.GetWatchlistRequest, context: Any) -> watchlist_pb2.Watchlist:
        match request.name:
            case "watchlists/missing":
                raise FrsError(Reason.WATCHLIST_NOT_FOUND, "There is no watchlist missing.", watchlist="missing")
            case "watchlists/broken":
                raise ValueError(f"cannot parse {PLANTED}")
        actor = caller()
        return watchlist_pb2.Watchlist(name=request.name, created_by=actor.name, category=" ".join(sorted(actor.roles)))

    async def AddSubjectImage(
        self, request: watchlist_pb2.AddSubjectImageRequest, context: Any
    ) -> watchlist_pb2.EnrolSubjectResponse:
        return watchlist_pb2.EnrolSubjectResponse(warnings=[str(len(request.image.data))])


class Review(review_pb2_grpc.ReviewServiceServicer):
    """Sends positions until the client leaves, and notes that it did."""

    def __init__(self) -> None:
        self.left = threading.Event()
        self.pause = 0.001

    async def WatchAlerts(
        self, request: review_pb2.WatchAlertsRequest, context: Any
    ) -> AsyncIterator[review_pb2.WatchAlertsResponse]:
        position = request.after_position
        try:
            while position < 1000:
                position += 1
                yield review_pb2.WatchAlertsResponse(position=position)
                await asyncio.sleep(self.pause)
            raise FrsError(Reason.SHUTTING_DOWN, "the end")
        finally:
            self.left.set()


@pytest.fixture
def edge(run_edge: Callable[..., Any]) -> Any:
    review = Review()  # type: ignore[abstract]

    def register(server: grpc.aio.Server, _: Readiness) -> None:
        watchlist_pb2_grpc.add_WatchlistServiceServicer_to_server(Watchlists(), server)  # type: ignore[abstract]
        review_pb2_grpc.add_ReviewServiceServicer_to_server(review, server)

    running = run_edge(register)
    running.review = review
    return running


def get(edge: Any, name: str, identity: str | None = "all") -> watchlist_pb2.Watchlist:
    with edge.channel(identity) as channel:
        stub = watchlist_pb2_grpc.WatchlistServiceStub(channel)
        found: watchlist_pb2.Watchlist = stub.GetWatchlist(watchlist_pb2.GetWatchlistRequest(name=name), timeout=10)
        return found


def refused(edge: Any, name: str, identity: str | None = "all") -> Any:
    with pytest.raises(grpc.RpcError) as caught:
        get(edge, name, identity)
    return rich(caught.value)


def test_the_actor_is_made_from_the_certificate(edge: Any) -> None:
    """A servicer is told the certificate's name and roles."""
    found = get(edge, "watchlists/night")
    assert found.created_by == "all"
    assert set(found.category.split()) == {str(role) for role in Role}


def test_without_a_certificate_there_is_no_connection(edge: Any) -> None:
    """The handshake fails: nothing of the service is seen."""
    with pytest.raises(grpc.RpcError) as caught:
        get(edge, "watchlists/night", None)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_certificate_of_another_authority_is_refused(edge: Any, tmp_path: Path) -> None:
    """A stranger's certificate, however well made, does not connect."""
    issued = Authority.create(tmp_path, SystemClock()).issue("all", list(Role))
    root = (edge.certs / "ca.crt").read_bytes()
    credentials = grpc.ssl_channel_credentials(root, issued.key.read_bytes(), issued.certificate.read_bytes())
    with grpc.secure_channel(edge.address, credentials) as channel:
        stub = watchlist_pb2_grpc.WatchlistServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.GetWatchlist(watchlist_pb2.GetWatchlistRequest(name="watchlists/night"), timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_the_servers_certificate_is_no_identity(edge: Any) -> None:
    """The server's own certificate, signed by the same authority, opens nothing."""
    with pytest.raises(grpc.RpcError) as caught:
        get(edge, "watchlists/night", "server")
    assert caught.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED}


def test_a_token_of_any_size_that_is_looked_at_is_answered(edge: Any) -> None:
    """Providers put much into their tokens; gRPC's own limit would refuse some of the calls."""
    with edge.channel() as channel:
        stub = watchlist_pb2_grpc.WatchlistServiceStub(channel)
        token = (("authorization", "Bearer " + "x" * MOST_CHARACTERS),)
        for _ in range(4):
            with pytest.raises(grpc.RpcError) as caught:
                stub.GetWatchlist(watchlist_pb2.GetWatchlistRequest(name="watchlists/night"), metadata=token)
            assert rich(caught.value).reason == "TOKEN_INVALID"


def test_a_role_that_may_not_is_refused_before_the_request_is_judged(edge: Any) -> None:
    """Even a request with wrong fields gets PERMISSION_DENIED from who may not call."""
    error = refused(edge, "nonsense", "feed")
    assert (error.code, error.reason) == (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
    assert error.advice


def test_a_failure_of_the_catalogue_is_a_rich_status(edge: Any) -> None:
    """Code, message, stable reason, domain, metadata and advice reach the client."""
    error = refused(edge, "watchlists/missing")
    assert (error.code, error.reason, error.domain) == (grpc.StatusCode.NOT_FOUND, "WATCHLIST_NOT_FOUND", "frs")
    assert error.metadata == {"watchlist": "missing"}
    assert error.message == "There is no watchlist missing."
    assert "frs watchlist list" in error.advice


def test_wrong_fields_are_named(edge: Any) -> None:
    """Validation comes before the servicer and says which field."""
    error = refused(edge, "nonsense")
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert list(error.violations) == ["name"]


def test_an_unknown_exception_is_a_reference_and_leaks_nothing(edge: Any) -> None:
    """The caller gets INTERNAL with a reference; the log has it with the place, and neither has the message."""
    with structlog.testing.capture_logs() as logs:
        error = refused(edge, "watchlists/broken")
    assert (error.code, error.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    entries = [entry for entry in logs if entry.get("reference") == error.metadata["reference"]]
    assert len(entries) == 1
    assert entries[0]["error"] == "ValueError"
    assert "test_server_edge.py" in entries[0]["where"]
    assert "NOM-4711" not in repr(logs) + repr(error)


def test_an_unknown_method_is_told_as_such(edge: Any) -> None:
    """Also as a rich status."""
    with edge.channel() as channel:
        call = channel.unary_unary("/frs.v1.WatchlistService/DropEverything")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=10)
    assert (caught.value.code(), rich(caught.value).reason) == (grpc.StatusCode.UNIMPLEMENTED, "METHOD_UNKNOWN")


def test_while_starting_and_draining_nothing_is_served(edge: Any) -> None:
    """The phase is told with its reason, after identity and role were checked."""
    for phase, reason in ((Phase.STARTING, "INDEX_UNAVAILABLE"), (Phase.DRAINING, "SHUTTING_DOWN")):
        edge.readiness.phase = phase
        assert refused(edge, "watchlists/night").reason == reason
        assert refused(edge, "watchlists/night", "feed").reason == "PERMISSION_DENIED"


def _send_image(edge: Any, size: int) -> watchlist_pb2.EnrolSubjectResponse:
    image = watchlist_pb2.ImageDraft(data=b"x" * size, source="custody", taken_on="2026-01-31")
    request = watchlist_pb2.AddSubjectImageRequest(parent="watchlists/a/subjects/b", image=image)
    with edge.channel() as channel:
        stub = watchlist_pb2_grpc.WatchlistServiceStub(channel)
        answer: watchlist_pb2.EnrolSubjectResponse = stub.AddSubjectImage(request, timeout=20)
        return answer


@pytest.mark.parametrize(
    ("size", "reason"), [(1024 * 1024 + 1, "PICTURE_TOO_LARGE"), (3 * 1024 * 1024, "MESSAGE_TOO_LARGE")]
)
def test_what_is_too_large_is_told_with_the_limit(edge: Any, size: int, reason: str) -> None:
    """A picture above its limit and a message above its own are different reasons, both with the limit."""
    with pytest.raises(grpc.RpcError) as caught:
        _send_image(edge, size)
    error = rich(caught.value)
    assert error.reason == reason
    assert int(error.metadata["limit_bytes"]) < size


def test_a_picture_of_exactly_the_limit_passes(edge: Any) -> None:
    """The limit itself is allowed."""
    assert _send_image(edge, 1024 * 1024).warnings == ["1048576"]


def test_a_message_beyond_all_measure_is_cut_off_by_grpc(edge: Any) -> None:
    """It is not read; the status says what happened and how large a message may be."""
    with pytest.raises(grpc.RpcError) as caught:
        _send_image(edge, 5 * 1024 * 1024)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in str(caught.value.details())


BROKEN = b"\x0a\xff"
"""A field that says it is longer than the message."""
SOUND = retrospective_pb2.WriteUploadRequest(data=b"x").SerializeToString()
CALLS: dict[str, tuple[str, Callable[[Any, str], Any]]] = {
    "unary": ("WatchlistService/GetWatchlist", lambda channel, to: channel.unary_unary(to)(BROKEN, timeout=10)),
    "server-stream": ("ReviewService/WatchAlerts", lambda channel, to: list(channel.unary_stream(to)(BROKEN))),
    "client-stream": (
        "RetrospectiveService/WriteUpload",
        lambda channel, to: channel.stream_unary(to)(iter([SOUND, BROKEN]), timeout=10),
    ),
    "both-ways": (
        "LiveService/Stream",
        lambda channel, to: list(channel.stream_stream(to)(iter([b"", BROKEN]), timeout=10)),
    ),
}


class Taking(live_pb2_grpc.LiveServiceServicer, retrospective_pb2_grpc.RetrospectiveServiceServicer):
    """Takes whatever is streamed."""

    async def Stream(
        self, request_iterator: AsyncIterator[live_pb2.StreamRequest], context: Any
    ) -> AsyncIterator[live_pb2.StreamResponse]:
        async for _ in request_iterator:
            yield live_pb2.StreamResponse()

    async def WriteUpload(
        self, request_iterator: AsyncIterator[retrospective_pb2.WriteUploadRequest], context: Any
    ) -> retrospective_pb2.Upload:
        return retrospective_pb2.Upload(committed_size=len([_ async for _ in request_iterator]))


@pytest.mark.parametrize("kind", CALLS)
def test_bytes_that_are_no_message_are_told_as_such(run_edge: Callable[..., Any], kind: str) -> None:
    """Whatever the kind of method: INVALID_FIELD, nothing of the implementation, and it is counted."""

    def register(server: grpc.aio.Server, _: Readiness) -> None:
        watchlist_pb2_grpc.add_WatchlistServiceServicer_to_server(Watchlists(), server)  # type: ignore[abstract]
        review_pb2_grpc.add_ReviewServiceServicer_to_server(Review(), server)  # type: ignore[abstract]
        live_pb2_grpc.add_LiveServiceServicer_to_server(Taking(), server)  # type: ignore[abstract]
        retrospective_pb2_grpc.add_RetrospectiveServiceServicer_to_server(Taking(), server)  # type: ignore[abstract]

    edge = run_edge(register)
    name, call = CALLS[kind]
    method = f"/frs.v1.{name}"
    with edge.channel() as channel, pytest.raises(grpc.RpcError) as caught:
        call(channel, method)
    error = rich(caught.value)
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert error.message == "the message cannot be decoded"
    counted = {"method": method, "code": "INVALID_ARGUMENT"}
    assert edge.metrics.registry.get_sample_value("frs_requests_total", counted) == 1


def test_who_may_not_call_learns_nothing_of_the_message(edge: Any) -> None:
    """The role is asked before the bytes are read."""
    with edge.channel("feed") as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/frs.v1.WatchlistService/GetWatchlist")(BROKEN, timeout=10)
    assert rich(caught.value).reason == "PERMISSION_DENIED"


def test_a_stream_ends_with_a_rich_status(edge: Any) -> None:
    """A failure after many answers is told like any other."""
    with edge.channel() as channel:
        stream = review_pb2_grpc.ReviewServiceStub(channel).WatchAlerts(
            review_pb2.WatchAlertsRequest(after_position=990), timeout=10
        )
        seen: list[int] = []
        with pytest.raises(grpc.RpcError) as caught:
            seen.extend(answer.position for answer in stream)
    assert seen == list(range(991, 1001))
    assert rich(caught.value).reason == "SHUTTING_DOWN"


def test_a_client_that_leaves_ends_the_servicer(edge: Any) -> None:
    """Cancelling a stream reaches the servicer's generator at once."""
    with edge.channel() as channel:
        stream = review_pb2_grpc.ReviewServiceStub(channel).WatchAlerts(review_pb2.WatchAlertsRequest())
        assert next(stream).position == 1
        stream.cancel()
        assert edge.review.left.wait(5)


def test_requests_are_counted_by_method_and_code(edge: Any) -> None:
    """The metrics know the method's name from the table only."""
    get(edge, "watchlists/night")
    refused(edge, "watchlists/missing")
    with edge.channel() as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary("/made.up/By-A-Client")(b"", timeout=10)
    value = edge.metrics.registry.get_sample_value
    method = "/frs.v1.WatchlistService/GetWatchlist"
    assert value("frs_requests_total", {"method": method, "code": "OK"}) == 1
    assert value("frs_requests_total", {"method": method, "code": "NOT_FOUND"}) == 1
    assert value("frs_requests_total", {"method": "unknown", "code": "UNIMPLEMENTED"}) == 1
    assert value("frs_request_seconds_count", {"method": method}) == 2


def test_plaintext_makes_the_loopback_actor(run_edge: Callable[..., Any]) -> None:
    """Without TLS the actor is whoever can use this machine, and says so."""

    def register(server: grpc.aio.Server, _: Readiness) -> None:
        watchlist_pb2_grpc.add_WatchlistServiceServicer_to_server(Watchlists(), server)  # type: ignore[abstract]

    running = run_edge(register, tls=False)
    with grpc.insecure_channel(running.address) as channel:
        stub = watchlist_pb2_grpc.WatchlistServiceStub(channel)
        found = stub.GetWatchlist(watchlist_pb2.GetWatchlistRequest(name="watchlists/night"), timeout=10)
    assert found.created_by == "loopback"


def test_a_certificate_that_expires_on_an_open_connection_is_refused(edge: Any, certs: Path, tmp_path: Path) -> None:
    """The period is checked at every request, not only at the handshake."""

    class Late:
        def now(self) -> Any:
            return SystemClock().now() + timedelta(days=366)

    with edge.channel() as channel:
        stub = watchlist_pb2_grpc.WatchlistServiceStub(channel)
        request = watchlist_pb2.GetWatchlistRequest(name="watchlists/night")
        assert stub.GetWatchlist(request, timeout=10).created_by == "all"
        edge.interceptor._clock = Late()
        with pytest.raises(grpc.RpcError) as caught:
            stub.GetWatchlist(request, timeout=10)
    assert rich(caught.value).reason == "UNAUTHENTICATED"


def expiring(edge: Any, certs: Path, tmp_path: Path, seconds: float) -> grpc.Channel:
    """Return a channel with a certificate that expires in a moment."""

    class Yesterday:
        def now(self) -> Any:
            return SystemClock().now() - timedelta(days=1) + timedelta(seconds=seconds)

    for name in ("ca.crt", "ca.key"):
        (tmp_path / name).write_bytes((certs / name).read_bytes())
    issued = Authority.load(tmp_path, Yesterday()).issue("brief", list(Role), days=1)
    files = (certs / "ca.crt", issued.key, issued.certificate)
    return grpc.secure_channel(edge.address, grpc.ssl_channel_credentials(*(each.read_bytes() for each in files)))


def test_a_server_stream_ends_with_its_certificate(edge: Any, certs: Path, tmp_path: Path) -> None:
    """What is sent stops at the end of the period, the reason is told, and the servicer is ended."""
    edge.review.pause = 0.05  # fifty seconds in all
    received: list[int] = []
    with expiring(edge, certs, tmp_path, 2) as channel:
        request = review_pb2.WatchAlertsRequest()
        answers = review_pb2_grpc.ReviewServiceStub(channel).WatchAlerts(request, timeout=20)
        with pytest.raises(grpc.RpcError) as caught:
            received.extend(answer.position for answer in answers)
    assert received[0] == 1
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert rich(caught.value).reason == "UNAUTHENTICATED"
    assert edge.review.left.wait(5)


def test_a_stream_of_requests_ends_with_its_certificate(
    run_edge: Callable[..., Any], certs: Path, tmp_path: Path
) -> None:
    """A camera that goes on sending is ended, too, although nothing is answered meanwhile."""
    left = threading.Event()

    class Live(live_pb2_grpc.LiveServiceServicer):
        async def Stream(
            self, request_iterator: AsyncIterator[live_pb2.StreamRequest], context: Any
        ) -> AsyncIterator[live_pb2.StreamResponse]:
            try:
                async for _ in request_iterator:
                    pass
                yield live_pb2.StreamResponse()
            finally:
                left.set()

    def register(server: grpc.aio.Server, _: Readiness) -> None:
        live_pb2_grpc.add_LiveServiceServicer_to_server(Live(), server)

    def frames() -> Iterator[live_pb2.StreamRequest]:
        opening = live_pb2.StreamOpen(deployment="deployments/d", camera_id="c")
        while not left.wait(0.05):
            yield live_pb2.StreamRequest(open=opening)

    running = run_edge(register)
    with expiring(running, certs, tmp_path, 2) as channel, pytest.raises(grpc.RpcError) as caught:
        list(live_pb2_grpc.LiveServiceStub(channel).Stream(frames(), timeout=20))
    assert rich(caught.value).reason == "UNAUTHENTICATED"
    assert left.is_set()


def test_an_open_stream_ends_when_requests_are_refused(edge: Any) -> None:
    """What a request would be told, a stream that is open already is told at the next look; health goes on."""
    edge.review.pause = 30
    why = FrsError(Reason.WITNESS_UNAVAILABLE, "the newest events are not witnessed")
    with edge.channel() as channel:
        stub = review_pb2_grpc.ReviewServiceStub(channel)
        answers = stub.WatchAlerts(review_pb2.WatchAlertsRequest(), timeout=20)
        next(answers)
        edge.loop.call_soon_threadsafe(edge.readiness.observe, {}, None, None)
        edge.loop.call_soon_threadsafe(edge.readiness.observe, {}, None, why)
        with pytest.raises(grpc.RpcError) as caught:
            next(answers)
    assert rich(caught.value).reason == Reason.WITNESS_UNAVAILABLE
    assert edge.review.left.wait(5), "the servicer was told to let go"
