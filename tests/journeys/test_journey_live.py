"""Live facial recognition over a real service: a deployment from its list to its log, and all that goes wrong."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import grpc
import pytest

from frs.audit.checkpoints import read_checkpoint
from frs.audit.event import commitment
from frs.audit.proofs import verify_consistency, verify_inclusion
from frs.audit.tree import leaf_hash
from frs.v1 import (
    deployment_pb2,
    deployment_pb2_grpc,
    live_pb2_grpc,
    officer_pb2,
    officer_pb2_grpc,
    oversight_pb2,
    oversight_pb2_grpc,
    review_pb2,
    review_pb2_grpc,
    watchlist_pb2,
    watchlist_pb2_grpc,
)
from tests.journeys.conftest import Desk, ahead
from tests.journeys.deciding import acknowledged, adjudicate
from tests.journeys.pictures import bomb, empty_frame, frames, sixty_megapixels
from tests.journeys.service import Service
from tests.journeys.streaming import Camera, frame, opening, play
from tests.server.rpc_errors import rich

pytestmark = pytest.mark.journey


def events(service: Service, **filters: str) -> list[oversight_pb2.Event]:
    """Read the log as oversight does."""
    stub = service.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")
    request = oversight_pb2.ListEventsRequest(page_size=1000, **filters)  # type: ignore[arg-type]
    return list(stub.ListEvents(request).events)


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for what must become true."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come true in time"
        time.sleep(0.05)


def reason_of(error: grpc.RpcError | None) -> str:
    assert error is not None, "the stream ended without an error"
    return rich(error).reason


def test_from_the_list_to_the_log(
    service: Service, desk: Desk, wanted: watchlist_pb2.Watchlist, sample_people: tuple[bytes, ...]
) -> None:
    """A listed person on a camera becomes one alert that people decide; a stranger beside them becomes a count."""
    deployment = desk.deployment(wanted.name)
    assert deployment.state == deployment_pb2.DEPLOYMENT_STATE_RUNNING
    drawn = frames([sample_people[0], sample_people[4]], 12)
    heard = play(service, [opening(deployment.name), *(frame(n, data) for n, data in enumerate(drawn, 1))])
    assert heard.error is None
    assert heard.kinds[:2] == ["state", "progress"]
    state = heard.answers[0].state
    assert (state.deployment_state, state.provider) == (
        deployment_pb2.DEPLOYMENT_STATE_RUNNING,
        "CPUExecutionProvider",
    )
    assert state.model.startswith("starter@")
    assert "weak" in state.notice
    last = heard.answers[-1].progress
    assert last.done
    assert (last.frames_received, last.frames_processed, last.frames_dropped) == (12, 12, 0)
    assert (last.acknowledged_sequence, last.faces_seen, last.alerts) == (12, 2, 1)
    (alert_name,) = heard.alerts

    review = service.stub(review_pb2_grpc.ReviewServiceStub, "superintendent")
    feed = review.WatchAlerts(review_pb2.WatchAlertsRequest(deployment=deployment.name, with_images=True), timeout=30)
    first = next(feed)
    assert (first.alert.name, first.change) == (alert_name, review_pb2.ALERT_CHANGE_RAISED)
    assert first.alert.probe_image_jpeg[:2] == b"\xff\xd8"
    alert = review.GetAlert(review_pb2.GetAlertRequest(name=alert_name))
    candidate = alert.candidate
    assert (candidate.nominal, candidate.watchlist) == ("NOM-0", wanted.name)
    assert candidate.score >= candidate.threshold > 0.9
    assert candidate.reference_image_jpeg[:2] == b"\xff\xd8"
    assert alert.state == review_pb2.ALERT_STATE_PENDING
    adjudicate(service, alert_name, review_pb2.DECISION_TRUE, "same scar")
    changed = next(feed)
    assert (changed.change, changed.alert.adjudicated_by) == (review_pb2.ALERT_CHANGE_ADJUDICATED, "reviewer")
    assert changed.position > first.position
    feed.cancel()
    outcome = officer_pb2.ENGAGEMENT_CONFIRMED_TRUE
    engaged = service.stub(officer_pb2_grpc.OfficerServiceStub, "officer").RecordEngagement(
        officer_pb2.RecordEngagementRequest(name=acknowledged(service, alert_name), engagement=outcome)
    )
    assert engaged.state == officer_pb2.ASSIGNMENT_STATE_ENGAGED
    resumed = review.WatchAlerts(
        review_pb2.WatchAlertsRequest(deployment=deployment.name, after_position=changed.position), timeout=30
    )
    assert next(resumed).change == review_pb2.ALERT_CHANGE_ENGAGED
    resumed.cancel()

    deployments = service.stub(deployment_pb2_grpc.DeploymentServiceStub, "superintendent")
    ended = deployments.EndDeployment(deployment_pb2.EndDeploymentRequest(name=deployment.name))
    assert ended.state == deployment_pb2.DEPLOYMENT_STATE_ENDED
    (camera,) = ended.cameras
    assert (camera.camera_id, camera.faces_seen, camera.frames_processed, camera.alerts) == ("cam-1", 2, 12, 1)

    actions = [event.action for event in events(service, deployment=deployment.name)]
    for action in (
        "deployment.opened",
        "live.stream-opened",
        "alert.raised",
        "live.stream-closed",
        "alert.viewed",
        "alert.adjudicated",
        "alert.engagement",
        "deployment.ended",
    ):
        assert action in actions, action


def test_the_log_can_be_verified_without_trusting_the_server(service: Service, wanted: watchlist_pb2.Watchlist) -> None:
    """With the key kept since the installation: checkpoint, inclusion, commitment and consistency all verify."""
    vkey = (service.data / "log.vkey").read_text().strip()
    stub = service.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")
    before = stub.GetCheckpoint(oversight_pb2.GetCheckpointRequest())
    assert read_checkpoint(before.signed_note, vkey).size == before.tree_size
    (enrolled, *_) = events(service, subject="NOM-1", action="subject.enrolled")
    event = stub.GetEvent(oversight_pb2.GetEventRequest(name=enrolled.name))
    signed = read_checkpoint(event.checkpoint.signed_note, vkey)
    verify_inclusion(event.index, signed.size, leaf_hash(event.leaf), list(event.inclusion_proof), signed.root)
    leaf = json.loads(event.leaf)
    assert leaf["payload"] == commitment(event.payload_nonce, event.payload_json.encode())
    assert "NOM-1" not in event.leaf.decode()
    assert "NOM-1" in event.payload_json
    after = stub.GetCheckpoint(oversight_pb2.GetCheckpointRequest())
    assert after.tree_size > before.tree_size, "reading the log is itself logged"
    proof = stub.GetConsistencyProof(
        oversight_pb2.GetConsistencyProofRequest(old_size=before.tree_size, new_size=after.tree_size)
    )
    verify_consistency(before.tree_size, after.tree_size, before.root_hash, after.root_hash, list(proof.hashes))
    leaves = [leaf for part in stub.StreamLeaves(oversight_pb2.StreamLeavesRequest()) for leaf in part.leaves]
    assert leaves[event.index] == event.leaf


def test_a_frame_that_cannot_be_used_is_its_own_problem(
    service: Service, desk: Desk, wanted: watchlist_pb2.Watchlist
) -> None:
    """Empty, truncated, non-image, huge and exploding frames are told by sequence; the stream goes on."""
    deployment = desk.deployment(wanted.name)
    good = empty_frame()
    bad = [
        b"",
        good[: len(good) // 2],
        b"this is no picture",
        sixty_megapixels(),
        bomb(),
        b"\xff\xd8" + b"x" * (20 << 20),  # above a picture's limit, within a message's
    ]
    requests = [opening(deployment.name), frame(1, good)]
    requests += [frame(number, data) for number, data in enumerate(bad, 2)]
    heard = play(service, [*requests, frame(9, good)])
    assert heard.error is None
    assert heard.problems == {
        2: "PICTURE_EMPTY",
        3: "PICTURE_TRUNCATED",
        4: "PICTURE_UNREADABLE",
        5: "PICTURE_TOO_MANY_PIXELS",
        6: "PICTURE_TOO_MANY_PIXELS",
        7: "PICTURE_TOO_LARGE",
    }
    assert (heard.last.frames_processed, heard.last.frames_rejected) == (2, 6)


def test_a_camera_that_is_too_fast_loses_its_oldest_frames(
    service: Service, desk: Desk, wanted: watchlist_pb2.Watchlist
) -> None:
    """Newest wins: the last frame is processed, every frame is accounted for, and memory does not grow."""
    deployment = desk.deployment(wanted.name)
    data = empty_frame(1280, 720)
    requests = [opening(deployment.name, lossless=False), *(frame(number, data) for number in range(1, 81))]
    heard = play(service, requests)
    last = heard.last
    assert heard.error is None
    assert last.frames_received == 80
    assert last.frames_processed + last.frames_dropped == 80
    assert last.frames_dropped > 0
    assert last.acknowledged_sequence == 80


def test_a_file_loses_no_frame(service: Service, desk: Desk, wanted: watchlist_pb2.Watchlist) -> None:
    """A lossless stream whose client ignores the credit is slowed down by not being read."""
    deployment = desk.deployment(wanted.name)
    data = empty_frame()
    heard = play(service, [opening(deployment.name), *(frame(number, data) for number in range(1, 41))])
    assert (heard.last.frames_received, heard.last.frames_processed, heard.last.frames_dropped) == (40, 40, 0)
    offered = {answer.progress.credit for answer in heard.answers if answer.HasField("progress")}
    assert offered == {4, 0}


@pytest.mark.parametrize(
    ("story", "reason"),
    [
        ("no opening", "STREAM_PROTOCOL"),
        ("nothing at all", "STREAM_PROTOCOL"),
        ("opened twice", "STREAM_PROTOCOL"),
        ("sequence stands still", "STREAM_PROTOCOL"),
        ("time goes back", "STREAM_PROTOCOL"),
        ("another camera's frame", "STREAM_PROTOCOL"),
        ("no time", "INVALID_FIELD"),
        ("no sequence", "INVALID_FIELD"),
        ("a wrong camera id", "INVALID_FIELD"),
        ("unknown deployment", "DEPLOYMENT_NOT_FOUND"),
        ("a message beyond the limit", "MESSAGE_TOO_LARGE"),
    ],
)
def test_a_stream_that_breaks_the_protocol_ends(
    service: Service, desk: Desk, wanted: watchlist_pb2.Watchlist, story: str, reason: str
) -> None:
    """With a reason that says which rule."""
    name = desk.deployment(wanted.name).name
    good = empty_frame()
    timeless = frame(1, good)
    timeless.frame.ClearField("capture_time")
    stories = {
        "no opening": [frame(1, good)],
        "nothing at all": [],
        "opened twice": [opening(name), opening(name)],
        "sequence stands still": [opening(name), frame(1, good), frame(1, good)],
        "time goes back": [opening(name), frame(1, good, 5), frame(2, good, 4)],
        "another camera's frame": [opening(name), frame(1, good, camera="cam-2")],
        "no time": [opening(name), timeless],
        "no sequence": [opening(name), frame(0, good)],
        "a wrong camera id": [opening(name, "cam 1")],
        "unknown deployment": [opening("deployments/none")],
        "a message beyond the limit": [opening(name), frame(1, b"x" * (22 << 20))],
    }
    assert reason_of(play(service, stories[story]).error) == reason


def test_no_stream_outside_a_deployments_time(service: Service, desk: Desk, wanted: watchlist_pb2.Watchlist) -> None:
    """Before its start it is not open; after its end it is over; lists are active, and reviewed each time."""
    early = desk.deployment(wanted.name, start_time=ahead(hours=1), end_time=ahead(hours=2))
    assert early.state == deployment_pb2.DEPLOYMENT_STATE_SCHEDULED
    assert reason_of(play(service, [opening(early.name)]).error) == "DEPLOYMENT_NOT_OPEN"
    over = desk.deployment(wanted.name)
    stub = service.stub(deployment_pb2_grpc.DeploymentServiceStub, "superintendent")
    stub.EndDeployment(deployment_pb2.EndDeploymentRequest(name=over.name))
    assert reason_of(play(service, [opening(over.name)]).error) == "DEPLOYMENT_ENDED"
    with pytest.raises(grpc.RpcError) as caught:
        desk.open(desk.draft().name)
    assert reason_of(caught.value) == "WATCHLIST_NOT_ACTIVE"
    with pytest.raises(grpc.RpcError) as caught:
        desk.open(wanted.name)
    assert reason_of(caught.value) == "WATCHLIST_NOT_REVIEWED"


def test_an_emergency_stop_ends_idle_streams(service: Service, desk: Desk, wanted: watchlist_pb2.Watchlist) -> None:
    """A reviewer may stop a deployment; a camera that sends nothing is told within seconds and cut off."""
    deployment = desk.deployment(wanted.name)
    camera = Camera(service, deployment.name, "cam-1")
    camera.send(frame(1, empty_frame()))
    camera.until_acknowledged(1)
    stub = service.stub(deployment_pb2_grpc.DeploymentServiceStub, "reviewer")
    stopped = stub.StopDeployment(deployment_pb2.StopDeploymentRequest(name=deployment.name, reason="wrong place"))
    assert stopped.state == deployment_pb2.DEPLOYMENT_STATE_STOPPED
    heard = camera.ended()
    assert reason_of(heard.error) == "DEPLOYMENT_ENDED"
    states = [answer.state.deployment_state for answer in heard.answers if answer.HasField("state")]
    assert states == [deployment_pb2.DEPLOYMENT_STATE_RUNNING, deployment_pb2.DEPLOYMENT_STATE_STOPPED]
    assert heard.last.done


def test_a_deployment_ends_by_the_clock(service: Service, desk: Desk, wanted: watchlist_pb2.Watchlist) -> None:
    """Its streams end at its end time without anybody doing anything."""
    deployment = desk.deployment(wanted.name, end_time=ahead(seconds=1.5))
    camera = Camera(service, deployment.name, "cam-1")
    camera.until_open()
    assert reason_of(camera.ended().error) == "DEPLOYMENT_ENDED"
    eventually(lambda: "deployment.ended" in {e.action for e in events(service, deployment=deployment.name)})


def test_a_camera_streams_once_at_a_time(service: Service, desk: Desk, wanted: watchlist_pb2.Watchlist) -> None:
    """A second stream of the same camera is refused; another camera's is not."""
    deployment = desk.deployment(wanted.name)
    camera = Camera(service, deployment.name, "cam-1")
    camera.until_open()
    assert reason_of(play(service, [opening(deployment.name, "cam-1")]).error) == "CAMERA_BUSY"
    assert play(service, [opening(deployment.name, "cam-2")]).error is None
    camera.half_close()
    assert camera.ended().error is None


