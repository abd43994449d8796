"""Retention over a real service with periods of seconds: what is due goes by itself, what is held stays, all logged."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import grpc
import pytest

from frs.embed.pack import Pack
from frs.v1 import (
    operator_pb2,
    operator_pb2_grpc,
    oversight_pb2,
    oversight_pb2_grpc,
    retention_pb2,
    retention_pb2_grpc,
    review_pb2,
    review_pb2_grpc,
)
from tests.journeys.asking import photograph, refusal
from tests.journeys.conftest import Desk, ahead
from tests.journeys.pictures import frames
from tests.journeys.service import Service, prepare
from tests.journeys.streaming import frame, opening, play
from tests.journeys.terminal import Terminal

pytestmark = pytest.mark.journey

SECONDS = 4.0
SETTINGS = f"""
[retention]
alert_picture_hours = {SECONDS / 3600}
alert_hours = {SECONDS / 3600}
search_hours = {SECONDS / 3600}
run_seconds = 0.2
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, starter_pack: Pack) -> Iterator[Service]:
    """Run a service whose periods are a few seconds."""
    models = starter_pack.folder.parent
    data = prepare(tmp_path_factory.mktemp("retention") / "data", models)
    (data / "frs.toml").write_text(SETTINGS)
    with Service(data, models) as running:
        yield running


@pytest.fixture
def terminal(service: Service) -> Terminal:
    return Terminal(service)


def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come true in time"
        time.sleep(0.05)


def alerts(service: Service) -> dict[str, review_pb2.Alert]:
    stub = service.stub(review_pb2_grpc.ReviewServiceStub, "superintendent")
    return {alert.name: alert for alert in stub.ListAlerts(review_pb2.ListAlertsRequest()).alerts}


def test_what_is_due_goes_and_what_is_held_stays(
    service: Service, terminal: Terminal, sample_people: tuple[bytes, ...]
) -> None:
    """An alert and a search of listed people: one is held, the other goes by itself; released, it goes as well."""
    desk = Desk(service)
    wanted = desk.active_list(sample_people[:2])
    deployment = desk.deployment(wanted.name)
    sent = [frame(n, data) for n, data in enumerate(frames(sample_people[:2], 12), 1)]
    raised = play(service, [opening(deployment.name), *sent]).alerts
    assert len(raised) == 2
    placed = terminal.ask(
        *("retention", "hold", raised[0], "--reason", "a complaint about the engagement", "--owner", "Insp. Orla"),
        *("--until", "30d"),
        identity="superintendent",
    )
    assert placed["in_force"]
    assert placed["target"] == raised[0]
    officer = service.stub(operator_pb2_grpc.OperatorServiceStub, "officer")
    answer = officer.Identify(photograph(sample_people[0], wanted.name))
    assert [found.nominal for found in answer.candidates] == ["NOM-0"]

    pending, unreviewed = review_pb2.ALERT_STATE_PENDING, review_pb2.ALERT_STATE_UNREVIEWED
    eventually(lambda: alerts(service)[raised[1]].state == unreviewed)
    now = alerts(service)
    assert now[raised[1]].candidate.nominal.startswith("s:")
    assert (now[raised[0]].state, now[raised[0]].candidate.nominal[:4]) == (pending, "NOM-")
    review = service.stub(review_pb2_grpc.ReviewServiceStub, "superintendent")
    assert review.GetAlert(review_pb2.GetAlertRequest(name=raised[0])).probe_image_jpeg.startswith(b"\xff\xd8")
    gone = refusal(review.GetAlert, review_pb2.GetAlertRequest(name=raised[1]))
    assert gone.reason in {"KEY_MISSING", "ERASED"}

    def searched() -> operator_pb2.OperatorSearch:
        (found,) = officer.ListSearches(operator_pb2.ListSearchesRequest()).searches
        return found

    eventually(lambda: searched().candidates[0].nominal.startswith("s:"))
    assert searched().reason == ""

    plan = terminal.ask("retention", "plan", identity="oversight")
    assert [(item["kind"], item["name"], item["hold"]) for item in plan["items"]] == [
        ("alert-pictures", raised[0], placed["name"]),
        ("alert", raised[0], placed["name"]),
    ]
    held = terminal.run("retention", "plan", "--until", "2999-01-01", identity="oversight")
    assert held.status == 0, held.err
    assert wanted.name in held.out
    listed = terminal.run("retention", "holds", identity="oversight")
    assert "Insp. Orla" in listed.out
    released = terminal.run("retention", "release", placed["name"], "--reason", "settled", identity="protection")
    assert released.status == 0, released.err
    eventually(lambda: alerts(service)[raised[0]].state == unreviewed)
    assert terminal.run("retention", "run", identity="protection").out.strip() == "Nothing was due."

    log = service.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")
    runs = list(log.ListEvents(oversight_pb2.ListEventsRequest(action="retention.run", page_size=100)).events)
    opened = [log.GetEvent(oversight_pb2.GetEventRequest(name=event.name)) for event in runs]
    counts = [json.loads(event.payload_json)["details"]["counts"] for event in opened]
    assert sum(count.get("alert", 0) for count in counts) == 2
    assert sum(count.get("search", 0) for count in counts) == 1
    of_person = log.ListEvents(oversight_pb2.ListEventsRequest(subject="NOM-0", page_size=100)).events
    assert {"subject.enrolled", "operator.search", "alert.raised"} <= {event.action for event in of_person}
    assert terminal.run("audit", "verify", identity="oversight").status == 0


