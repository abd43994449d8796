"""From an alert to the public register: figures that oversight reads, and files that name nobody."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from frs.v1 import (
    officer_pb2,
    officer_pb2_grpc,
    oversight_pb2,
    oversight_pb2_grpc,
    review_pb2,
    watchlist_pb2,
)
from tests.journeys.asking import refusal
from tests.journeys.conftest import Desk
from tests.journeys.deciding import acknowledged, adjudicate
from tests.journeys.pictures import frames
from tests.journeys.service import Service, frs
from tests.journeys.streaming import frame, opening, play

pytestmark = pytest.mark.journey


def hour(offset: int) -> Timestamp:
    """Return the beginning of an hour from now."""
    stamp = Timestamp()
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    stamp.FromDatetime(now + timedelta(hours=offset))
    return stamp


def period(deployment: str = "") -> oversight_pb2.StatisticsRequest:
    return oversight_pb2.StatisticsRequest(since=hour(-1), until=hour(2), deployment=deployment)


def test_figures_from_alerts_to_the_register(
    service: Service,
    desk: Desk,
    wanted: watchlist_pb2.Watchlist,
    sample_people: tuple[bytes, ...],
    models: Path,
    tmp_path: Path,
) -> None:
    """Two alerts are decided, one person says how they describe themself; oversight counts, and the public may read."""
    deployment = desk.deployment(wanted.name, place="Queen Street <b>& Arcade</b>", purpose="=SUM(1) wanted people")
    drawn = frames([sample_people[0], sample_people[1], sample_people[4]], 12)
    heard = play(service, [opening(deployment.name), *(frame(n, data) for n, data in enumerate(drawn, 1))])
    assert len(heard.alerts) == 2
    one, other = heard.alerts
    adjudicate(service, one, review_pb2.DECISION_TRUE)
    adjudicate(service, other, review_pb2.DECISION_FALSE)
    officer = service.stub(officer_pb2_grpc.OfficerServiceStub, "officer")
    request = officer_pb2.RecordEngagementRequest(
        name=acknowledged(service, one),
        engagement=officer_pb2.ENGAGEMENT_CONFIRMED_TRUE,
        self_defined_group="martian",
    )
    refused = refusal(officer.RecordEngagement, request)
    assert refused.reason == "INVALID_FIELD"
    assert "asian, black, mixed, white, other, not-stated" in refused.message
    request.self_defined_group = "mixed"
    assert officer.RecordEngagement(request).self_defined_group == "mixed"

    oversight = service.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")
    found = oversight.Statistics(period(deployment.name))
    (item,) = found.deployments
    figures = item.figures
    assert figures == found.total
    assert (figures.faces_seen, figures.alerts, figures.true_alerts, figures.false_alerts) == (3, 2, 1, 1)
    assert (figures.confirmed_true, figures.pending, figures.unconfirmed) == (1, 0, 0)
    assert figures.false_alerts_per_face.rate == pytest.approx(1 / 3)
    assert figures.false_alerts_per_alert.lower == pytest.approx(0.0126, abs=1e-4)
    assert (figures.to_adjudication.count, figures.to_engagement.count) == (2, 1)
    assert figures.to_adjudication.longest_seconds < 120
    assert [part.name for part in item.reviewers] == ["reviewer"]
    assert [(part.name, part.figures.confirmed_true) for part in item.groups] == [("mixed", 1)]
    assert (item.watchlists[0].watchlist, item.watchlists[0].subjects) == (wanted.name, 3)
    assert not found.HasField("searches")
    everything = oversight.Statistics(period())
    assert deployment.name in [entry.deployment for entry in everything.deployments]
    assert everything.HasField("searches")
    assert everything.total.alerts >= 2
    (read, *_) = oversight.ListEvents(
        oversight_pb2.ListEventsRequest(action="statistics.read", deployment=deployment.name)
    ).events
    assert read.operation == "consultation"

    folder = tmp_path / "register"
    asked = ("--data", str(service.data), "--identity", "oversight", "--since", "1h", "--address", service.address)
    made = frs(models, "register", *asked, "--output", str(folder))
    assert made.returncode == 0, made.stderr
    page, data = (folder / "index.html").read_text(), json.loads((folder / "register.json").read_text())
    assert "Queen Street &lt;b&gt;&amp; Arcade&lt;/b&gt;" in page
    assert "<b>" not in page
    (entry,) = [entry for entry in data["deployments"] if f"deployments/{entry['deployment']}" == deployment.name]
    assert (entry["figures"]["alerts"], entry["cameras"]) == (2, {"suppressed": True, "parts": []})
    assert data["groups"]["suppressed"]
    with (folder / "register.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert "'=SUM(1) wanted people" in [row["purpose"] for row in rows]
    for file in folder.iterdir():
        text = file.read_text()
        for name in ("reviewer", "Supt A. Ray", "NOM-", wanted.name.removeprefix("watchlists/"), "mixed"):
            assert name not in text, (file.name, name)

    told = frs(models, "report", *asked, "--deployment", deployment.name)
    assert told.returncode == 0, told.stderr
    for word in ("reviewer", "mixed", "Supt A. Ray", "cam-1", "Queen Street"):
        assert word in told.stdout
    whole = tmp_path / "report.json"
    assert frs(models, "report", *asked, "--format", "json", "--output", str(whole)).returncode == 0
    assert json.loads(whole.read_text())["total"]["alerts"] >= 2
    assert whole.stat().st_mode & 0o077 == 0
    for command in (("register",), ("report", "--format", "csv")):
        refused_file = frs(models, *command, *asked, "--output", str(whole / "below"))
        assert (refused_file.returncode, "cannot be written" in refused_file.stderr) == (2, True)
    for form, start in (("csv", "scope,name,"), ("html", "<!DOCTYPE html>")):
        assert frs(models, "report", *asked, "--format", form).stdout.startswith(start)


def test_figures_are_for_oversight_and_authorising_officers(service: Service) -> None:
    """Nobody else is told; a period is needed, and a deployment that is there."""
    for name in ("reviewer", "officer", "investigator", "manager", "camera", "technician"):
        stub = service.stub(oversight_pb2_grpc.OversightServiceStub, name)
        assert refusal(stub.Statistics, period()).reason == "PERMISSION_DENIED"
    stub = service.stub(oversight_pb2_grpc.OversightServiceStub, "superintendent")
    assert stub.Statistics(period()).least_published == 10
    assert refusal(stub.Statistics, oversight_pb2.StatisticsRequest(since=hour(0))).reason == "INVALID_FIELD"
    backwards = oversight_pb2.StatisticsRequest(since=hour(0), until=hour(-1))
    assert refusal(stub.Statistics, backwards).reason == "INVALID_FIELD"
    assert refusal(stub.Statistics, period(f"deployments/{'f' * 32}")).reason == "DEPLOYMENT_NOT_FOUND"
