"""Retrospective jobs of stills: queued, searched, read, and their media destroyed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
import structlog

from frs.embed.decoding import crop_face, decode_picture, encode_jpeg
from frs.errors import FrsError, Reason
from frs.match.job_records import ItemState, JobState
from frs.match.upload_records import MediaKind, UploadState
from frs.store.schema import job, job_candidate, job_probe
from frs.types import Actor, Role
from tests.installation import Installation
from tests.match import clips
from tests.match.search_desk import INVESTIGATOR, SearchDesk, found_in

OTHER_INVESTIGATOR = Actor("ivan", frozenset({Role.INVESTIGATOR}), "certificate:09")


@pytest.fixture
def desk(installation: Installation) -> Iterator[SearchDesk]:
    yield from SearchDesk.over(installation)


def test_a_job_finds_who_is_listed(desk: SearchDesk, sample_people: tuple[bytes, ...], group_picture: bytes) -> None:
    """Stills are searched in order; probes that found somebody are kept with crop and candidates, others counted."""
    listed = desk.listed("wanted", {"N-1": sample_people[1], "N-4": sample_people[4]})
    media = [
        desk.upload(clips.retaken(sample_people[4]), name="door.jpg"),
        desk.upload(clips.retaken(sample_people[3]), name="street.jpg"),
        desk.upload(group_picture, name="group.jpg"),
    ]
    submitted = desk.submit(*media)
    assert (submitted.state, submitted.progress) == (JobState.QUEUED, 0.0)
    assert [(entry.watchlist, entry.version) for entry in submitted.searched] == [("wanted", listed.version)]
    desk.jobs.start()
    done = desk.finished(submitted)
    assert (done.state, done.progress, done.faces, done.probes_matched) == (JobState.DONE, 1.0, 8, 3)
    assert [(item.state, item.frames, item.faces) for item in done.items] == [
        (ItemState.DONE, 1, 1),
        (ItemState.DONE, 1, 1),
        (ItemState.DONE, 1, 6),
    ]
    assert (done.model, done.profile) == (desk.engine.model.id, desk.engine.model.profile)
    page = desk.jobs.results(INVESTIGATOR, done.id, 10, "")
    assert [(each.file_name, each.candidates[0].nominal) for each in page.items[:1]] == [("door.jpg", "N-4")]
    assert {each.candidates[0].nominal for each in page.items[1:]} == {"N-1", "N-4"}
    for result in page.items:
        (face,) = desk.engine.detect(decode_picture(result.crop, 1 << 22, 1 << 24))
        assert face.quality.usable
        (candidate,) = result.candidates
        assert candidate.score >= candidate.threshold
        assert candidate.probe_quality == result.quality
        assert (candidate.model, candidate.notice) == (desk.engine.model.id, desk.engine.model.notice)
        assert decode_picture(result.references[candidate.reference], 1 << 22, 1 << 24).size


def test_results_come_in_pages_and_by_subject(
    desk: SearchDesk, sample_people: tuple[bytes, ...], group_picture: bytes
) -> None:
    """Pages go through all probes once; subjects come best first, each with all who found them."""
    desk.listed("wanted", {"N-1": sample_people[1], "N-4": sample_people[4]})
    job = desk.submit(desk.upload(group_picture), desk.upload(sample_people[4]), desk.upload(sample_people[1]))
    desk.jobs.start()
    desk.finished(job)
    seen, token = [], ""
    while True:
        page = desk.jobs.results(INVESTIGATOR, job.id, 1, token)
        seen += [(each.item, each.candidates[0].nominal) for each in page.items]
        token = page.next_token
        if not token:
            break
    assert len(seen) == len(set(seen)) == 4
    assert seen[2:] == [(1, "N-4"), (2, "N-1")]
    first = desk.jobs.subjects(INVESTIGATOR, job.id, 1, "")
    rest = desk.jobs.subjects(INVESTIGATOR, job.id, 1, first.next_token)
    assert rest.next_token == ""
    (best,), (other,) = first.items, rest.items
    assert {best.nominal, other.nominal} == {"N-1", "N-4"}
    assert best.best.score >= other.best.score
    for subject in (best, other):
        scores = [sighting.candidates[0].score for sighting in subject.sightings]
        assert len(scores) == 2
        assert scores == sorted(scores, reverse=True)
        assert subject.best.score == scores[0]
        assert subject.reference
        assert all(sighting.crop == b"" for sighting in subject.sightings)
    with pytest.raises(FrsError) as refused:
        desk.jobs.subjects(INVESTIGATOR, job.id, 1, desk.jobs.results(INVESTIGATOR, job.id, 1, "").next_token)
    assert refused.value.reason is Reason.INVALID_PAGE_TOKEN


def test_every_reading_is_logged_or_refused(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """Each page read is an event with who was shown; with the log broken there is nothing to read."""
    desk.listed("wanted", {"N-1": sample_people[1]})
    job = desk.submit(desk.upload(sample_people[1]))
    desk.jobs.start()
    desk.finished(job)
    desk.jobs.results(INVESTIGATOR, job.id, 10, "")
    event = desk.last_event("search.candidates-read")
    assert (event["listing"], event["first_page"], event["probes"]) == ("results", True, 1)
    desk.jobs.subjects(INVESTIGATOR, job.id, 10, "")
    assert desk.actions("search.candidates-read") == ["search.candidates-read"] * 2
    desk.break_log()
    for read in (desk.jobs.results, desk.jobs.subjects):
        with pytest.raises(FrsError) as refused:
            read(INVESTIGATOR, job.id, 10, "")
        assert refused.value.reason is Reason.LOG_UNAVAILABLE


def test_submission_and_end_are_logged(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """The first event says what is searched and why; the last what was found, with the lists."""
    desk.listed("wanted", {"N-1": sample_people[1]})
    job = desk.submit(desk.upload(clips.retaken(sample_people[1]), name="door.jpg"))
    event = desk.last_event("search.job-submitted")
    assert (event["incident"], event["media"][0]["file_name"]) == ("INC-7", "door.jpg")
    assert event["searched"][0]["watchlist"] == "wanted"
    desk.jobs.start()
    desk.finished(job)
    event = desk.last_event("search.job-finished")
    assert (event["state"], event["probes_matched"], event["submitted_by"]) == ("done", 1, INVESTIGATOR.name)
    assert [(each["nominal"], each["probes"]) for each in event["subjects"]] == [("N-1", 1)]
    assert event["media"][0] | {"upload": ""} == {
        "upload": "", "file_name": "door.jpg", "state": "done", "frames": 1, "faces": 1, "error": None,
    }  # fmt: skip


def test_a_job_that_cannot_be_logged_is_not_queued(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """Submission and event happen together or not at all."""
    desk.listed("wanted", {"N-1": sample_people[1]})
    upload = desk.upload(sample_people[1])
    desk.break_log()
    with pytest.raises(FrsError) as refused:
        desk.submit(upload)
    assert refused.value.reason is Reason.LOG_UNAVAILABLE
    assert desk.count(job) == 0


def test_media_that_cannot_be_searched_fail_alone(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """A truncated still, one that is no picture and one that is no video fail with their reasons; the rest is done."""
    desk.listed("wanted", {"N-1": sample_people[1]})
    job = desk.submit(
        desk.upload(sample_people[1][:-700]),
        desk.upload(b"no picture at all"),
        desk.upload(b"no video either", MediaKind.VIDEO),
        desk.upload(sample_people[1]),
    )
    desk.jobs.start()
    done = desk.finished(job)
    assert (done.state, done.probes_matched, done.error_reason) == (JobState.DONE, 1, None)
    assert [item.error_reason for item in done.items] == [
        "PICTURE_TRUNCATED",
        "PICTURE_UNREADABLE",
        "VIDEO_UNREADABLE",
        None,
    ]
    assert all(item.error_message for item in done.items[:3])


def test_files_that_cannot_be_read_fail_alone(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """Files that are gone, cut short, overwritten or on a bad sector (EIO) fail with the reason; the rest is done."""
    desk.listed("wanted", {"N-1": sample_people[1]})
    bad = [desk.upload(sample_people[1]) for _ in range(4)] + [desk.upload(b"never decoded", MediaKind.VIDEO)]
    gone, short, changed, *unreadable = (desk.data_dir / "uploads" / upload for upload in bad)
    gone.unlink()
    short.write_bytes(short.read_bytes()[:-1])
    changed.write_bytes(changed.read_bytes()[:-1] + b"?")
    for path in unreadable:
        path.unlink()
        path.symlink_to("/proc/self/mem")  # its first page is not mapped: read() fails with EIO, as on a bad sector
    job = desk.submit(*bad, desk.upload(sample_people[1]))
    desk.jobs.start()
    done = desk.finished(job)
    assert (done.state, done.probes_matched) == (JobState.DONE, 1)
    mismatch = "UPLOAD_CHECKSUM_MISMATCH"
    assert [item.error_reason for item in done.items] == [mismatch, mismatch, "KEY_WRONG", mismatch, mismatch, None]
    assert "Input/output error" in (done.items[3].error_message or "")


def test_a_job_without_any_media_that_could_be_searched_has_failed(
    desk: SearchDesk, sample_people: tuple[bytes, ...]
) -> None:
    """When all items failed the job has, with the first one's reason."""
    desk.listed("wanted", {"N-1": sample_people[1]})
    job = desk.submit(desk.upload(b"no picture"), desk.upload(sample_people[1][:-700]))
    desk.jobs.start()
    failed = desk.finished(job)
    assert (failed.state, failed.error_reason, failed.progress) == (JobState.FAILED, "PICTURE_UNREADABLE", 1.0)
    assert desk.last_event("search.job-finished")["error"] == "PICTURE_UNREADABLE"