def test_the_policy_is_shown_with_its_version(terminal: Terminal) -> None:
    """With what is never kept, and the periods of this installation."""
    found = terminal.ask("retention", "policy", identity="superintendent")
    periods = {period["kind"]: period["hours"] for period in found["periods"]}
    assert found["version"] == 1
    assert periods["non-match"] == 0
    assert periods["alert"] == pytest.approx(SECONDS / 3600)
    shown = terminal.run("retention", "policy", identity="oversight").out
    assert "never kept" in shown
    assert "3.01 years" in shown or "3 years" in shown


def test_mistakes_are_told(service: Service, terminal: Terminal) -> None:
    """An unknown thing, a hold that is over at once, a span that is none, and somebody who may not."""
    given = ("--reason", "a complaint", "--owner", "Insp. Orla")
    unknown = terminal.run("retention", "hold", "alerts/unknown", *given, "--until", "1d", identity="protection")
    assert (unknown.status, "ALERT_NOT_FOUND" in unknown.err) == (1, True)
    past = terminal.run("retention", "hold", "nominals/NOM-0", *given, "--until", "2020-01-01", identity="protection")
    assert (past.status, "end_time" in past.err) == (2, True)
    assert terminal.run("retention", "plan", "--until", "soon", identity="protection").status == 2
    refused = terminal.run("retention", "run", identity="oversight")
    assert (refused.status, "PERMISSION_DENIED" in refused.err) == (4, True)
    stub = service.stub(retention_pb2_grpc.RetentionServiceStub, "protection")
    for request in (
        retention_pb2.PlaceHoldRequest(target="alerts/x", reason="a complaint", owner="Orla"),
        retention_pb2.PlaceHoldRequest(target="alerts/x", owner="Orla", end_time=ahead(days=1)),
        retention_pb2.PlaceHoldRequest(target="x" * 400, reason="a complaint", owner="Orla", end_time=ahead(days=1)),
    ):
        assert refusal(stub.PlaceHold, request).reason == "INVALID_FIELD"
    with pytest.raises(grpc.RpcError) as caught:
        stub.PlanRetention(retention_pb2.PlanRetentionRequest(page_size=1001))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_reading_the_plan_and_the_holds_is_logged(service: Service) -> None:
    """Who asked, and how much was shown; a page goes on where the last ended."""
    stub = service.stub(retention_pb2_grpc.RetentionServiceStub, "protection")
    stub.PlanRetention(retention_pb2.PlanRetentionRequest(page_size=1))
    stub.ListHolds(retention_pb2.ListHoldsRequest(all=True))
    log = service.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")
    request = oversight_pb2.ListEventsRequest(action="retention.read", page_size=2, newest_first=True)
    opened = [log.GetEvent(oversight_pb2.GetEventRequest(name=event.name)) for event in log.ListEvents(request).events]
    asked = [json.loads(event.payload_json) for event in opened]
    assert [event["details"]["asked"] for event in asked] == ["holds", "plan"]
    assert {event["actor"]["name"] for event in asked} == {"protection"}


def test_a_long_plan_is_paged_on_the_command_line(service: Service, terminal: Terminal) -> None:
    """More than a page, all of it once; the counts are of the whole."""
    log = service.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")
    for _ in range(60):
        log.ListEvents(oversight_pb2.ListEventsRequest(page_size=1))
    year = datetime.now(UTC).year + 10
    plan = terminal.ask("retention", "plan", "--until", f"{year}-01-01", "--limit", "60", identity="protection")
    assert len(plan["items"]) == 60
    assert sum(count["due"] for count in plan["counts"]) > 60
    whole = terminal.ask("retention", "plan", "--until", f"{year}-01-01", "--limit", "0", identity="protection")
    assert len(whole["items"]) == sum(count["due"] for count in whole["counts"])
    assert len({(item["kind"], item["name"]) for item in whole["items"]}) == len(whole["items"])
