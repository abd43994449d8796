"""A camera's stream: one at a time, in order, on the record every minute, and over with its deployment."""

from __future__ import annotations

import contextlib
import struct
import threading
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from frs.embed.loading import load_engine
from frs.embed.pack import Pack
from frs.errors import FrsError, Reason
from frs.match.live import LiveFrame, StreamCounts
from tests.installation import Installation, engine_settings
from tests.manual_clock import ManualClock
from tests.match.film import START, film
from tests.match.stage import FEED, OFFICER, THRESHOLD, Stage, details, play

People = tuple[bytes, ...]


@pytest.fixture
def listed(stage: Stage, sample_people: People) -> Stage:
    """Give a stage with one active, reviewed list of one person."""
    stage.activate("wanted", [("N-0", sample_people[0])])
    return stage


def refused(act: Callable[[], object]) -> Reason:
    with pytest.raises(FrsError) as error:
        act()
    return error.value.reason


def test_a_camera_has_one_stream_at_a_time(listed: Stage) -> None:
    """A second stream of a camera is refused until the first has finished; other cameras are not touched."""
    deployment = listed.open("wanted")
    session = listed.live.open_stream(FEED, deployment.id, "cam-1")
    size = listed.installation.audit.size()
    assert refused(lambda: listed.live.open_stream(FEED, deployment.id, "cam-1")) is Reason.CAMERA_BUSY
    assert listed.installation.audit.size() == size
    listed.live.open_stream(FEED, deployment.id, "cam-2")
    session.finish("closed")
    session.finish("closed again")
    assert listed.live.streams == 1
    listed.live.open_stream(FEED, deployment.id, "cam-1").finish("closed")
    assert listed.actions(deployment=deployment.id, action="live").count("live.stream-closed") == 2


def test_streams_are_limited(listed: Stage) -> None:
    """Beyond live.max_streams a stream is refused until another ends."""
    settings = listed.settings.model_copy(update={"live": listed.settings.live.model_copy(update={"max_streams": 1})})
    narrow = Stage(listed.installation, listed.clock, settings)
    deployment = narrow.open("wanted")
    session = narrow.live.open_stream(FEED, deployment.id, "cam-1")
    assert refused(lambda: narrow.live.open_stream(FEED, deployment.id, "cam-2")) is Reason.TOO_MANY_STREAMS
    session.finish("closed")
    narrow.live.open_stream(FEED, deployment.id, "cam-2")


def test_a_stream_needs_a_running_deployment(listed: Stage) -> None:
    """Unknown, not yet started, over: each is refused by its own name."""
    assert refused(lambda: listed.live.open_stream(FEED, "0" * 32, "cam-1")) is Reason.DEPLOYMENT_NOT_FOUND
    draft = replace(listed.draft("wanted"), starts_at=listed.clock.now() + timedelta(hours=1))
    deployment = listed.deployments.open(OFFICER, draft)
    assert refused(lambda: listed.live.open_stream(FEED, deployment.id, "cam-1")) is Reason.DEPLOYMENT_NOT_OPEN
    listed.clock.advance(hours=4)
    assert refused(lambda: listed.live.open_stream(FEED, deployment.id, "cam-1")) is Reason.DEPLOYMENT_ENDED
    assert listed.live.streams == 0


def bomb() -> bytes:
    """Return a PNG of a few kilobytes that declares 60 megapixels."""
    head = struct.pack(">IIBBBBB", 10_000, 6_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(1_000_000))), (b"IEND", b"")]
    packed = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def test_bad_frames_are_problems_of_their_own(listed: Stage, sample_people: People) -> None:
    """An empty, truncated, foreign or huge frame is told and counted as rejected; the listed person is still found."""
    session = listed.live.open_stream(FEED, listed.open("wanted").id, "cam-1")
    good = film(sample_people[:1], 3)
    bad = [b"", good[0].data[:2000], b"%PDF-1.7 not a picture", bomb(), b"\xff\xd8\xff"]
    frames = [frame.data for frame in good[:2]] + bad + [good[2].data]
    outcomes = play(
        session, [LiveFrame(data, START + timedelta(seconds=i / 10), i + 1) for i, data in enumerate(frames)]
    )
    problems = [None if outcome.problem is None else outcome.problem.reason for outcome in outcomes]
    assert problems[:2] == [None, None]
    assert problems[2:] == [
        Reason.PICTURE_EMPTY,
        Reason.PICTURE_TRUNCATED,
        Reason.PICTURE_UNREADABLE,
        Reason.PICTURE_TOO_MANY_PIXELS,
        Reason.PICTURE_TRUNCATED,
        None,
    ]
    assert session.counts == StreamCounts(8, 3, 0, frames_rejected=5, faces_seen=1, alerts=1)


