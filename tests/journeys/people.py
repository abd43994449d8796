"""One person, or one camera, of a deployment in a process of their own, with a certificate of their own.

``python -m tests.journeys.people ROLE DATA ADDRESS IDENTITY DEPLOYMENT [FOLDER]`` does what the role does until its
part is over and prints what it saw as one JSON object. Only the wire and the contract are imported.
"""

from __future__ import annotations

import json
import queue
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from frs.v1 import (
    common_pb2,
    live_pb2,
    live_pb2_grpc,
    officer_pb2,
    officer_pb2_grpc,
    oversight_pb2,
    oversight_pb2_grpc,
    review_pb2,
    review_pb2_grpc,
)

OPTIONS = (("grpc.max_receive_message_length", 32 << 20),)
WANTED = "NOM-0"
"""Whom the reviewers recognise; anybody else who is proposed they call another person."""
CASES, SECONDS = 2, 30


def camera(channel: grpc.Channel, deployment: str, folder: str) -> dict[str, Any]:
    """Stream a folder's frames, one a fifth of a second."""

    def requests() -> Iterator[live_pb2.StreamRequest]:
        opening = live_pb2.StreamOpen(deployment=deployment, camera_id="people", lossless=True)
        yield live_pb2.StreamRequest(open=opening)
        for number, path in enumerate(sorted(Path(folder).glob("*.jpg")), 1):
            at = Timestamp()
            at.FromNanoseconds(time.time_ns() // 10**9 * 10**9 + number * 200_000_000)
            frame = live_pb2.Frame(data=path.read_bytes(), capture_time=at, sequence=number)
            yield live_pb2.StreamRequest(frame=frame)

    answers = live_pb2_grpc.LiveServiceStub(channel).Stream(requests(), timeout=SECONDS)
    return {"alerts": [answer.alert.alert for answer in answers if answer.HasField("alert")]}


def reviewer(channel: grpc.Channel, deployment: str, _: str) -> dict[str, Any]:
    """Take cases one at a time: say what is seen, then decide."""
    stub = review_pb2_grpc.ReviewServiceStub(channel)
    credit: queue.Queue[review_pb2.WorkRequest | None] = queue.Queue()
    credit.put(review_pb2.WorkRequest(credit=1, deployment=deployment))
    cases = []
    for answer in stub.Work(iter(credit.get, None), timeout=SECONDS):
        case = answer.case
        (proposed,) = case.candidates
        features = (review_pb2.FEATURE_NOSE, review_pb2.FEATURE_EARS, review_pb2.FEATURE_MOUTH)
        same = proposed.nominal == WANTED
        finding = review_pb2.FINDING_AGREES if same else review_pb2.FINDING_DIFFERS
        seen = review_pb2.Observation(
            features=[review_pb2.FeatureFinding(feature=each, finding=finding) for each in features],
            probe_quality=review_pb2.SEEN_QUALITY_USABLE,
            reference_quality=review_pb2.SEEN_QUALITY_GOOD,
            occlusions=[review_pb2.OCCLUSION_NONE],
        )
        observed = stub.RecordObservation(review_pb2.RecordObservationRequest(name=case.name, observation=seen))
        decision = review_pb2.DECISION_TRUE if same else review_pb2.DECISION_FALSE
        stub.DecideCase(review_pb2.DecideCaseRequest(name=case.name, decision=decision, reason="compared the ears"))
        cases.append(
            {
                "case": case.name,
                "nominal": proposed.nominal,
                "withheld": case.score_withheld,
                "score_before": proposed.score,
                "score_after": observed.candidates[0].score,
                "pictures": bool(case.probe_image_jpeg and proposed.reference_image_jpeg),
                "others": len(case.decisions) + len(observed.decisions),
            }
        )
        credit.put(review_pb2.WorkRequest(credit=1) if len(cases) < CASES else None)
    return {"cases": cases}


def officer(channel: grpc.Channel, deployment: str, _: str) -> dict[str, Any]:
    """Wait for an assignment, take it, say what came of it."""
    stub = officer_pb2_grpc.OfficerServiceStub(channel)
    request = officer_pb2.WatchAssignmentsRequest(deployment=deployment)
    for change in stub.WatchAssignments(request, timeout=SECONDS):
        if change.change != officer_pb2.ASSIGNMENT_CHANGE_OFFERED:
            continue
        taken = stub.Acknowledge(officer_pb2.AcknowledgeRequest(name=change.assignment.name))
        outcome = officer_pb2.RecordEngagementRequest(
            name=taken.name, engagement=officer_pb2.ENGAGEMENT_CONFIRMED_TRUE, note="spoken to"
        )
        engaged = stub.RecordEngagement(outcome)
        return {
            "alert": taken.alert,
            "nominal": taken.nominal,
            "adjudicated": change.assignment.adjudicated,
            "pictures": bool(taken.probe_image_jpeg and taken.reference_image_jpeg),
            "red": taken.grading == common_pb2.GRADING_RED,
            "state": officer_pb2.AssignmentState.Name(engaged.state),
        }
    return {}


def oversight(channel: grpc.Channel, deployment: str, _: str) -> dict[str, Any]:
    """Follow the log of the deployment until somebody was spoken to and every case is settled."""
    stub = oversight_pb2_grpc.OversightServiceStub(channel)
    request = oversight_pb2.WatchEventsRequest(from_index=0, filter=oversight_pb2.EventFilter(deployment=deployment))
    acts, waiting = [], {"alert.engagement": 1, "alert.adjudicated": CASES}
    for event in stub.WatchEvents(request, timeout=SECONDS):
        acts.append([event.action, event.name])
        waiting[event.action] = waiting.get(event.action, 0) - 1
        if all(waiting[action] <= 0 for action in ("alert.engagement", "alert.adjudicated")):
            break
    return {"acts": acts}


ROLES: dict[str, Callable[[grpc.Channel, str, str], dict[str, Any]]] = {
    each.__name__: each for each in (camera, reviewer, officer, oversight)
}


def main(role: str, data: str, address: str, identity: str, deployment: str, folder: str = "") -> None:
    """Act, and print what was seen."""
    certs = Path(data) / "certs"
    root, key, chain = (certs / name for name in ("ca.crt", f"{identity}.key", f"{identity}.crt"))
    credentials = grpc.ssl_channel_credentials(root.read_bytes(), key.read_bytes(), chain.read_bytes())
    with grpc.secure_channel(address, credentials, OPTIONS) as channel:
        print(json.dumps(ROLES[role](channel, deployment, folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
