"""Retrospective jobs of videos: tracks as probes, time codes, stretches, and stopping between two frames."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from frs.embed.decoding import decode_picture, encode_jpeg
from frs.embed.engine import FaceEngine
from frs.embed.pack import Pack
from frs.embed.video import read_video
from frs.errors import FrsError, Reason
from frs.match.job_records import ItemProgress, ItemState, Job, JobState, load_job
from frs.match.job_results import JobResult
from frs.match.upload_records import MediaKind, UploadState
from frs.match.video_tracks import VideoTracks
from frs.settings import RetrospectiveSettings
from frs.store.schema import job_candidate, job_item, job_probe
from tests.conftest import open_installation
from tests.installation import Installation
from tests.manual_clock import ManualClock
from tests.match import clips
from tests.match.clips import Walk
from tests.match.search_desk import INVESTIGATOR, SearchDesk, found_in

VIDEOS = Path(__file__).parents[3] / "shared" / "data" / "video"
STEP_MS = 200
"""Between two frames examined at five a second."""


@pytest.fixture
def desk(installation: Installation) -> Iterator[SearchDesk]:
    yield from SearchDesk.over(installation)


def submit(desk: SearchDesk, *videos: bytes) -> Job:
    return desk.submit(*(desk.upload(video, MediaKind.VIDEO, "clip.mp4") for video in videos))


def results(desk: SearchDesk, job: Job) -> tuple[JobResult, ...]:
    return desk.jobs.results(INVESTIGATOR, job.id, 100, "").items


def stretches_of(desk: SearchDesk, seconds: float) -> None:
    desk.change(retrospective=RetrospectiveSettings(segment_seconds=seconds))


def test_a_listed_person_is_found_in_a_video_with_time_codes(
    desk: SearchDesk, sample_people: tuple[bytes, ...]
) -> None:
    """A track is one probe: when it was first, last and best seen, its best face, and the mean score of its frames."""
    desk.listed("wanted", {"N-0": sample_people[0]})
    video = clips.mp4(3.0, Walk(sample_people[0], 0.6, 2.4), Walk(sample_people[3], 0.0, 3.0, left=330))
    job = submit(desk, video)
    desk.jobs.start()
    done = desk.finished(job)
    assert (done.state, done.faces, done.probes_matched) == (JobState.DONE, 2, 1)
    assert (done.items[0].frames, done.items[0].faces) == (15, 2)
    (result,) = results(desk, job)
    assert (result.first_ms, result.last_ms) == (600, 2200)
    assert result.first_ms <= result.best_ms <= result.last_ms
    assert result.best_ms % STEP_MS == 0
    (candidate,) = result.candidates
    assert (candidate.nominal, candidate.frames) == ("N-0", 9)
    (face,) = desk.engine.detect(decode_picture(result.crop, 1 << 22, 1 << 24))
    reference = desk.engine.embed(desk.engine.analyse(sample_people[0]).faces)
    assert float((desk.engine.embed([face]) @ reference.T)[0, 0]) > candidate.threshold


def test_a_job_that_is_held_waits_and_goes_on(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """While the service may answer nobody nothing is searched; then the same job is finished."""
    desk.listed("wanted", {"N-0": sample_people[0]})
    desk.jobs.hold(True)
    job = submit(desk, clips.mp4(1.0, Walk(sample_people[0], 0.0, 1.0)))
    desk.jobs.start()
    time.sleep(0.5)
    assert desk.jobs.get(job.id).state is JobState.QUEUED
    desk.jobs.hold(False)
    assert desk.finished(job).state is JobState.DONE


def test_the_score_of_a_track_is_the_mean_of_its_frames(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """The query is the mean of the frames' templates, not of unit length: its score is the mean of their scores."""
    desk.listed("wanted", {"N-0": sample_people[0]}, score=0.5)
    video = clips.mp4(1.0, Walk(sample_people[0], 0.0, 1.0))
    job = submit(desk, video)
    desk.jobs.start()
    desk.finished(job)
    ((candidate,),) = (result.candidates for result in results(desk, job))
    reference = desk.engine.embed(desk.engine.analyse(sample_people[0]).faces)[0]
    faces = [desk.engine.detect(frame.picture)[0] for frame in read_video(video, 5.0, 30.0, 1 << 24)]
    scores = desk.engine.embed(faces) @ reference
    assert candidate.frames == len(scores) == 5
    assert candidate.score == pytest.approx(float(np.mean(scores)), abs=2e-4)


