"""Who may do what, over real TLS: certificates, roles, health and metrics."""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from frs.access.authority import Authority
from frs.clock import SystemClock
from frs.server.health import NEEDS
from frs.types import Role
from frs.v1 import retrospective_pb2_grpc, review_pb2, review_pb2_grpc, watchlist_pb2, watchlist_pb2_grpc
from tests.journeys.asking import still
from tests.journeys.service import Service

pytestmark = pytest.mark.journey
SERVING = health_pb2.HealthCheckResponse.SERVING


def lists(channel: grpc.Channel) -> watchlist_pb2.ListWatchlistsResponse:
    """Call something that most people may."""
    stub = watchlist_pb2_grpc.WatchlistServiceStub(channel)
    answer: watchlist_pb2.ListWatchlistsResponse = stub.ListWatchlists(
        watchlist_pb2.ListWatchlistsRequest(page_size=1), timeout=10
    )
    return answer


def test_without_a_certificate_nobody_gets_in(service: Service) -> None:
    """The handshake fails."""
    with service.open_channel(None, None) as channel, pytest.raises(grpc.RpcError) as caught:
        lists(channel)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_certificate_of_another_authority_does_not_get_in(service: Service, tmp_path: Path) -> None:
    """Even with every role in it."""
    issued = Authority.create(tmp_path, SystemClock()).issue("administrator", list(Role))
    with (
        service.open_channel(issued.key.read_bytes(), issued.certificate.read_bytes()) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        lists(channel)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_an_expired_certificate_does_not_get_in(service: Service, tmp_path: Path) -> None:
    """Issued by the right authority, with the right role, and over."""

    class LongAgo:
        def now(self) -> object:
            return SystemClock().now().replace(year=SystemClock().now().year - 2)

    for file in ("ca.crt", "ca.key"):
        (tmp_path / file).write_bytes((service.data / "certs" / file).read_bytes())
    issued = Authority.load(tmp_path, LongAgo()).issue("late", [Role.WATCHLIST_MANAGER])  # type: ignore[arg-type]
    with (
        service.open_channel(issued.key.read_bytes(), issued.certificate.read_bytes()) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        lists(channel)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_plaintext_is_not_answered(service: Service) -> None:
    """A TLS port answers nobody who does not speak TLS."""
    with grpc.insecure_channel(service.address) as channel, pytest.raises(grpc.RpcError):
        lists(channel)


def test_an_identity_issued_later_gets_in_at_once(service: Service) -> None:
    """The authority is what counts, not a list that the server keeps."""
    authority = Authority.load(service.data / "certs", SystemClock())
    authority.issue("newcomer", [Role.OVERSIGHT])
    assert lists(service.channel("newcomer")) is not None


def test_health_is_told_for_each_service_with_the_provider(service: Service) -> None:
    """Any identity may ask; an unknown service is not found; a watch tells at once."""
    stub = service.stub(health_pb2_grpc.HealthStub, "camera")
    for name in NEEDS:
        answer, answered = stub.Check.with_call(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING, name
        assert dict(answered.initial_metadata())["frs-provider"] == "CPUExecutionProvider"
    with pytest.raises(grpc.RpcError) as caught:
        stub.Check(health_pb2.HealthCheckRequest(service="frs.v1.NoService"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    watch = stub.Watch(health_pb2.HealthCheckRequest(service="frs.v1.LiveService"))
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()


def test_health_never_starves(service: Service, wanted: watchlist_pb2.Watchlist, group_picture: bytes) -> None:
    """However many requests wait and streams are open, health answers in the time of a single request."""
    stub = service.stub(retrospective_pb2_grpc.RetrospectiveServiceStub, "investigator")
    alerts = [
        service.stub(review_pb2_grpc.ReviewServiceStub, "superintendent").WatchAlerts(review_pb2.WatchAlertsRequest())
        for _ in range(40)
    ]
    searches = [stub.SearchStill.future(still(group_picture, wanted.name), timeout=60) for _ in range(40)]
    health = service.stub(health_pb2_grpc.HealthStub, "camera")
    slowest = 0.0
    while not all(search.done() for search in searches):
        began = time.monotonic()
        assert health.Check(health_pb2.HealthCheckRequest(), timeout=10).status == SERVING
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.05)
    assert all(len(search.result().faces) == 6 for search in searches)
    assert slowest < 2
    for watch in alerts:
        watch.cancel()


def test_metrics_and_health_are_served_over_http(service: Service) -> None:
    """With the provider, the index and the log; names of people and lists are not in them."""
    host, _, port = service.metrics_address.rpartition(":")
    assert host == "127.0.0.1"
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    assert 'frs_provider_info{model="starter@' in text
    assert "frs_log_events " in text
    assert "NOM-" not in text
    assert "list-" not in text
    connection.close()
    connection.request("GET", "/health")
    answer = connection.getresponse()
    body = json.loads(answer.read())
    assert (answer.status, body["status"]) == (200, "serving")
    assert set(body["services"]) == {name for name in NEEDS if name}
    connection.close()


def test_reflection_is_off_unless_asked_for(service: Service) -> None:
    """The service offers it only with --reflection."""
    stub = reflection_pb2_grpc.ServerReflectionStub(service.channel("administrator"))
    with pytest.raises(grpc.RpcError) as caught:
        list(stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")])))
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_nothing_of_a_request_reaches_the_services_log(service: Service) -> None:
    """After refusals of every kind the log holds no name of a person, no reason and no picture."""
    text = service.errors()
    for planted in ("NOM-", "gave no name", "CR/26/0042", "Warrant"):
        assert planted not in text
