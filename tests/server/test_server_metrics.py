"""/metrics and /health over real HTTP."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator

import pytest

from frs.errors import FrsError, Reason
from frs.match.tally import StreamCounts
from frs.review.waiting import Waiting, WaitingWork
from frs.server.addresses import split_address
from frs.server.health import report
from frs.server.metrics import Figures, Metrics
from frs.server.metrics_http import MetricsServer
from frs.server.readiness import Part, Phase, Readiness

WAITING = WaitingWork({"red": Waiting(2, 1, 1, 41.5), "amber": Waiting()}, outcomes_overdue=3)
FIGURES = Figures("CPUExecutionProvider", "starter@1", 5, 40, 2, 1, 1000, 512_000, 3, 77, 0.25, waiting=WAITING)


@pytest.fixture
def readiness() -> Readiness:
    readiness = Readiness()
    readiness.phase = Phase.SERVING
    readiness.observe({})
    return readiness


@pytest.fixture
def server(readiness: Readiness) -> Iterator[MetricsServer]:
    metrics = Metrics()
    metrics.read_from(lambda: FIGURES)
    metrics.count_live(StreamCounts(0, 0, 0, 0, 0, 0), StreamCounts(10, 8, 2, 0, 3, 1))
    metrics.count_live(StreamCounts(10, 8, 2, 0, 3, 1), StreamCounts(11, 9, 2, 0, 3, 1))
    running = MetricsServer("127.0.0.1:0", metrics.text, lambda: report(readiness, "CPUExecutionProvider", "starter@1"))
    yield running
    running.close()


def ask(server: MetricsServer, path: str, method: str = "GET") -> tuple[int, str]:
    host, port = split_address(server.address, "test")
    connection = http.client.HTTPConnection(host, port, timeout=5)
    connection.request(method, path)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_metrics_hold_the_rooms_figures_and_the_counts(server: MetricsServer) -> None:
    """Provider, batches, index, log and live counts are there, read at the scrape."""
    status, text = ask(server, "/metrics")
    assert status == 200
    for line in (
        'frs_provider_info{model="starter@1",provider="CPUExecutionProvider"} 1.0',
        "frs_recogniser_batches_total 5.0",
        "frs_recogniser_queue_faces 2.0",
        "frs_index_templates 1000.0",
        "frs_log_events 77.0",
        "frs_index_rebuild_seconds 0.25",
        'frs_cases_pending{grading="red"} 2.0',
        'frs_cases_pending{grading="amber"} 0.0',
        'frs_cases_claimed{grading="red"} 1.0',
        'frs_cases_escalated{grading="red"} 1.0',
        'frs_cases_oldest_seconds{grading="red"} 41.5',
        "frs_operator_outcomes_overdue 3.0",
        "frs_live_frames_received_total 11.0",
        "frs_live_frames_dropped_total 2.0",
        "frs_live_faces_seen_total 3.0",
        "frs_live_alerts_total 1.0",
    ):
        assert line in text.splitlines()


def test_health_tells_each_service_and_what_is_wrong(server: MetricsServer, readiness: Readiness) -> None:
    """A part that is not ready takes down the services that need it, and only those."""
    status, text = ask(server, "/health")
    body = json.loads(text)
    assert (status, body["status"], body["provider"]) == (200, "serving", "CPUExecutionProvider")
    readiness.observe({Part.INDEX: "watchlists/a is stale"})
    status, text = ask(server, "/health")
    body = json.loads(text)
    assert (status, body["faults"]) == (503, {"index": "watchlists/a is stale"})
    assert body["services"]["frs.v1.LiveService"] is False
    assert body["services"]["frs.v1.ReviewService"] is True


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.DRAINING])
def test_health_is_not_serving_while_starting_and_draining(
    server: MetricsServer, readiness: Readiness, phase: Phase
) -> None:
    """Nothing serves then."""
    readiness.phase = phase
    status, text = ask(server, "/health")
    assert status == 503
    assert not any(json.loads(text)["services"].values())


def test_nothing_else_is_there(server: MetricsServer) -> None:
    """Other paths and methods are refused."""
    assert ask(server, "/")[0] == 404
    assert ask(server, "/metrics/../../etc/passwd")[0] == 404
    assert ask(server, "/metrics", "POST")[0] == 501


@pytest.mark.parametrize("address", ["", "localhost", "localhost:", "localhost:x", ":7", "h:70000"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    """It names the setting."""
    with pytest.raises(FrsError, match=r"server\.metrics_address") as caught:
        split_address(address, "server.metrics_address")
    assert caught.value.reason is Reason.SETTINGS_INVALID


def test_a_port_that_is_taken_is_told(server: MetricsServer) -> None:
    """In one sentence, as a setting that is wrong."""
    with pytest.raises(FrsError, match="cannot listen"):
        MetricsServer(server.address, lambda: b"", lambda: (True, {}))