def test_an_animated_gif_is_a_video(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """Announced as a video, its frames are followed like any other's."""
    desk.listed("wanted", {"N-0": sample_people[0]})
    job = submit(desk, clips.gif(1.0, Walk(sample_people[0], 0.0, 1.0)))
    desk.jobs.start()
    done = desk.finished(job)
    assert (done.items[0].frames, done.probes_matched) == (5, 1)
    assert results(desk, job)[0].candidates[0].frames == 5


def test_nothing_is_left_of_who_matches_nobody(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """Neither row nor byte: no frame, crop, aligned face or template of a track without candidates."""
    desk.listed("wanted", {"N-0": sample_people[0]})
    video = clips.mp4(1.0, Walk(sample_people[3], 0.0, 1.0))
    traces = {"video": video}
    tracks = VideoTracks(desk.engine, desk.engine.embed, 2.0, 10, 1)
    for frame in read_video(video, 5.0, 30.0, 1 << 24):
        (face,) = desk.engine.detect(frame.picture)
        traces[f"aligned {frame.index}"] = face.aligned.tobytes()
        traces[f"template {frame.index}"] = desk.engine.embed([face])[0].tobytes()
        tracks.see(frame.time_ms, frame.picture)
    (probe,), queries = tracks.probes()
    traces |= {"portrait": probe.portrait.tobytes(), "query": queries[0].tobytes()}
    job = submit(desk, video)
    desk.jobs.start()
    assert desk.finished(job).faces == 1
    assert (desk.count(job_probe), desk.count(job_candidate)) == (0, 0)
    desk.close()
    assert found_in(desk.data_dir, traces) == set()


def test_a_track_forgets_what_it_held(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """Portraits and templates are overwritten in memory, not merely let go."""
    tracks = VideoTracks(desk.engine, desk.engine.embed, 2.0, 10, 1)
    for frame in read_video(clips.mp4(0.5, Walk(sample_people[0], 0.0, 0.5)), 5.0, 30.0, 1 << 24):
        tracks.see(frame.time_ms, frame.picture)
    (probe,), _ = tracks.probes()
    assert probe.portrait.any()
    tracks.forget()
    assert not probe.portrait.any()
    assert tracks.probes()[0] == ()


def test_results_are_committed_a_stretch_at_a_time(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """What a stretch found can be read while the rest is searched; a person in two stretches is one subject."""
    stretches_of(desk, 1.0)
    desk.listed("wanted", {"N-0": sample_people[0]})
    job = submit(desk, clips.mp4(2.4, Walk(sample_people[0], 0.0, 2.4)))
    desk.jobs.start()
    running = desk.wait(job, lambda now: now.probes_matched > 0)
    assert len(results(desk, job)) >= 1
    assert running.state is JobState.RUNNING
    assert 0.0 < running.progress < 1.0
    done = desk.finished(job)
    spans = [(result.number, result.first_ms, result.last_ms) for result in results(desk, job)]
    assert spans == [(1, 0, 1000), (2, 1200, 2200)]
    assert (done.items[0].frames, done.faces, done.probes_matched) == (12, 2, 2)
    (subject,) = desk.jobs.subjects(INVESTIGATOR, job.id, 10, "").items
    assert {sighting.first_ms for sighting in subject.sightings} == {0, 1200}


def test_progress_grows_with_the_frames(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """Whoever watches sees frames and share grow while a video is searched, and never go back."""
    desk.listed("wanted", {"N-0": sample_people[0]})
    job = submit(desk, clips.mp4(2.0, Walk(sample_people[0], 0.0, 2.0)), clips.mp4(0.5, Walk(sample_people[0], 0, 1)))
    seen: list[tuple[float, int]] = []
    desk.jobs.start()

    def look(now: Job) -> bool:
        seen.append((now.progress, sum(item.frames for item in now.items)))
        return now.finished

    desk.wait(job, look)
    assert seen == sorted(seen)
    assert len({share for share, _ in seen}) > 4
    assert seen[-1] == (1.0, 13)


def test_a_medium_that_was_just_settled_is_not_counted_twice(
    desk: SearchDesk, sample_people: tuple[bytes, ...]
) -> None:
    """The share that was noted of it before is of no other medium."""
    desk.listed("wanted", {"N-0": sample_people[0]})
    job = submit(desk, clips.mp4(0.5, Walk(sample_people[0], 0, 1)), clips.mp4(0.5, Walk(sample_people[0], 0, 1)))
    first = (job_item.c.job_id == job.id, job_item.c.position == 0)
    desk.installation.store.database.write(
        lambda tx: tx.connection.execute(job_item.update().where(*first).values(state="done"))
    )
    for position, progress in ((0, 0.5), (1, 0.95)):
        with desk.installation.store.database.read() as connection:
            found = load_job(connection, job.id, {job.id: ItemProgress(position, 0.9, 3, 1)})
        assert found is not None
        assert found.progress == pytest.approx(progress)


def test_a_running_job_stops_between_two_frames(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """Cancelled, it keeps what was committed, drops the rest, destroys its media and lets the next job go on."""
    stretches_of(desk, 1.0)
    desk.listed("wanted", {"N-0": sample_people[0]})
    long = submit(desk, clips.mp4(8.0, Walk(sample_people[0], 0.0, 8.0)))
    after = desk.submit(desk.upload(sample_people[0]))
    desk.jobs.start()
    desk.wait(long, lambda now: now.probes_matched > 0)
    cancelled = desk.jobs.cancel(INVESTIGATOR, long.id)
    assert cancelled.state is JobState.CANCELLED
    assert desk.finished(after).probes_matched == 1
    final = desk.jobs.get(long.id)
    assert 1 <= final.probes_matched < 8
    assert len(results(desk, long)) == final.probes_matched
    assert final.items[0].state is ItemState.QUEUED
    assert final.progress < 1.0
    assert desk.uploads.get(INVESTIGATOR, final.items[0].upload).state is UploadState.DESTROYED
    assert desk.last_event("search.job-cancelled")["subjects"][0]["nominal"] == "N-0"
    with pytest.raises(FrsError) as refused:
        desk.jobs.cancel(INVESTIGATOR, long.id)
    assert refused.value.reason is Reason.JOB_FINISHED


def test_an_authorisation_that_ends_during_a_video_stops_it(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """It is looked at again before each stretch; what was found while it lasted stays."""
    stretches_of(desk, 1.0)
    desk.listed("wanted", {"N-0": sample_people[0]})
    job = submit(desk, clips.mp4(6.0, Walk(sample_people[0], 0.0, 6.0)))
    desk.jobs.start()
    desk.wait(job, lambda now: now.probes_matched > 0)
    desk.clock.advance(hours=1)
    failed = desk.finished(job)
    assert (failed.state, failed.error_reason) == (JobState.FAILED, "AUTHORISATION_EXPIRED")
    assert 1 <= failed.probes_matched < 6
    assert len(results(desk, job)) == failed.probes_matched


def test_a_video_that_breaks_off_gives_what_can_be_decoded(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """Of a recording that was cut short the frames that are there are searched."""
    desk.listed("wanted", {"N-0": sample_people[0]})
    whole = clips.mkv(3.0, Walk(sample_people[0], 0.0, 3.0))
    job = submit(desk, whole[: len(whole) * 2 // 3])
    desk.jobs.start()
    done = desk.finished(job)
    assert done.probes_matched == 1
    assert 5 <= done.items[0].frames < 15


def test_a_video_without_pictures_fails_with_its_reason(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """A still announced as a video and an empty container are told apart from videos without faces."""
    desk.listed("wanted", {"N-0": sample_people[0]})
    job = submit(desk, b"\x1aE\xdf\xa3" + bytes(500), clips.mp4(0.5))
    desk.jobs.start()
    done = desk.finished(job)
    assert done.state is JobState.DONE
    assert (done.items[0].error_reason, done.items[0].frames) == ("VIDEO_UNREADABLE", 0)
    assert (done.items[1].error_reason, done.items[1].frames, done.items[1].faces) == (None, 3, 0)


@pytest.fixture
def signers(tmp_path: Path, dev_engine: FaceEngine, dev_pack: Pack, clock: ManualClock) -> Iterator[SearchDesk]:
    """Give a desk with the development pack, where the shared videos are."""
    if not VIDEOS.is_dir():
        pytest.skip("needs ../shared/data/video, which is not there")
    for installation in open_installation(tmp_path, dev_engine, dev_pack, clock):
        yield from SearchDesk.over(installation)


@pytest.mark.shared
def test_a_signer_enrolled_from_one_clip_is_found_in_another(signers: SearchDesk) -> None:
    """Real recordings: two signers, each enrolled from one clip, are found in their other clips and nobody else is."""
    signers.change(retrospective=RetrospectiveSettings(video_fps=2.0))
    pictures = {name: next(iter(read_video(VIDEOS / f"{name}.mkv", 1.0, 30.0, 1 << 24))) for name in ("book", "night")}
    people = {"N-1": encode_jpeg(pictures["book"].picture), "N-2": encode_jpeg(pictures["night"].picture)}
    signers.listed("signers", people, score=0.6)
    clips_there = ("learn.mkv", "sister.mkv", "please.mkv", "head-pose-face-detection-female-and-male.gif")
    media = [signers.upload((VIDEOS / name).read_bytes(), MediaKind.VIDEO, name) for name in clips_there]
    job = signers.submit(*media, lists=("signers",))
    signers.jobs.start()
    done = signers.finished(job)
    assert [item.faces for item in done.items] == [1, 1, 1, 2]
    found = {(each.file_name, each.candidates[0].nominal) for each in results(signers, job)}
    assert found == {("learn.mkv", "N-1"), ("sister.mkv", "N-2")}
