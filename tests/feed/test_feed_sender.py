"""Sending: credit, what is sent again after a break, what is given up, and how a feed is ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from frs.cli.client import translate
from frs.errors import FrsError, Reason
from frs.feed.sender import Sender
from frs.feed.shots import Shot
from tests.feed.peer import PRECONDITION, UNAVAILABLE, Peer

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
FIRST_WAIT = 0.05


class Numbers:
    """A source whose frames are numbers."""

    def __init__(self, count: int, *, live: bool = False, fails: FrsError | None = None, pause: float = 0.0) -> None:
        self.live = live
        self.total: int | None = count
        self._fails = fails
        self._pause = pause
        self.closed = threading.Event()

    def shots(self) -> Iterator[Shot]:
        for number in range(self.total or 0):
            if self.closed.wait(self._pause):
                return
            yield Shot(b"%d" % number, START + timedelta(seconds=number))
        if self._fails is not None:
            raise self._fails

    def close(self) -> None:
        self.closed.set()

    def troubles(self) -> list[str]:
        return []


def sender(peer: Peer, tell: Callable[[str], None] = lambda _: None, attempts: int = 3) -> Sender:
    return Sender(
        peer.stub,
        "deployments/1",
        "cam-1",
        reason_of=lambda error: translate(error, "peer").reason,
        tell=tell,
        attempts=attempts,
        first_wait=FIRST_WAIT,
    )


def numbers(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def test_every_frame_of_a_recording_arrives_once_and_in_order() -> None:
    """The opening names the deployment and the camera and asks for no loss; sequences count from 1."""
    alerts: list[str] = []
    with Peer() as peer:
        report = Sender(peer.stub, "deployments/1", "cam-1", on_alert=alerts.append).send(Numbers(20))
    opening = peer.connections[0].opening
    assert (opening.deployment, opening.camera_id, opening.lossless) == ("deployments/1", "cam-1", True)
    assert peer.received == numbers(20)
    assert [frame.sequence for frame in peer.connections[0].frames] == list(range(1, 21))
    assert peer.connections[0].frames[3].capture_time.ToDatetime(UTC) == START + timedelta(seconds=3)
    assert (report.frames_sent, report.frames_processed, report.faces_seen, report.done) == (20, 20, 10, True)
    assert alerts == report.alerts
    assert len(alerts) == 20
    assert report.model == "peer@1"


def test_no_frame_of_a_recording_leaves_without_credit() -> None:
    """With credit for three, three are on their way while none is acknowledged."""
    with Peer(credit=3) as peer:
        peer.gate.clear()
        feed = sender(peer)
        feeding = threading.Thread(target=feed.send, args=(Numbers(9),))
        feeding.start()
        time.sleep(0.5)
        on_their_way = feed.report.frames_sent
        peer.gate.set()
        feeding.join(10)
    assert on_their_way == 3
    assert peer.received == numbers(9)


def test_frames_that_were_not_acknowledged_are_sent_again() -> None:
    """A connection that breaks at the seventh frame costs none: the next begins with what was not acknowledged."""
    told: list[str] = []
    with Peer(
        lambda connection, frames: (UNAVAILABLE, "SHUTTING_DOWN") if (connection, frames) == (1, 7) else None
    ) as peer:
        report = sender(peer, told.append).send(Numbers(20))
    first, second = ([frame.data for frame in c.frames] for c in peer.connections)
    assert first == numbers(7)
    assert second == numbers(20)[6:]
    sequences = [frame.sequence for frame in peer.connections[1].frames]
    assert sequences == sorted(set(sequences))
    assert (report.reconnections, report.frames_processed, report.done) == (1, 20, True)
    assert "connecting again" in told[0]


def test_a_recording_is_given_up_when_connections_achieve_nothing() -> None:
    """A server that breaks every stream ends the feed with its error after the attempts."""
    with Peer(lambda *_: (UNAVAILABLE, "SHUTTING_DOWN")) as peer, pytest.raises(grpc.RpcError) as caught:
        sender(peer, attempts=3).send(Numbers(5))
    assert len(peer.connections) == 3
    assert translate(caught.value, "peer").reason is Reason.SHUTTING_DOWN


def test_a_camera_is_connected_again_for_ever() -> None:
    """More failures in a row than a recording is allowed do not end it."""
    with Peer(lambda connection, _: (UNAVAILABLE, "SHUTTING_DOWN") if connection < 6 else None) as peer:
        report = sender(peer, attempts=2).send(Numbers(8, live=True, pause=0.02))
    assert report.reconnections == 5
    assert report.done
    assert not peer.connections[0].opening.lossless


def test_a_refusal_is_final() -> None:
    """An ended deployment is not asked again and again."""
    with Peer(lambda *_: (PRECONDITION, "DEPLOYMENT_ENDED")) as peer, pytest.raises(grpc.RpcError) as caught:
        sender(peer).send(Numbers(5, live=True))
    assert len(peer.connections) == 1
    assert translate(caught.value, "peer").reason is Reason.DEPLOYMENT_ENDED


def test_the_camera_that_a_broken_stream_still_holds_is_waited_for() -> None:
    """CAMERA_BUSY after a break passes; at the first connection somebody else has the camera, and it is final."""

    def script(connection: int, frames: int) -> tuple[int, str] | None:
        if connection == 1 and frames == 2:
            return UNAVAILABLE, "SHUTTING_DOWN"
        return (PRECONDITION, "CAMERA_BUSY") if connection == 2 else None

    with Peer(script) as peer:
        assert sender(peer).send(Numbers(6)).frames_processed == 6
    with Peer(lambda *_: (PRECONDITION, "CAMERA_BUSY")) as peer, pytest.raises(grpc.RpcError):
        sender(peer).send(Numbers(6))
    assert len(peer.connections) == 1


def test_a_recording_that_cannot_be_read_to_its_end_is_an_error() -> None:
    """What was read before is processed, then the source's own error is raised, not the transport's."""
    broken = FrsError(Reason.VIDEO_STALLED, "the video gave no frame")
    with Peer() as peer, pytest.raises(FrsError, match="gave no frame"):
        sender(peer).send(Numbers(4, fails=broken))
    assert peer.received == numbers(4)


def test_stopping_ends_the_feed_in_the_ordinary_way() -> None:
    """The stream is half-closed and the server's last word heard; the source is let go."""
    source = Numbers(10_000, live=True, pause=0.01)
    with Peer() as peer:
        feed = sender(peer)
        threading.Timer(0.5, feed.stop).start()
        report = feed.send(source)
    assert report.done
    assert 0 < report.frames_processed == len(peer.received) < 10_000
    assert source.closed.is_set()


def test_stopping_ends_the_wait_for_a_server_that_is_gone() -> None:
    """A person who stops the adapter during an outage does not wait for its next attempt."""
    with Peer(lambda *_: (UNAVAILABLE, "SHUTTING_DOWN")) as peer:
        feed = Sender(peer.stub, "deployments/1", "cam-1", first_wait=60.0)
        threading.Timer(0.5, feed.stop).start()
        begun = time.monotonic()
        with pytest.raises(grpc.RpcError):
            feed.send(Numbers(5, live=True))
    assert time.monotonic() - begun < 10