def test_a_client_that_vanishes_leaves_its_counts(
    service: Service, desk: Desk, wanted: watchlist_pb2.Watchlist
) -> None:
    """The session is closed and logged with the reason, and the camera can stream again."""
    deployment = desk.deployment(wanted.name)
    camera = Camera(service, deployment.name, "cam-1")
    camera.send(frame(1, empty_frame()))
    camera.until_acknowledged(1)
    camera.vanish()
    filters = {"deployment": deployment.name, "action": "live.stream-closed"}
    eventually(lambda: bool(events(service, **filters)))
    (closed,) = events(service, **filters)
    stub = service.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")
    payload = stub.GetEvent(oversight_pb2.GetEventRequest(name=closed.name)).payload_json
    assert "client vanished" in payload
    eventually(lambda: play(service, [opening(deployment.name, "cam-1")]).error is None)


def test_a_client_that_leaves_at_the_door_leaves_no_session(
    service: Service, desk: Desk, wanted: watchlist_pb2.Watchlist
) -> None:
    """Cancelling while the session is being opened frees the camera; every session that was opened is closed."""
    deployment = desk.deployment(wanted.name)
    stub = service.stub(live_pb2_grpc.LiveServiceStub, "camera")
    for number in range(30):
        call = stub.Stream(iter([opening(deployment.name, "cam-1")]))
        time.sleep(number / 2000)
        call.cancel()
    eventually(lambda: play(service, [opening(deployment.name, "cam-1")]).error is None)

    def balanced() -> bool:
        actions = [event.action for event in events(service, deployment=deployment.name)]
        return actions.count("live.stream-opened") == actions.count("live.stream-closed") > 0

    eventually(balanced)


