"""Reading leaves a trace: who asked for what of the log and of the alerts, before it was given out."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from frs.types import new_id
from frs.v1 import oversight_pb2 as pb
from frs.v1 import oversight_pb2_grpc, review_pb2, review_pb2_grpc
from tests.journeys.asking import refusal
from tests.journeys.conftest import Desk
from tests.journeys.service import Service

pytestmark = pytest.mark.journey
RECENT = 20


@pytest.fixture
def oversight(service: Service) -> Any:
    return service.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")


def details(oversight: Any, action: str, **filters: str) -> list[tuple[str, Any]]:
    """Return who did the newest acts of this kind and the details of each, newest first."""
    request = pb.ListEventsRequest(page_size=RECENT, action=action, newest_first=True, **filters)  # type: ignore[arg-type]
    whole = [oversight.GetEvent(pb.GetEventRequest(name=event.name)) for event in oversight.ListEvents(request).events]
    payloads = [json.loads(event.payload_json) for event in whole if event.action == action]
    return [(payload["actor"]["name"], payload["details"]) for payload in payloads]


def test_a_listing_is_logged_with_its_filters(oversight: Any) -> None:
    """Also one that finds nothing, once for each page that was asked for."""
    nobody = f"nobody-{new_id()[:12]}"
    asked = pb.ListEventsRequest(actor=nobody, action="alert", page_size=1)
    for _ in range(2):
        assert list(oversight.ListEvents(asked).events) == []
    expected = ("oversight", {"filter": {"actor": nobody, "action": "alert"}, "events": 0})
    assert details(oversight, "log.read").count(expected) == 2


def test_reading_an_event_is_logged_with_its_index(oversight: Any) -> None:
    """An event that is not there was not read."""
    (first,) = oversight.ListEvents(pb.ListEventsRequest(page_size=1)).events
    before = oversight.GetCheckpoint(pb.GetCheckpointRequest()).tree_size
    read = oversight.GetEvent(pb.GetEventRequest(name=first.name))
    with pytest.raises(grpc.RpcError):
        oversight.GetEvent(pb.GetEventRequest(name=f"events/{10**12}"))
    after = oversight.GetCheckpoint(pb.GetCheckpointRequest()).tree_size
    assert after - before == 2  # the read, and the second checkpoint that was asked for
    asked = oversight.GetEvent(pb.GetEventRequest(name=f"events/{before}"))
    assert asked.action == "log.event-read"
    payload = json.loads(asked.payload_json)
    assert (payload["actor"]["name"], payload["details"]) == (
        "oversight",
        {"event": read.index, "payload_opened": True},
    )


def test_an_export_is_logged_with_its_range_before_the_first_leaf(oversight: Any, service: Service) -> None:
    """Whoever takes one leaf and leaves has asked for all of them: they are the recipient of a copy outside."""
    end = oversight.GetCheckpoint(pb.GetCheckpointRequest()).tree_size
    answers = oversight.StreamLeaves(pb.StreamLeavesRequest(first_index=1, end_index=end))
    assert next(iter(answers)).first_index == 1
    told = details(oversight, "log.exported")
    answers.cancel()
    assert told[0] == ("oversight", {"recipient": "oversight", "first": 1, "end": end, "payloads": False})
    with closing(sqlite3.connect(f"file:{service.data}/frs.sqlite?mode=ro", uri=True)) as connection:
        copies = connection.execute("SELECT kind, made_by, place FROM outside_copy").fetchall()
    assert ("log-export", "oversight", "oversight") in copies


def test_a_feed_of_alerts_is_logged_when_it_opens_and_when_it_closes(
    service: Service, oversight: Any, desk: Desk, sample_people: tuple[bytes, ...]
) -> None:
    """With the position it started from and whether it showed pictures; the end is logged when the caller leaves."""
    deployment = desk.deployment(desk.active_list(sample_people[:1]).name).name
    superintendent = service.stub(review_pb2_grpc.ReviewServiceStub, "superintendent")
    request = review_pb2.WatchAlertsRequest(deployment=deployment, with_images=True)
    feed = superintendent.WatchAlerts(request)
    opened = waited(oversight, "alert.feed-opened", deployment)
    assert opened == [("superintendent", {"after_position": 0, "with_images": True})]
    assert details(oversight, "alert.feed-closed", deployment=deployment) == []
    feed.cancel()
    assert waited(oversight, "alert.feed-closed", deployment) == [("superintendent", {"position": 0})]


def test_ranges_that_hold_nothing_and_other_spellings_are_refused(oversight: Any) -> None:
    """What ends before it begins is a mistake and no empty answer; an event has one name."""
    ahead = Timestamp(seconds=2_000_000_000)
    backwards = pb.ListEventsRequest(since=Timestamp(seconds=ahead.seconds + 1), until=ahead)
    error = refusal(oversight.ListEvents, backwards)
    assert (error.reason, error.metadata["field"]) == ("INVALID_FIELD", "since")
    assert list(oversight.ListEvents(pb.ListEventsRequest(since=ahead, until=ahead)).events) == []
    leaves = pb.StreamLeavesRequest(first_index=10, end_index=5)
    error = refusal(lambda request, timeout: list(oversight.StreamLeaves(request, timeout=timeout)), leaves)
    assert (error.reason, error.metadata["field"]) == ("INVALID_FIELD", "first_index")
    assert oversight.GetEvent(pb.GetEventRequest(name="events/0")).index == 0
    for name in ("events/00", "events/007"):
        assert refusal(oversight.GetEvent, pb.GetEventRequest(name=name)).reason == "EVENT_NOT_FOUND"


def test_alerts_of_what_is_not_there_are_refused(service: Service) -> None:
    """Who asks for an unknown deployment, or with a position of another installation, is told and does not wait."""
    superintendent = service.stub(review_pb2_grpc.ReviewServiceStub, "superintendent")
    nowhere = f"deployments/{new_id()}"

    def watch(request: Any, timeout: float) -> Any:
        return list(superintendent.WatchAlerts(request, timeout=timeout))

    assert refusal(watch, review_pb2.WatchAlertsRequest(deployment=nowhere)).reason == "DEPLOYMENT_NOT_FOUND"
    listing = review_pb2.ListAlertsRequest(deployment=nowhere)
    assert refusal(superintendent.ListAlerts, listing).reason == "DEPLOYMENT_NOT_FOUND"
    error = refusal(watch, review_pb2.WatchAlertsRequest(after_position=10**9))
    assert (error.reason, error.metadata["field"]) == ("INVALID_FIELD", "after_position")


def waited(oversight: Any, action: str, deployment: str) -> list[tuple[str, Any]]:
    """Return the acts of this kind on the deployment as soon as there is one."""
    until = time.monotonic() + 10
    while not (told := details(oversight, action, deployment=deployment)):
        assert time.monotonic() < until, f"no {action} was logged"
        time.sleep(0.05)
    return told
