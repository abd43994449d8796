"""A job outlives the process: it goes on behind what is committed, whether the service stopped or was killed."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from frs.embed.engine import FaceEngine
from frs.embed.loading import load_engine
from frs.match.job_records import ItemState, Job, JobState
from frs.match.upload_records import MediaKind, UploadState
from frs.settings import RetrospectiveSettings
from tests.installation import Installation
from tests.match import clips
from tests.match.clips import Walk
from tests.match.search_desk import INVESTIGATOR, SearchDesk

SECONDS = 4
"""Of video; a stretch is one second."""
SPANS = [(1, 0, 1000), (2, 1200, 2200), (3, 2400, 3400), (4, 3600, 3800)]
"""Number, first and last time code of each track when nothing interrupts."""
FRAMES = 20


@pytest.fixture
def desk(installation: Installation) -> Iterator[SearchDesk]:
    desk = SearchDesk(installation)
    desk.change(retrospective=RetrospectiveSettings(segment_seconds=1.0))
    yield desk
    desk.jobs.close()


@pytest.fixture
def plain_engine(desk: SearchDesk) -> Iterator[FaceEngine]:
    """Give the same pack under the profile that does not mirror."""
    assert desk.engine.model.profile == "mirror"
    plain = desk.settings.embed.model_copy(update={"profile": "plain"})
    engine = load_engine(desk.settings.model_copy(update={"embed": plain}))
    yield engine
    engine.close()


def submit_video(desk: SearchDesk, person: bytes) -> Job:
    desk.listed("wanted", {"N-0": person})
    video = clips.mp4(SECONDS, Walk(person, 0.0, SECONDS))
    return desk.submit(desk.upload(video, MediaKind.VIDEO, "clip.mp4"))


def spans(desk: SearchDesk, job: Job) -> list[tuple[int, int, int]]:
    """Return the tracks found, and check that each has its crop and its candidate."""
    items = desk.jobs.results(INVESTIGATOR, job.id, 100, "").items
    assert all(item.crop and [each.nominal for each in item.candidates] == ["N-0"] for item in items)
    return [(item.number, item.first_ms, item.last_ms) for item in items]


def check_whole(desk: SearchDesk, job: Job) -> None:
    """Check that a finished job is what it would be without any interruption."""
    assert (job.state, job.probes_matched, job.faces) == (JobState.DONE, len(SPANS), len(SPANS))
    assert (job.items[0].state, job.items[0].frames) == (ItemState.DONE, FRAMES)
    assert spans(desk, job) == SPANS
    assert desk.uploads.get(INVESTIGATOR, job.items[0].upload).state is UploadState.DESTROYED
    assert desk.actions("search.job-finished") == ["search.job-finished"]


def test_a_video_goes_on_behind_the_last_stretch(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """Stopped in the middle and started again, a job ends as if nothing had happened: no track twice, none missing."""
    job = submit_video(desk, sample_people[0])
    desk.jobs.start()
    before = desk.wait(job, lambda now: now.probes_matched > 0).started_at
    desk.restart()
    stopped = desk.jobs.get(job.id)
    assert (stopped.state, stopped.started_at) == (JobState.RUNNING, before)
    committed = spans(desk, stopped)
    assert committed == SPANS[: len(committed)]
    assert 1 <= len(committed) < len(SPANS)
    desk.clock.advance(minutes=1)
    desk.jobs.start()
    done = desk.finished(job)
    assert done.started_at == before
    check_whole(desk, done)


RUNNER = """
    import sys, time
    from pathlib import Path
    from conftest import engine_settings
    from frs.embed.loading import load_engine
    from frs.embed.pack import load_pack
    from frs.settings import RetrospectiveSettings
    from tests.installation import Installation
    from tests.manual_clock import ManualClock
    from tests.match.search_desk import SearchDesk

    settings = engine_settings(load_pack(Path(sys.argv[2])), Path(sys.argv[1]))
    installation = Installation(settings, ManualClock(), load_engine(settings))
    installation.open()
    desk = SearchDesk(installation)
    desk.change(retrospective=RetrospectiveSettings(segment_seconds=1.0))
    desk.jobs.start()
    while True:
        print(desk.jobs.get(sys.argv[3]).probes_matched, flush=True)
        time.sleep(0.02)
"""


def test_a_job_survives_a_kill(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """Killed with -9 while it searched a video, the job ends with the same tracks, each once."""
    job = submit_video(desk, sample_people[0])
    desk.close()
    tests = Path(__file__).parents[1]
    pack = Path(desk.settings.models_path) / desk.settings.embed.pack
    command = [sys.executable, "-c", textwrap.dedent(RUNNER), str(desk.data_dir), str(pack), job.id]
    environment = {"PYTHONPATH": f"{tests}:{tests.parent}", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        reached = next(count for count in map(int, process.stdout) if count > 0)
        process.kill()
    desk.installation.open()
    desk.change(retrospective=RetrospectiveSettings(segment_seconds=1.0))
    killed = desk.jobs.get(job.id)
    assert killed.state is JobState.RUNNING
    assert reached <= killed.probes_matched < len(SPANS)
    desk.jobs.start()
    check_whole(desk, desk.finished(job))


def test_items_that_were_done_are_not_searched_again(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """A job that only lacked its end when the service stopped is ended, and its items are as they were."""
    desk.listed("wanted", {"N-0": sample_people[0]})
    job = desk.submit(desk.upload(sample_people[0]), desk.upload(b"no picture"))
    with desk.log_broken():  # so that the end cannot be written
        desk.jobs.start()
        desk.wait(job, lambda now: all(item.settled for item in now.items))
        desk.jobs.close()
    desk.restart()
    assert desk.jobs.get(job.id).state is JobState.RUNNING
    desk.installation.watchlists.retire(INVESTIGATOR, "wanted", "so that nothing can be searched again")
    desk.jobs.start()
    done = desk.finished(job)
    assert (done.state, done.probes_matched) == (JobState.DONE, 1)
    assert [item.error_reason for item in done.items] == [None, "PICTURE_UNREADABLE"]


def test_a_job_for_another_model_is_not_searched(
    desk: SearchDesk, sample_people: tuple[bytes, ...], plain_engine: FaceEngine
) -> None:
    """When the service comes back with another scoring profile the thresholds mean nothing: the job fails with that."""
    desk.listed("wanted", {"N-0": sample_people[0]})
    job = desk.submit(desk.upload(sample_people[0]))
    desk.restart(plain_engine)
    desk.jobs.start()
    failed = desk.finished(job)
    assert (failed.state, failed.error_reason) == (JobState.FAILED, "THRESHOLD_OTHER_MODEL")
    assert desk.uploads.get(INVESTIGATOR, job.items[0].upload).state is UploadState.DESTROYED
