"""``RetrospectiveService``: stills at once, uploads, and jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from frs.errors import FrsError, Reason
from frs.match.job_records import Job
from frs.match.jobs import Jobs
from frs.match.stills import StillSearches
from frs.match.uploads import Uploads
from frs.server import names
from frs.server.caller import caller
from frs.server.consultations import Consultations
from frs.server.conversions.common import authority, watchlist_ids
from frs.server.conversions.retrospective import (
    job_message,
    media_kind,
    result_message,
    still_message,
    subject_message,
    upload_message,
)
from frs.server.paging import DEFAULT_WITH_IMAGES, page_size
from frs.server.ringing import listening
from frs.server.waiting import Stopping
from frs.server.workers import Workers
from frs.types import Actor, Page
from frs.v1 import retrospective_pb2 as pb
from frs.v1 import retrospective_pb2_grpc


class RetrospectiveServicer(retrospective_pb2_grpc.RetrospectiveServiceServicer):
    """Answers investigators."""

    def __init__(
        self,
        stills: StillSearches,
        uploads: Uploads,
        jobs: Jobs,
        consultations: Consultations,
        workers: Workers,
        waiting: Workers,
        writing: Workers,
        stopping: Stopping,
    ) -> None:
        self._stills = stills
        self._uploads = uploads
        self._jobs = jobs
        self._consultations = consultations
        self._workers = workers
        self._waiting = waiting
        self._writing = writing
        self._stopping = stopping

    async def SearchStill(self, request: pb.SearchStillRequest, context: Any) -> pb.SearchStillResponse:
        """Search every usable face of one still."""
        result = await self._workers.run(
            self._stills.search,
            caller(),
            request.image,
            authority(request.authority),
            watchlist_ids(request.watchlists),
            request.max_candidates,
        )
        return still_message(result)

    async def CreateUpload(self, request: pb.CreateUploadRequest, context: Any) -> pb.Upload:
        """Announce media."""
        upload = request.upload
        created = await self._workers.run(
            self._uploads.create,
            caller(),
            media_kind(upload.kind),
            upload.file_name.strip(),
            upload.size,
            upload.sha256.lower(),
        )
        return upload_message(created)

    async def WriteUpload(self, request_iterator: AsyncIterator[pb.WriteUploadRequest], context: Any) -> pb.Upload:
        """Take bytes in order; each piece is durable before the next is read."""
        actor, name, upload = caller(), "", None
        async for request in request_iterator:
            if not name and not request.name:
                raise FrsError(Reason.INVALID_FIELD, "the first message names the upload", field="name")
            if name and request.name not in {"", name}:
                raise FrsError(Reason.INVALID_FIELD, "one call writes one upload", field="name")
            name = name or request.name
            upload = await self._writing.run(
                self._uploads.write, actor, names.last_id(names.UPLOAD, name), request.offset, request.data
            )
            self._stopping.require()
        if upload is None:
            raise FrsError(Reason.INVALID_FIELD, "a write has at least one message", field="name")
        return upload_message(upload)

    async def GetUpload(self, request: pb.GetUploadRequest, context: Any) -> pb.Upload:
        """Return an upload's record; it says where to resume."""
        name = names.last_id(names.UPLOAD, request.name)
        return upload_message(await self._workers.run(self._uploads.get, caller(), name))

    async def DeleteUpload(self, request: pb.DeleteUploadRequest, context: Any) -> pb.Upload:
        """Destroy an upload."""
        name = names.last_id(names.UPLOAD, request.name)
        return upload_message(await self._workers.run(self._uploads.delete, caller(), name))

    async def CreateJob(self, request: pb.CreateJobRequest, context: Any) -> pb.Job:
        """Submit uploads as one job."""
        submitted = await self._workers.run(
            self._jobs.submit,
            caller(),
            authority(request.authority),
            watchlist_ids(request.watchlists),
            [names.last_id(names.UPLOAD, name) for name in request.uploads],
            request.max_candidates,
        )
        return job_message(submitted)

    async def GetJob(self, request: pb.GetJobRequest, context: Any) -> pb.Job:
        """Return a job; reading is logged, once a minute however often it is asked for."""
        return job_message(await self._workers.run(self._read, caller(), names.last_id(names.JOB, request.name)))

    async def ListJobs(self, request: pb.ListJobsRequest, context: Any) -> pb.ListJobsResponse:
        """Return a page of jobs, newest first; reading is logged."""
        page = await self._workers.run(self._read_page, caller(), page_size(request.page_size), request.page_token)
        return pb.ListJobsResponse(jobs=[job_message(item) for item in page.items], next_page_token=page.next_token)

    async def WatchJob(self, request: pb.WatchJobRequest, context: Any) -> AsyncIterator[pb.Job]:
        """Send the job now and whenever it has changed, until it has finished; logged once, as it begins."""
        name, last = names.last_id(names.JOB, request.name), None
        await self._waiting.run(self._watch, caller(), name)
        with listening(self._jobs.bell) as bell:
            while True:
                job = await self._waiting.run(self._jobs.get, name, caller().scope)
                if job != last:
                    yield job_message(job)
                    last = job
                if job.finished:
                    return
                await self._stopping.wait_for(bell)

    async def CancelJob(self, request: pb.CancelJobRequest, context: Any) -> pb.Job:
        """End a job before its time."""
        name = names.last_id(names.JOB, request.name)
        return job_message(await self._workers.run(self._jobs.cancel, caller(), name))

    async def ListJobResults(self, request: pb.ListJobResultsRequest, context: Any) -> pb.ListJobResultsResponse:
        """Return a page of what was found, in the order of the media; reading is logged."""
        page = await self._workers.run(
            self._jobs.results,
            caller(),
            names.last_id(names.JOB, request.parent),
            page_size(request.page_size, DEFAULT_WITH_IMAGES),
            request.page_token,
        )
        return pb.ListJobResultsResponse(
            results=[result_message(item) for item in page.items], next_page_token=page.next_token
        )

    async def ListJobSubjects(self, request: pb.ListJobSubjectsRequest, context: Any) -> pb.ListJobSubjectsResponse:
        """Return the same by subject, best first; reading is logged."""
        page = await self._workers.run(
            self._jobs.subjects,
            caller(),
            names.last_id(names.JOB, request.parent),
            page_size(request.page_size, DEFAULT_WITH_IMAGES),
            request.page_token,
        )
        return pb.ListJobSubjectsResponse(
            subjects=[subject_message(item) for item in page.items], next_page_token=page.next_token
        )

    def _read(self, actor: Actor, name: str) -> Job:
        found = self._jobs.get(name, actor.scope)
        self._consultations.job_again(actor, found)
        return found

    def _read_page(self, actor: Actor, size: int, token: str) -> Page[Job]:
        page = self._jobs.list(size, token, actor.scope)
        self._consultations.jobs(actor, page.items, {"asked": "list", "first_page": not token})
        return page

    def _watch(self, actor: Actor, name: str) -> None:
        self._consultations.job(actor, self._jobs.get(name, actor.scope), {"asked": "watch"})