def test_uploads_are_destroyed_after_use(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """When the last job that needs them has ended, done, failed or cancelled, the media are gone with their keys."""
    desk.listed("wanted", {"N-1": sample_people[1]})
    shared, bad = desk.upload(sample_people[1]), desk.upload(b"no picture")
    first, second = desk.submit(shared), desk.submit(shared, bad)
    cancelled = desk.submit(desk.upload(sample_people[1]))
    desk.jobs.cancel(INVESTIGATOR, cancelled.id)
    assert desk.uploads.get(INVESTIGATOR, cancelled.items[0].upload).state is UploadState.DESTROYED
    with pytest.raises(FrsError) as refused:
        desk.uploads.delete(INVESTIGATOR, shared)
    assert refused.value.reason is Reason.UPLOAD_IN_USE
    desk.jobs.start()
    assert desk.finished(first).probes_matched == 1
    assert desk.finished(second).probes_matched == 1
    # Who reads sees the job's end with its commit, and the keys go right behind it: wait for the writer's next act.
    desk.installation.store.database.write(lambda tx: None)  # noqa: ARG005
    for name in (shared, bad):
        assert desk.uploads.get(INVESTIGATOR, name).state is UploadState.DESTROYED
        with pytest.raises(FrsError) as gone:
            desk.vault.seal(f"upload:{name}", b"")
        assert gone.value.reason is Reason.KEY_MISSING
    assert list((desk.data_dir / "uploads").iterdir()) == []
    with pytest.raises(FrsError) as used:
        desk.submit(shared)
    assert used.value.reason is Reason.UPLOAD_NOT_FOUND


def test_what_is_left_of_faces_is_sealed_and_only_of_matches(
    desk: SearchDesk, sample_people: tuple[bytes, ...]
) -> None:
    """No file holds bytes of the media, crops or templates; of a probe without candidates there is no row at all."""
    desk.listed("wanted", {"N-1": sample_people[1]})
    pictures = [clips.retaken(sample_people[1]), clips.retaken(sample_people[3])]
    traces: dict[str, bytes] = {}
    for number, picture in enumerate(pictures):
        analysis = desk.engine.analyse(picture)
        traces[f"media {number}"] = picture
        traces[f"crop {number}"] = encode_jpeg(crop_face(analysis.picture, analysis.faces[0].box))
        traces[f"template {number}"] = desk.engine.embed(analysis.faces)[0].tobytes()
    job = desk.submit(*(desk.upload(picture) for picture in pictures))
    assert found_in(desk.data_dir, traces) == set()
    desk.jobs.start()
    assert desk.finished(job).faces == 2
    assert (desk.count(job_probe), desk.count(job_candidate)) == (1, 1)
    assert found_in(desk.data_dir, traces) == set()
    (result,) = desk.jobs.results(INVESTIGATOR, job.id, 10, "").items
    assert result.crop == traces["crop 0"]


def test_only_usable_uploads_of_ones_own_are_taken(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """An unknown, foreign or incomplete upload, or an unsearchable list, refuses the job; the refusal is logged."""
    desk.listed("wanted", {"N-1": sample_people[1]})
    desk.listed("draft", {"N-1": sample_people[1]}, active=False)
    upload = desk.upload(sample_people[1])
    half = desk.uploads.create(INVESTIGATOR, MediaKind.STILL, "half.jpg", 10, "00" * 32).id
    officer = Actor("olga", frozenset({Role.OFFICER}), "certificate:03")
    for actor, media, lists, hours, reason in (
        (INVESTIGATOR, ["0" * 32], ["wanted"], 1.0, Reason.UPLOAD_NOT_FOUND),
        (officer, [upload], ["wanted"], 1.0, Reason.UPLOAD_NOT_FOUND),
        (INVESTIGATOR, [upload, half], ["wanted"], 1.0, Reason.UPLOAD_INCOMPLETE),
        (INVESTIGATOR, [upload], ["draft"], 1.0, Reason.WATCHLIST_NOT_ACTIVE),
        (INVESTIGATOR, [upload], ["wanted"], 0.0, Reason.AUTHORISATION_EXPIRED),
    ):
        with pytest.raises(FrsError) as refused:
            desk.jobs.submit(actor, desk.authority(hours), lists, media, 0)
        assert refused.value.reason is reason
        assert desk.last_event("search.refused")["refused"] == reason
    assert desk.count(job) == 0
    assert desk.jobs.submit(OTHER_INVESTIGATOR, desk.authority(), ["wanted"], [upload], 0).created_by == "ivan"


def test_the_authorisation_is_looked_at_again_when_an_item_starts(
    desk: SearchDesk, sample_people: tuple[bytes, ...]
) -> None:
    """A job that waited past its authorisation searches nothing."""
    desk.listed("wanted", {"N-1": sample_people[1]})
    job = desk.submit(desk.upload(sample_people[1]), hours=1)
    desk.clock.advance(hours=1)
    desk.jobs.start()
    failed = desk.finished(job)
    assert (failed.state, failed.error_reason) == (JobState.FAILED, "AUTHORISATION_EXPIRED")
    assert (failed.faces, failed.probes_matched) == (0, 0)


def test_a_list_that_expired_meanwhile_is_left_out(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """The lists that may still be searched are; without any, the job fails."""
    desk.listed("wanted", {"N-1": sample_people[1]})
    desk.listed("short", {"N-2": sample_people[1]}, days=1)
    both = desk.submit(desk.upload(sample_people[1]), lists=("short", "wanted"), hours=72)
    gone = desk.submit(desk.upload(sample_people[1]), lists=("short",), hours=72)
    desk.clock.advance(days=1)
    desk.jobs.start()
    assert desk.finished(both).probes_matched == 1
    (result,) = desk.jobs.results(INVESTIGATOR, both.id, 10, "").items
    assert [each.nominal for each in result.candidates] == ["N-1"]
    failed = desk.finished(gone)
    assert (failed.state, failed.error_reason) == (JobState.FAILED, "WATCHLIST_NOT_ACTIVE")


def test_a_withdrawn_subject_is_no_longer_found_nor_shown(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """Withdrawn before the search they match nobody; withdrawn after it their picture is gone and the fact stays."""
    desk.listed("wanted", {"N-1": sample_people[1], "N-4": sample_people[4]})
    job = desk.submit(desk.upload(sample_people[1]), desk.upload(sample_people[4]))
    subjects = {s.nominal: s.id for s in desk.installation.watchlists.list_subjects("wanted", 10, "").items}
    desk.withdraw(subjects["N-1"])
    desk.jobs.start()
    assert desk.finished(job).probes_matched == 1
    desk.withdraw(subjects["N-4"])
    (result,) = desk.jobs.results(INVESTIGATOR, job.id, 10, "").items
    assert (result.candidates[0].nominal, result.references) == ("N-4", {})
    (subject,) = desk.jobs.subjects(INVESTIGATOR, job.id, 10, "").items
    assert (subject.nominal, subject.reference) == ("N-4", b"")


def test_lists_that_changed_since_the_submission_are_logged(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """The log says which versions were searched: when it is not those of the submission, once for each change."""
    listed = desk.listed("wanted", {"N-1": sample_people[1], "N-4": sample_people[4]})
    same = desk.submit(desk.upload(sample_people[1]))
    desk.jobs.start()
    desk.finished(same)
    assert desk.actions("search.job-lists-changed") == []
    desk.restart()
    changed = desk.submit(desk.upload(sample_people[1]), desk.upload(sample_people[4]))
    (subject,) = (
        s.id for s in desk.installation.watchlists.list_subjects("wanted", 10, "").items if s.nominal == "N-4"
    )
    desk.withdraw(subject)
    version = desk.installation.watchlists.get("wanted").version
    assert version > listed.version
    desk.jobs.start()
    desk.finished(changed)
    assert desk.actions("search.job-lists-changed") == ["search.job-lists-changed"]
    event = desk.last_event("search.job-lists-changed")
    assert event == {"item": 0, "lists": [{"watchlist": "wanted", "version": version}]}
    (result,) = desk.jobs.results(INVESTIGATOR, changed.id, 10, "").items
    assert result.candidates[0].watchlist_version == version


def test_a_job_is_cancelled_once(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """A queued job that is cancelled is never searched; there is nothing left to cancel, and it is logged."""
    desk.listed("wanted", {"N-1": sample_people[1]})
    job = desk.submit(desk.upload(sample_people[1]))
    cancelled = desk.jobs.cancel(INVESTIGATOR, job.id)
    assert (cancelled.state, cancelled.finished_at) == (JobState.CANCELLED, desk.clock.now())
    assert desk.last_event("search.job-cancelled")["state"] == "cancelled"
    after = desk.submit(desk.upload(sample_people[1]))
    desk.jobs.start()
    desk.finished(after)
    assert (desk.jobs.get(job.id).state, desk.jobs.get(job.id).faces) == (JobState.CANCELLED, 0)
    for name, reason in ((job.id, Reason.JOB_FINISHED), (after.id, Reason.JOB_FINISHED), ("x", Reason.JOB_NOT_FOUND)):
        with pytest.raises(FrsError) as refused:
            desk.jobs.cancel(INVESTIGATOR, name)
        assert refused.value.reason is reason


def test_jobs_are_listed_newest_first(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """Pages of jobs, and an unknown one is not found."""
    desk.listed("wanted", {"N-1": sample_people[1]})
    names = []
    for _ in range(3):
        names.append(desk.submit(desk.upload(sample_people[1])).id)
        desk.clock.advance(seconds=1)
    first = desk.jobs.list(2, "")
    rest = desk.jobs.list(2, first.next_token)
    assert [each.id for each in (*first.items, *rest.items)] == names[::-1]
    assert rest.next_token == ""
    with pytest.raises(FrsError) as refused:
        desk.jobs.get("unknown")
    assert refused.value.reason is Reason.JOB_NOT_FOUND


def test_what_passes_by_itself_is_waited_for(
    desk: SearchDesk, sample_people: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job whose end cannot be logged does not end: it stays running, its media stay, and it ends when it can."""
    monkeypatch.setattr("frs.match.job_runner.RETRY_SECONDS", 0.05)
    desk.listed("wanted", {"N-1": sample_people[1]})
    job = desk.submit(desk.upload(sample_people[1]))
    with desk.log_broken():
        desk.jobs.start()
        waiting = desk.wait(job, lambda now: now.items[0].settled)
        time.sleep(0.3)
        assert desk.jobs.get(job.id) == waiting
        assert (waiting.state, waiting.probes_matched) == (JobState.RUNNING, 1)
        assert desk.uploads.get(INVESTIGATOR, job.items[0].upload).state is UploadState.COMPLETE
    assert desk.finished(job).state is JobState.DONE
    assert desk.uploads.get(INVESTIGATOR, job.items[0].upload).state is UploadState.DESTROYED


def test_a_defect_does_not_end_the_thread(
    desk: SearchDesk, sample_people: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever breaks between two jobs is a fault for health, is logged without its text, and passes when it can."""
    monkeypatch.setattr("frs.match.job_runner.RETRY_SECONDS", 0.05)
    desk.listed("wanted", {"N-1": sample_people[1]})
    job = desk.submit(desk.upload(sample_people[1]))
    ledger, broken = desk.jobs._ledger, threading.Event()

    def begin(_: str) -> None:
        broken.set()
        raise ValueError("N-1 cannot be begun")

    with monkeypatch.context() as defect, structlog.testing.capture_logs() as logged:
        defect.setattr(ledger, "begin", begin)
        desk.jobs.start()
        assert broken.wait(10)
        desk.until(lambda: desk.jobs.fault == "ValueError")
    assert desk.finished(job).state is JobState.DONE
    assert desk.jobs.fault == ""
    (first, *_) = [entry for entry in logged if entry["event"] == "jobs wait"]
    assert first["error"] == "ValueError"
    assert "test_jobs.py:" in first["where"]
    assert "N-1" not in str(logged)

    def closed() -> None:
        raise FrsError(Reason.SHUTTING_DOWN, "the database is closed")

    monkeypatch.setattr(ledger, "next_open", closed)
    desk.jobs._runner.wake()
    desk.until(lambda: desk.jobs.fault == "its thread has ended")


def test_the_bell_rings_for_every_step(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """Whoever watches is woken at submission and at each change, and finds the last state when it has finished."""
    desk.listed("wanted", {"N-1": sample_people[1]})
    states: list[JobState] = []
    names: list[str] = []

    def look() -> None:
        with desk.database.read() as connection:
            states.extend(JobState(state) for state in connection.scalars(sa.select(job.c.state)))
        names.append("rung")

    unsubscribe = desk.jobs.bell.subscribe(look)
    submitted = desk.submit(desk.upload(sample_people[1]))
    desk.jobs.start()
    desk.finished(submitted)
    desk.jobs.close()
    unsubscribe()
    assert list(dict.fromkeys(states)) == [JobState.QUEUED, JobState.RUNNING, JobState.DONE]
