"""kill -9 while people are enrolled and alerts are raised: what was answered is there, and nothing is half there."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import grpc
import pytest

from frs.audit.inspection import verify_database
from frs.settings import Settings
from frs.store.database import inspect_database
from frs.v1 import (
    operator_pb2_grpc,
    oversight_pb2,
    oversight_pb2_grpc,
    review_pb2,
    review_pb2_grpc,
    watchlist_pb2,
    watchlist_pb2_grpc,
)
from tests.journeys.asking import photograph
from tests.journeys.conftest import Desk
from tests.journeys.pictures import frames
from tests.journeys.service import Service, prepare
from tests.journeys.streaming import Camera, frame

pytestmark = pytest.mark.journey


def test_kill_minus_nine_during_enrolments_and_alerts(
    tmp_path: Path, models: Path, sample_people: tuple[bytes, ...]
) -> None:
    """After the restart the log verifies, index and database agree, and each alert has exactly one event."""
    data = prepare(tmp_path / "data", models)
    answered: list[str] = []
    with Service(data, models) as service:
        desk = Desk(service)
        made = desk.active_list(sample_people[:1])
        deployment = desk.deployment(made.name, cooldown_seconds=0.0)
        other = desk.draft()

        def enrol_for_ever() -> None:
            try:
                for number in range(10_000):
                    answered.append(desk.enrol(other.name, f"NOM-{number}", sample_people[1 + number % 5]).nominal)
            except grpc.RpcError:
                return

        enrolling = threading.Thread(target=enrol_for_ever)
        enrolling.start()
        drawn = list(frames(sample_people[:1], 4))
        cameras = [Camera(service, deployment.name, f"cam-{number}") for number in range(3)]
        for number in range(1, 400):
            for camera in cameras:
                camera.send(frame(number, drawn[number % 4]))
        until = time.monotonic() + 30
        while len(answered) < 5 or not any(camera.heard.alerts for camera in cameras):
            assert time.monotonic() < until
            time.sleep(0.01)
        told = {alert for camera in cameras for alert in camera.heard.alerts}
        assert service.stop(signal.SIGKILL) == -signal.SIGKILL
        enrolling.join()
        for camera in cameras:
            camera.ended()

    with Service(data, models) as service:
        lists = service.stub(watchlist_pb2_grpc.WatchlistServiceStub, "manager")
        page = lists.ListSubjects(watchlist_pb2.ListSubjectsRequest(parent=other.name, page_size=1000))
        stored = {subject.nominal for subject in page.subjects}
        assert set(answered) <= stored, "what was answered is durable"
        assert len(stored) <= len(answered) + 1, "one more may have been committed and not answered"
        assert all(len(subject.images) == 1 for subject in page.subjects), "nobody is half enrolled"
        alerts = service.stub(review_pb2_grpc.ReviewServiceStub, "superintendent").ListAlerts(
            review_pb2.ListAlertsRequest(page_size=1000)
        )
        names = {alert.name for alert in alerts.alerts}
        assert told <= names
        log = service.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")
        raised = log.ListEvents(oversight_pb2.ListEventsRequest(action="alert.raised", page_size=1000)).events
        assert len(raised) == len(names)
        enrolled = log.ListEvents(oversight_pb2.ListEventsRequest(action="subject.enrolled", page_size=1000)).events
        assert len(enrolled) == len(stored) + 1
        found = service.stub(operator_pb2_grpc.OperatorServiceStub, "officer").Identify(
            photograph(sample_people[0], made.name)
        )
        assert found.candidates[0].nominal == "NOM-0"
        for name in names:
            alert = service.stub(review_pb2_grpc.ReviewServiceStub, "superintendent").GetAlert(
                review_pb2.GetAlertRequest(name=name)
            )
            assert alert.probe_image_jpeg[:2] == b"\xff\xd8"
    settings = Settings(data_dir=data)
    with inspect_database(settings) as connection:
        report = verify_database(connection, (data / "log.vkey").read_text())
    assert report.problems == ()
    assert report.events > len(stored)
