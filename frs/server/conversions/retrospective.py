"""Searched stills, uploads, jobs and what jobs found."""

from __future__ import annotations

from frs.match.job_records import Job, JobItem, JobState
from frs.match.job_results import JobResult, JobSubject
from frs.match.stills import StillFace, StillResult
from frs.match.upload_records import MediaKind, Upload, UploadState
from frs.server import names
from frs.server.conversions.common import (
    authority_message,
    box_message,
    candidate_message,
    list_version_messages,
    quality_message,
)
from frs.server.instants import stamp
from frs.v1 import retrospective_pb2

KINDS: dict[MediaKind, retrospective_pb2.MediaKind.ValueType] = {
    MediaKind.STILL: retrospective_pb2.MEDIA_KIND_STILL,
    MediaKind.VIDEO: retrospective_pb2.MEDIA_KIND_VIDEO,
}
UPLOAD_STATES: dict[UploadState, retrospective_pb2.UploadState.ValueType] = {
    UploadState.RECEIVING: retrospective_pb2.UPLOAD_STATE_RECEIVING,
    UploadState.COMPLETE: retrospective_pb2.UPLOAD_STATE_COMPLETE,
    UploadState.DESTROYED: retrospective_pb2.UPLOAD_STATE_DESTROYED,
}
JOB_STATES: dict[JobState, retrospective_pb2.JobState.ValueType] = {
    JobState.QUEUED: retrospective_pb2.JOB_STATE_QUEUED,
    JobState.RUNNING: retrospective_pb2.JOB_STATE_RUNNING,
    JobState.DONE: retrospective_pb2.JOB_STATE_DONE,
    JobState.FAILED: retrospective_pb2.JOB_STATE_FAILED,
    JobState.CANCELLED: retrospective_pb2.JOB_STATE_CANCELLED,
}
_KINDS_BACK = {number: kind for kind, number in KINDS.items()}


def media_kind(value: retrospective_pb2.MediaKind.ValueType) -> MediaKind:
    """Return what an upload is said to be."""
    return _KINDS_BACK[value]


def still_message(result: StillResult) -> retrospective_pb2.SearchStillResponse:
    """Return the answer to an investigator, with the reference images."""
    return retrospective_pb2.SearchStillResponse(
        search=names.make(names.SEARCH, result.search),
        faces=[_still_face(face, result) for face in result.faces],
        searched=list_version_messages(result.searched),
        matched=result.matched,
        notice=result.notice,
    )


def _still_face(face: StillFace, result: StillResult) -> retrospective_pb2.StillFace:
    return retrospective_pb2.StillFace(
        number=face.number,
        box=box_message(face.box),
        quality=quality_message(face.quality),
        candidates=[candidate_message(candidate, result.references) for candidate in face.candidates],
    )


def upload_message(value: Upload) -> retrospective_pb2.Upload:
    """Return an upload's record."""
    return retrospective_pb2.Upload(
        name=names.make(names.UPLOAD, value.id),
        kind=KINDS[value.kind],
        file_name=value.file_name,
        size=value.size,
        sha256=value.sha256,
        committed_size=value.committed,
        state=UPLOAD_STATES[value.state],
        create_time=stamp(value.created_at),
    )


def job_message(value: Job) -> retrospective_pb2.Job:
    """Return a job as it stands."""
    return retrospective_pb2.Job(
        name=names.make(names.JOB, value.id),
        authority=authority_message(value.authority),
        searched=list_version_messages(value.searched),
        state=JOB_STATES[value.state],
        items=[_item(item) for item in value.items],
        progress=value.progress,
        faces=value.faces,
        probes_matched=value.probes_matched,
        create_time=stamp(value.created_at),
        created_by=value.created_by,
        start_time=stamp(value.started_at),
        finish_time=stamp(value.finished_at),
        error_reason=value.error_reason or "",
        error_message=value.error_message or "",
        model=value.model,
        profile=value.profile,
    )


def _item(item: JobItem) -> retrospective_pb2.JobItem:
    return retrospective_pb2.JobItem(
        upload=names.make(names.UPLOAD, item.upload),
        file_name=item.file_name,
        kind=KINDS[item.kind],
        done=item.settled,
        frames=item.frames,
        faces=item.faces,
        error_reason=item.error_reason or "",
        error_message=item.error_message or "",
    )


def result_message(value: JobResult) -> retrospective_pb2.JobResult:
    """Return a probe that found somebody."""
    return retrospective_pb2.JobResult(
        item=value.item,
        file_name=value.file_name,
        number=value.number,
        first_ms=value.first_ms,
        last_ms=value.last_ms,
        best_ms=value.best_ms,
        quality=quality_message(value.quality),
        crop_jpeg=value.crop,
        candidates=[candidate_message(candidate, value.references) for candidate in value.candidates],
    )


def subject_message(value: JobSubject) -> retrospective_pb2.JobSubject:
    """Return a subject with all the probes that found them."""
    return retrospective_pb2.JobSubject(
        subject=names.make(names.SUBJECT, value.watchlist, value.subject),
        nominal=value.nominal,
        best=candidate_message(value.best, {value.best.reference: value.reference}),
        sightings=[result_message(sighting) for sighting in value.sightings],
    )