@pytest.mark.parametrize(("sequence", "seconds"), [(0, 9.0), (-1, 9.0), (5, 9.0), (4, 9.0), (6, 0.5)])
def test_frames_come_in_order(listed: Stage, sequence: int, seconds: float) -> None:
    """A sequence that does not grow or a capture time that goes back is refused; bad frames count as frames."""
    session = listed.live.open_stream(FEED, listed.open("wanted").id, "cam-1")
    play(session, [LiveFrame(b"", START + timedelta(seconds=1), 5)])
    late = LiveFrame(b"", START + timedelta(seconds=seconds), sequence)
    assert refused(lambda: session.process(late)) is Reason.STREAM_PROTOCOL
    again = LiveFrame(b"", START + timedelta(seconds=1), 6)
    problem = session.process(again).problem
    assert problem is not None
    assert problem.reason is Reason.PICTURE_EMPTY


def test_every_minute_is_logged_with_lists_thresholds_settings_and_counts(listed: Stage, sample_people: People) -> None:
    """One event a minute of the open stream, idle ones too, with what was counted since the last; totals agree."""
    deployment = listed.open("wanted")
    session = listed.live.open_stream(FEED, deployment.id, "cam-1")
    play(session, film(sample_people[:2], 3))
    session.dropped(2)
    for seconds in (59, 1, 30, 30):
        listed.clock.advance(seconds=seconds)
        session.tick()
    session.finish("adapter closed")
    events = listed.events(deployment=deployment.id, action="live")
    assert [event.action for event in events] == [
        "live.stream-opened",
        "live.minute",
        "live.minute",
        "live.minute",
        "live.stream-closed",
    ]
    first, idle, last = (details(event) for event in events[1:4])
    version = listed.installation.watchlists.get("wanted").version
    for said in (first, idle):
        (entry,) = said["lists"]
        assert (entry["watchlist"], entry["version"], entry["threshold"]) == ("wanted", version, THRESHOLD)
    assert first["counts"] == StreamCounts(3, 3, 2, 0, 2, 1).as_json()
    assert idle["counts"] == last["counts"] == StreamCounts().as_json()
    assert (first["settings"]["min_frames"], first["settings"]["cooldown_seconds"]) == (3, 60.0)
    assert (first["camera"], first["until"]) == ("cam-1", idle["from"])
    closed = details(events[4])
    assert (closed["reason"], closed["total"]) == ("adapter closed", first["counts"])
    (totals,) = listed.deployments.get(deployment.id).cameras
    assert (totals.frames_received, totals.frames_dropped, totals.faces_seen, totals.alerts) == (3, 2, 2, 1)
    assert listed.events(watchlist="wanted", action="live.minute")


def test_a_minute_names_every_version_that_was_searched(listed: Stage, sample_people: People) -> None:
    """When a list changes within a minute, its event names the versions before and after."""
    deployment = listed.open("wanted")
    lists = listed.installation.watchlists
    (subject,) = lists.list_subjects("wanted").items
    session = listed.live.open_stream(FEED, deployment.id, "cam-1")
    frames = film(sample_people[3:4], 2)
    play(session, frames[:1])
    before = lists.get("wanted").version
    lists.withdraw(OFFICER, subject.id, "found")
    play(session, frames[1:])
    listed.clock.advance(minutes=1)
    session.tick()
    said = details(listed.events(deployment=deployment.id, action="live.minute")[0])
    assert sorted(entry["version"] for entry in said["lists"]) == [before, before + 1]


@pytest.mark.parametrize("way", ["end", "stop", "clock"])
def test_a_stream_ends_with_its_deployment(listed: Stage, sample_people: People, way: str) -> None:
    """Ended, stopped or run out: the next frame and tick are refused, the end is logged, the camera is free."""
    deployment = listed.open("wanted")
    session = listed.live.open_stream(FEED, deployment.id, "cam-1")
    frames = film(sample_people[:1], 4)
    play(session, frames[:2])
    if way == "clock":
        listed.clock.at = deployment.ends_at
    else:
        getattr(listed.deployments, way)(OFFICER, deployment.id, "crowd crush")
    assert refused(lambda: session.process(frames[2])) is Reason.DEPLOYMENT_ENDED
    assert refused(session.tick) is Reason.DEPLOYMENT_ENDED
    ended = {"end": "ended", "stop": "stopped", "clock": "ended"}[way]
    assert session.state == ended
    session.finish("deployment over")
    actions = listed.actions(deployment=deployment.id)
    assert actions == [
        "deployment.opened",
        "live.stream-opened",
        f"deployment.{ended}",
        "live.minute",
        "live.stream-closed",
    ]
    assert listed.alerts.list().items == ()
    assert refused(lambda: session.process(frames[3])) is Reason.STREAM_PROTOCOL


