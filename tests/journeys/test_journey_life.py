"""The service's own life: starting, refusing to start, draining, starting again."""

from __future__ import annotations

import json
import signal
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from frs.v1 import (
    deployment_pb2,
    deployment_pb2_grpc,
    operator_pb2_grpc,
    oversight_pb2,
    oversight_pb2_grpc,
    review_pb2,
    review_pb2_grpc,
)
from tests.journeys.asking import photograph
from tests.journeys.conftest import Desk
from tests.journeys.pictures import frames
from tests.journeys.service import Service, frs, prepare
from tests.journeys.streaming import Camera, frame
from tests.server.rpc_errors import rich

pytestmark = pytest.mark.journey


def test_sigterm_during_a_stream_loses_nothing(tmp_path: Path, models: Path, sample_people: tuple[bytes, ...]) -> None:
    """Frames that were taken are processed, alerts and counts written, the log signed; then it starts again and knows.

    A stream is told to come back later; what waits (alerts, health) ends at once; new calls are refused; the index is
    rebuilt at the next start and finds the same person.
    """
    data = prepare(tmp_path / "data", models)
    with Service(data, models, "--reflection") as service:
        desk = Desk(service)
        made = desk.active_list(sample_people[:1])
        deployment = desk.deployment(made.name)
        reflection = reflection_pb2_grpc.ServerReflectionStub(service.channel("camera"))
        listed = next(
            iter(reflection.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")])))
        )
        assert "frs.v1.LiveService" in [item.name for item in listed.list_services_response.service]
        waiting = _in_background(
            service.stub(review_pb2_grpc.ReviewServiceStub, "superintendent").WatchAlerts(
                review_pb2.WatchAlertsRequest()
            )
        )
        health = _in_background(
            service.stub(health_pb2_grpc.HealthStub, "camera").Watch(health_pb2.HealthCheckRequest(service=""))
        )
        camera = Camera(service, deployment.name, "cam-1")
        for number, drawn in enumerate(frames(sample_people[:1], 10), 1):
            camera.send(frame(number, drawn))
        camera.until_acknowledged(3)
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        heard = camera.ended()
        assert service.wait() == 0
        assert time.monotonic() - began < 15, "nothing waited for the end of the grace period"
        assert heard.error is not None
        assert rich(heard.error).reason == "SHUTTING_DOWN"
        last = heard.last
        assert last.done
        assert last.frames_received == last.frames_processed == last.acknowledged_sequence
        assert [item.status for item in health.answers] == [
            health_pb2.HealthCheckResponse.SERVING,
            health_pb2.HealthCheckResponse.NOT_SERVING,
        ]
        assert rich(waiting.error()).reason == "SHUTTING_DOWN"
        assert not (data / "server.json").exists()

    with Service(data, models) as service:
        stub = service.stub(deployment_pb2_grpc.DeploymentServiceStub, "superintendent")
        (counts,) = stub.GetDeployment(deployment_pb2.GetDeploymentRequest(name=deployment.name)).cameras
        assert counts.frames_processed == last.frames_processed
        assert (counts.faces_seen, counts.alerts) == (1, len(heard.alerts))
        log = service.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")
        actions = [event.action for event in log.ListEvents(oversight_pb2.ListEventsRequest(page_size=1000)).events]
        assert actions.count("service.started") == 2
        assert actions.count("service.stopped") == 1
        (closed,) = log.ListEvents(oversight_pb2.ListEventsRequest(action="live.stream-closed")).events
        assert "server stopping" in log.GetEvent(oversight_pb2.GetEventRequest(name=closed.name)).payload_json
        rebuilt = [json.loads(line) for line in service.errors().splitlines() if "index rebuilt" in line]
        assert (rebuilt[0]["templates"], rebuilt[0]["watchlists"]) == (1, 1)
        assert rebuilt[0]["seconds"] >= 0
        found = service.stub(operator_pb2_grpc.OperatorServiceStub, "officer").Identify(
            photograph(sample_people[0], made.name)
        )
        assert found.candidates[0].nominal == "NOM-0"


class _Background:
    """What a stream says, gathered on a thread."""

    def __init__(self, stream: Any) -> None:
        self.answers: list[Any] = []
        self._error: grpc.RpcError | None = None
        self._stream = stream
        self._first = threading.Event()
        self._thread = threading.Thread(target=self._gather, daemon=True)
        self._thread.start()

    def _gather(self) -> None:
        try:
            for answer in self._stream:
                self.answers.append(answer)
        except grpc.RpcError as error:
            self._error = error

    def error(self) -> grpc.RpcError:
        self._thread.join(10)
        assert self._error is not None
        return self._error


def _in_background(stream: Any) -> _Background:
    return _Background(stream)


def test_a_second_server_on_the_same_data_is_refused(service: Service, models: Path) -> None:
    """With one sentence that names the process, advice, a failing status, and no traceback."""
    ended = frs(models, "serve", "--data", str(service.data), "--address", "localhost:0")
    assert ended.returncode == 1
    assert "DATA_DIRECTORY_IN_USE" in ended.stderr
    assert str(service.process.pid) in ended.stderr
    assert "Stop the other server" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_directory_that_is_none_is_refused(tmp_path: Path, models: Path) -> None:
    """`frs serve` says what to do first."""
    ended = frs(models, "serve", "--data", str(tmp_path / "nothing"))
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[0].startswith("frs: ")
    assert "Run `frs init`" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.fixture(scope="module")
def initialised(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Path:
    """Return a data directory that no server runs in."""
    return prepare(tmp_path_factory.mktemp("idle") / "data", models)


def test_plaintext_on_loopback_and_an_altered_log(initialised: Path, models: Path) -> None:
    """Plaintext only when asked; the actor is `loopback`, and the log says so. Altered afterwards, doctor finds it."""
    with Service(initialised, models, "--insecure") as service, grpc.insecure_channel(service.address) as channel:
        stub = oversight_pb2_grpc.OversightServiceStub(channel)
        stub.GetCheckpoint(oversight_pb2.GetCheckpointRequest())
        events = stub.ListEvents(oversight_pb2.ListEventsRequest(actor="loopback")).events
        assert [event.action for event in events] == ["access.signed-in", "log.proof-read"]
    _alter(initialised / "frs.sqlite")
    ended = frs(models, "doctor", "--data", str(initialised))
    assert ended.returncode == 1
    assert "WRONG log" in ended.stdout


def test_doctor_respects_a_running_server(service: Service, models: Path) -> None:
    """It finds everything well, verifies the log, and says who serves."""
    ended = frs(models, "doctor", "--json", "--data", str(service.data))
    report = json.loads(ended.stdout)
    assert (ended.returncode, report["well"]) == (0, True), ended.stderr
    by_name: dict[str, Any] = {item["about"]: item for item in reversed(report["findings"])}
    assert by_name["data"]["server"]["pid"] == service.process.pid
    assert by_name["log"]["events"] > 0
    assert by_name["model"]["provider"] == "CPUExecutionProvider"
    assert any("weak" in item["text"] for item in report["findings"])


def _alter(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        changed = connection.execute(
            "UPDATE audit_event SET leaf = replace(leaf, 'alteration', 'review') WHERE seq = 0"
        )
        assert changed.rowcount == 1
    connection.close()
