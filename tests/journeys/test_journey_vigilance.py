"""Known pairs from a folder to the figures of the reviewer who looked at nothing."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from frs.v1 import common_pb2, deployment_pb2, review_pb2, review_pb2_grpc, vigilance_pb2, vigilance_pb2_grpc
from tests.journeys.asking import refusal
from tests.journeys.conftest import Desk
from tests.journeys.deciding import SEEN
from tests.journeys.pictures import frames
from tests.journeys.service import Service, prepare
from tests.journeys.streaming import frame, opening, play
from tests.journeys.terminal import Terminal

pytestmark = pytest.mark.journey

SETTINGS = """
[review]
vigilance_delay_seconds = 0.5
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Service]:
    """Run a service in whose queue nothing red of other tests waits."""
    data = prepare(tmp_path_factory.mktemp("vigilance") / "data", models)
    with (data / "frs.toml").open("a") as settings:
        settings.write(SETTINGS)
    with Service(data, models) as running:
        yield running


def folder(where: Path, people: Sequence[bytes], *pairs: tuple[int, int]) -> Path:
    """Write a folder of pairs of people, and one line that cannot be a pair."""
    where.mkdir()
    lines = []
    for number, picture in enumerate(people):
        (where / f"{number}.jpg").write_bytes(picture)
    (where / "text.jpg").write_bytes(b"no picture at all")
    for probe, reference in pairs:
        truth = "yes" if probe == reference else "no"
        lines.append((f"{probe}.jpg", f"{reference}.jpg", truth, f"T-{probe}-{reference}", "the training school"))
    with (where / "pairs.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                ("probe", "reference", "matching", "nominal", "source"),
                *lines,
                ("text.jpg", "1.jpg", "no", "T", "school"),
            ]
        )
    return where


def test_known_pairs_from_a_folder_to_a_reviewers_figures(
    service: Service, sample_people: tuple[bytes, ...], tmp_path: Path
) -> None:
    """Loaded with the command, mixed among alerts, decided without looking; oversight reads the false accept."""
    terminal, desk = Terminal(service), Desk(service)
    given = folder(tmp_path / "pairs", sample_people, (2, 3))
    loaded = terminal.run("vigilance", "load", str(given), identity="superintendent")
    assert loaded.status == 1, "one line was refused"
    assert "1 pairs added, 0 of one person and 1 of two; 0 were there already, 1 refused" in loaded.out
    assert "line 3: " in loaded.err
    again = terminal.run("vigilance", "load", str(given), "--json", identity="superintendent")
    assert (again.json["known_lines"], again.json["added"]) == ([2], [])
    (pair,) = terminal.ask("vigilance", "list", identity="oversight")
    assert (pair["nominal"], pair["matching"], pair["shown_count"]) == ("T-2-3", False, 0)
    stub = service.stub(vigilance_pb2_grpc.VigilanceServiceStub, "reviewer")
    assert refusal(stub.ListPairs, vigilance_pb2.ListPairsRequest()).reason == "PERMISSION_DENIED"

    wanted = desk.active_list(sample_people[:2], default_grading=common_pb2.GRADING_AMBER)
    policy = deployment_pb2.ReviewPolicy(vigilance_rate=1.0)
    deployment = desk.deployment(wanted.name, review_policy=policy)
    drawn = frames(sample_people[:1], 12)
    heard = play(service, [opening(deployment.name), *(frame(n, data) for n, data in enumerate(drawn, 1))])
    assert len(heard.alerts) == 1
    review = service.stub(review_pb2_grpc.ReviewServiceStub, "reviewer")
    until = time.monotonic() + 20
    while len(cases := review.ListCases(review_pb2.ListCasesRequest()).cases) < 2:
        assert time.monotonic() < until, "no check came"
        time.sleep(0.05)
    assert {case.kind for case in cases} == {review_pb2.CASE_KIND_ALERT}
    for case in cases:
        claimed = review.ClaimCase(review_pb2.ClaimCaseRequest(name=case.name))
        assert claimed.probe_image_jpeg
        assert claimed.frame_image_jpeg
        assert claimed.candidates[0].reference_image_jpeg
        assert claimed.score_withheld
        review.RecordObservation(review_pb2.RecordObservationRequest(name=case.name, observation=SEEN))
        review.ExplainCase(review_pb2.ExplainCaseRequest(name=case.name))
        request = review_pb2.DecideCaseRequest(
            name=case.name, decision=review_pb2.DECISION_TRUE, reason="the same nose"
        )
        review.DecideCase(request)

    begin = (datetime.now(UTC) - timedelta(hours=1)).replace(minute=0, second=0, microsecond=0).isoformat()
    report = terminal.ask("report", "--since", begin, identity="oversight")
    assert (report["total"]["alerts"], report["total"]["true_alerts"]) == (1, 1)
    (found,) = report["vigilance"]
    assert (found["reviewer"], found["checks"], found["hits"]["denominator"]) == ("reviewer", 1, 0)
    assert (found["false_accepts"]["rate"], round(found["false_accepts"]["lower"], 3)) == (1.0, 0.025)
    told = terminal.run("report", "--since", begin, identity="oversight")
    assert "1 of 1" in told.out
    assert len(terminal.ask("officer", "list", identity="officer")) == 1
    assert terminal.ask("deployment", "show", deployment.name, identity="oversight")["cameras"][0]["alerts"] == 1
    assert "alerts" not in terminal.ask("deployment", "show", deployment.name, identity="reviewer")["cameras"][0]
    assert terminal.run("deployment", "list", identity="reviewer").status == 0

    removed = terminal.run(
        "vigilance", "remove", pair["name"], "--reason", "consent was withdrawn", identity="protection"
    )
    assert "Checks that showed it: 1." in removed.out
    assert terminal.run("vigilance", "list", identity="oversight").out.strip() == "nothing to show"
    assert terminal.ask("report", "--since", begin, identity="oversight")["vigilance"] == [found]
    assert terminal.run("audit", "verify", identity="oversight").status == 0


def test_one_pair_is_added_by_hand(service: Service, sample_people: tuple[bytes, ...], tmp_path: Path) -> None:
    """With both pictures, whether they match, and where they come from; twice is refused."""
    for number in (4, 5):
        (tmp_path / f"{number}.jpg").write_bytes(sample_people[number])
    pictures = (str(tmp_path / "4.jpg"), str(tmp_path / "5.jpg"))
    given = ("vigilance", "add", *pictures, "--different", "--nominal", "T-9", "--source", "the training school")
    terminal = Terminal(service)
    added = terminal.run(*given, identity="superintendent")
    assert "two people, score 0." in added.out
    assert "PAIR_EXISTS" in terminal.run(*given, identity="superintendent").err
    assert terminal.run(*given, identity="reviewer").status == 4
