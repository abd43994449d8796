"""A deployment as it is worked: camera, two reviewers, an officer and oversight, each a process with an identity."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from frs.v1 import (
    deployment_pb2,
    officer_pb2,
    officer_pb2_grpc,
    oversight_pb2,
    oversight_pb2_grpc,
    watchlist_pb2,
)
from tests.journeys.conftest import Desk
from tests.journeys.pictures import frames
from tests.journeys.service import ROOT, Service, environment

pytestmark = pytest.mark.journey

CAST = {
    "oversight": "oversight",
    "officer": "officer",
    "reviewer": "reviewer",
    "reviewer2": "reviewer",
    "camera": "camera",
}
"""Identities, and what each of them does."""


def act_together(service: Service, models: Path, deployment: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Start everybody at once; return what each of them saw, by identity."""
    started = {}
    for identity, role in CAST.items():
        command = [sys.executable, "-W", "error", "-m", "tests.journeys.people", role, str(service.data)]
        command += [service.address, identity, deployment, str(folder)]
        started[identity] = subprocess.Popen(
            command, cwd=ROOT, env=environment(models), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    try:
        ended = {identity: process.communicate(timeout=90) for identity, process in started.items()}
        assert not any(process.returncode for process in started.values()), "\n".join(err for _, err in ended.values())
        return {identity: json.loads(out) for identity, (out, _) in ended.items()}
    finally:
        for process in started.values():
            process.kill()
            process.wait()


def test_a_deployment_is_worked_by_people_in_processes_of_their_own(
    service: Service,
    desk: Desk,
    wanted: watchlist_pb2.Watchlist,
    sample_people: tuple[bytes, ...],
    models: Path,
    tmp_path: Path,
) -> None:
    """Two alerts; two reviewers agree on each without seeing the other; one person is spoken to; oversight follows."""
    policy = deployment_pb2.ReviewPolicy(reviewers=2)
    deployment = desk.deployment(wanted.name, review_policy=policy).name
    for number, data in enumerate(frames(sample_people[:2], 12)):
        (tmp_path / f"{number:02d}.jpg").write_bytes(data)
    saw = act_together(service, models, deployment, tmp_path)

    alerts = saw["camera"]["alerts"]
    assert len(alerts) == 2
    for name in ("reviewer", "reviewer2"):
        cases = saw[name]["cases"]
        assert {case["nominal"] for case in cases} == {"NOM-0", "NOM-1"}
        for case in cases:
            assert case["pictures"]
            assert (case["withheld"], case["score_before"]) == (True, 0.0)
            assert case["score_after"] > 0.9
            assert case["others"] == 0, "a reviewer was shown another's decision"
    assert {case["case"] for case in saw["reviewer"]["cases"]} == {case["case"] for case in saw["reviewer2"]["cases"]}

    sent = saw["officer"]
    assert sent["alert"] in alerts
    assert (sent["nominal"], sent["adjudicated"], sent["pictures"], sent["red"]) == ("NOM-0", True, True, True)
    assert sent["state"] == "ASSIGNMENT_STATE_ENGAGED"
    stub = service.stub(officer_pb2_grpc.OfficerServiceStub, "officer2")
    assert len(stub.ListAssignments(officer_pb2.ListAssignmentsRequest(deployment=deployment)).assignments) == 1

    follow_the_log(service, saw["oversight"]["acts"])


def follow_the_log(service: Service, acts: list[list[str]]) -> None:
    """Check the order of acts, and that each decision says who decided, how long they looked and by which policy."""
    said = [action for action, _ in acts]
    assert said.count("alert.raised") == said.count("alert.adjudicated") == 2
    assert said.count("review.claimed") == said.count("review.observed") == said.count("review.decided") == 4
    assert said.count("assignment.offered") == said.count("assignment.acknowledged") == 1
    assert said.index("assignment.offered") > said.index("alert.adjudicated")
    assert said.index("alert.engagement") > said.index("assignment.acknowledged")
    stub = service.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")
    decided = []
    for action, name in acts:
        if action == "review.decided":
            opened = json.loads(stub.GetEvent(oversight_pb2.GetEventRequest(name=name)).payload_json)
            decided.append(opened["actor"]["name"])
            assert opened["details"]["policy"] >= 1
            assert opened["details"]["look_seconds"] >= 0
    assert sorted(decided) == ["reviewer", "reviewer", "reviewer2", "reviewer2"]