def test_no_alert_is_raised_after_a_stop_has_returned(listed: Stage, sample_people: People) -> None:
    """While a stream raises alerts as fast as it can, what the log says after the stop's event is no alert."""
    deployment = listed.open("wanted", cooldown=0.0)
    session = listed.live.open_stream(FEED, deployment.id, "cam-1")
    walks = [
        film(sample_people[:1], 3, start=START + timedelta(seconds=10 * i), first_sequence=1 + 3 * i) for i in range(8)
    ]
    outcome: list[FrsError] = []

    def stream() -> None:
        try:
            play(session, [frame for walk in walks for frame in walk])
        except FrsError as error:
            outcome.append(error)

    first = threading.Event()
    listed.bell.subscribe(first.set)
    thread = threading.Thread(target=stream)
    thread.start()
    assert first.wait(60)
    listed.deployments.stop(OFFICER, deployment.id, "crowd crush")
    raised = len(listed.alerts.list(page_size=100).items)
    thread.join()
    assert [error.reason for error in outcome] == [Reason.DEPLOYMENT_ENDED]
    assert len(listed.alerts.list(page_size=100).items) == raised < len(walks)
    assert listed.actions(deployment=deployment.id)[-1] == "deployment.stopped"


def test_a_full_recogniser_is_a_problem_of_the_frame(
    installation: Installation, clock: ManualClock, starter_pack: Pack, sample_people: People
) -> None:
    """When the recogniser's queue is full the frame counts as dropped, and the stream goes on."""
    stage = Stage(installation, clock)
    stage.activate("wanted", [("N-0", sample_people[0])])
    frames = film(sample_people[:1], 6)
    face = installation.engine.analyse(frames[0].data).faces[:1]
    settings = engine_settings(starter_pack)
    short = settings.embed.model_copy(update={"queue_faces": 1, "batch_wait_ms": 100.0})
    busy = load_engine(settings.model_copy(update={"embed": short}))
    installation.engine, shared = busy, installation.engine
    stage.build()
    stopping = threading.Event()

    def occupy() -> None:
        with busy._batcher.preparing():  # the batch waits for this thread, and a face waits for the batch
            while not stopping.wait(0.001):
                pass

    def fill() -> None:
        while not stopping.is_set():
            with contextlib.suppress(FrsError):  # refused when a frame's face came first
                busy.embed(face)

    threads = [threading.Thread(target=occupy), threading.Thread(target=fill)]
    session = stage.live.open_stream(FEED, stage.open("wanted").id, "cam-1")
    for thread in threads:
        thread.start()
    crowded = play(session, frames[:2])
    stopping.set()
    for thread in threads:
        thread.join()
    quiet = play(session, frames[2:])
    busy.close()
    installation.engine = shared
    reasons = {outcome.problem.reason for outcome in crowded if outcome.problem is not None}
    assert reasons == {Reason.OVERLOADED}
    dropped = sum(outcome.problem is not None for outcome in crowded)
    assert session.counts == StreamCounts(6, 6 - dropped, dropped, 0, faces_seen=1, alerts=1)
    assert [len(outcome.alerts) for outcome in quiet].count(1) == 1


def test_frames_that_wait_when_the_stream_ends_are_counted_as_dropped(listed: Stage, sample_people: People) -> None:
    """Received is processed, dropped and rejected together, in the log too, however the stream came to its end."""
    deployment = listed.open("wanted")
    session = listed.live.open_stream(FEED, deployment.id, "cam-1")
    frames = film(sample_people[:1], 5)
    play(session, frames[:2])
    for _ in frames[2:]:
        session.received()
    listed.deployments.stop(OFFICER, deployment.id, "crowd crush")
    assert refused(lambda: session.process(frames[2])) is Reason.DEPLOYMENT_ENDED
    session.finish("deployment stopped")
    session.finish("again")
    counts = session.counts
    assert (counts.frames_received, counts.frames_processed, counts.frames_dropped) == (5, 2, 3)
    (closed,) = listed.events(deployment=deployment.id, action="live.stream-closed")
    assert details(closed)["total"] == counts.as_json()
    (totals,) = listed.deployments.get(deployment.id).cameras
    assert (totals.frames_received, totals.frames_processed, totals.frames_dropped) == (5, 2, 3)