def test_a_withdrawn_person_raises_no_alert_at_once(
    service: Service, desk: Desk, sample_people: tuple[bytes, ...]
) -> None:
    """A running stream stops proposing whoever is withdrawn, before the withdrawal is answered."""
    made = desk.active_list(sample_people[:2])
    deployment = desk.deployment(made.name)
    drawn = list(frames([sample_people[0]], 12))
    camera = Camera(service, deployment.name, "cam-1")
    camera.send(frame(1, drawn[0]))
    camera.until_acknowledged(1)
    lists = service.stub(watchlist_pb2_grpc.WatchlistServiceStub, "manager")
    subjects = lists.ListSubjects(watchlist_pb2.ListSubjectsRequest(parent=made.name)).subjects
    person = next(subject for subject in subjects if subject.nominal == "NOM-0")
    gone = lists.WithdrawSubject(watchlist_pb2.WithdrawSubjectRequest(name=person.name, reason="warrant executed"))
    assert (gone.state, list(gone.images)) == (watchlist_pb2.SUBJECT_STATE_WITHDRAWN, [])
    for number, data in enumerate(drawn[1:], 2):
        camera.send(frame(number, data))
    camera.half_close()
    heard = camera.ended()
    assert heard.error is None
    assert (heard.alerts, heard.last.faces_seen) == ([], 1)
