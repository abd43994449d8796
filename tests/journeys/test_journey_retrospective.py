"""Retrospective searches over a real service: a still at once, uploads that resume, and jobs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from frs.v1 import retrospective_pb2 as pb
from frs.v1 import retrospective_pb2_grpc, watchlist_pb2
from tests.journeys.asking import authority, refusal, still
from tests.journeys.conftest import ahead
from tests.journeys.pictures import bomb, sixty_megapixels
from tests.journeys.service import Service
from tests.server.rpc_errors import rich

pytestmark = pytest.mark.journey
PIECE = 64 * 1024


@pytest.fixture
def investigator(service: Service) -> Any:
    return service.stub(retrospective_pb2_grpc.RetrospectiveServiceStub, "investigator")


def announce(stub: Any, data: bytes, name: str = "still.jpg", digest: str = "") -> pb.Upload:
    upload = pb.Upload(
        kind=pb.MEDIA_KIND_STILL,
        file_name=name,
        size=len(data),
        sha256=digest or hashlib.sha256(data).hexdigest(),
    )
    created: pb.Upload = stub.CreateUpload(pb.CreateUploadRequest(upload=upload))
    return created


def pieces(upload: str, data: bytes, offset: int = 0) -> Iterator[pb.WriteUploadRequest]:
    for start in range(offset, len(data), PIECE):
        first = start == offset
        yield pb.WriteUploadRequest(name=upload if first else "", offset=start, data=data[start : start + PIECE])


def send(stub: Any, data: bytes, name: str = "still.jpg") -> str:
    upload = announce(stub, data, name)
    written: pb.Upload = stub.WriteUpload(pieces(upload.name, data))
    assert written.state == pb.UPLOAD_STATE_COMPLETE
    return upload.name


def resume(stub: Any, name: str, data: bytes, offset: int) -> pb.Upload:
    """Go on where the server says; a piece of the broken call may still have arrived after it was asked."""
    try:
        done: pb.Upload = stub.WriteUpload(pieces(name, data, offset))
    except grpc.RpcError as error:
        told = rich(error)
        assert told.reason == "UPLOAD_OFFSET_MISMATCH"
        done = stub.WriteUpload(pieces(name, data, int(told.metadata["committed_offset"])))
    return done


def job(uploads: list[str], *watchlists: str, **changes: Any) -> pb.CreateJobRequest:
    return pb.CreateJobRequest(authority=authority(**changes), watchlists=watchlists, uploads=uploads)


def test_every_face_of_a_still_is_searched(
    investigator: Any, wanted: watchlist_pb2.Watchlist, group_picture: bytes
) -> None:
    """Six faces, three of them on the list; the others are explicit no-matches."""
    answer = investigator.SearchStill(still(group_picture, wanted.name))
    assert answer.matched
    assert [face.number for face in answer.faces] == [1, 2, 3, 4, 5, 6]
    found = {face.candidates[0].nominal for face in answer.faces if face.candidates}
    assert found == {"NOM-0", "NOM-1", "NOM-2"}
    assert sum(not face.candidates for face in answer.faces) == 3


def test_an_upload_resumes_and_a_job_finds_who_is_on_the_list(
    investigator: Any, wanted: watchlist_pb2.Watchlist, group_picture: bytes, sample_people: tuple[bytes, ...]
) -> None:
    """Bytes that arrived stay; the job tells its progress to its end; results are by media and by subject."""
    upload = announce(investigator, group_picture, "group.jpg")

    def broken() -> Iterator[pb.WriteUploadRequest]:
        yield from list(pieces(upload.name, group_picture))[:1]
        raise RuntimeError("the line is cut")

    with pytest.raises((grpc.RpcError, RuntimeError)):
        investigator.WriteUpload(broken())
    kept = investigator.GetUpload(pb.GetUploadRequest(name=upload.name))
    assert kept.committed_size in {0, PIECE}
    done = resume(investigator, upload.name, group_picture, kept.committed_size)
    assert (done.state, done.committed_size) == (pb.UPLOAD_STATE_COMPLETE, len(group_picture))

    second = send(investigator, sample_people[0], "second.jpg")
    broken_one = send(investigator, b"no picture at all", "broken.jpg")
    submitted = investigator.CreateJob(job([upload.name, second, broken_one], wanted.name))
    stages = list(investigator.WatchJob(pb.WatchJobRequest(name=submitted.name), timeout=60))
    last = stages[-1]
    assert (last.state, last.progress) == (pb.JOB_STATE_DONE, 1.0)
    assert [stage.progress for stage in stages] == sorted(stage.progress for stage in stages)
    assert [item.error_reason for item in last.items] == ["", "", "PICTURE_UNREADABLE"]
    assert last.authority.incident == "CR/26/0042"

    results = investigator.ListJobResults(pb.ListJobResultsRequest(parent=submitted.name, page_size=3))
    assert len(results.results) == 3
    rest = investigator.ListJobResults(
        pb.ListJobResultsRequest(parent=submitted.name, page_size=3, page_token=results.next_page_token)
    )
    found = [*results.results, *rest.results]
    assert [(result.item, result.candidates[0].nominal) for result in found].count((1, "NOM-0")) == 1
    assert all(result.crop_jpeg[:2] == b"\xff\xd8" for result in found)
    subjects = investigator.ListJobSubjects(pb.ListJobSubjectsRequest(parent=submitted.name)).subjects
    assert {subject.nominal: len(subject.sightings) for subject in subjects} == {"NOM-0": 2, "NOM-1": 1, "NOM-2": 1}
    scores = [subject.best.score for subject in subjects]
    assert scores == sorted(scores, reverse=True)
    assert refusal(investigator.CancelJob, pb.CancelJobRequest(name=submitted.name)).reason == "JOB_FINISHED"
    assert submitted.name in [item.name for item in investigator.ListJobs(pb.ListJobsRequest()).jobs]
    gone = investigator.GetUpload(pb.GetUploadRequest(name=upload.name))
    assert gone.state == pb.UPLOAD_STATE_DESTROYED


@pytest.mark.parametrize(
    ("what", "reason"),
    [("60 megapixels", "PICTURE_TOO_MANY_PIXELS"), ("bomb", "PICTURE_TOO_MANY_PIXELS"), ("empty", "PICTURE_EMPTY")],
)
def test_a_still_that_cannot_be_searched_is_told(
    investigator: Any, wanted: watchlist_pb2.Watchlist, what: str, reason: str
) -> None:
    """With the decoder's reason."""
    pictures: dict[str, Callable[[], bytes]] = {
        "60 megapixels": sixty_megapixels,
        "bomb": bomb,
        "empty": lambda: b"",
    }
    assert refusal(investigator.SearchStill, still(pictures[what](), wanted.name)).reason == reason


def test_a_search_needs_an_authority_that_lasts(
    investigator: Any, wanted: watchlist_pb2.Watchlist, sample_people: tuple[bytes, ...]
) -> None:
    """Expired authorisations are refused; missing ones are named field by field."""
    late = still(sample_people[0], wanted.name, authorisation_expire_time=ahead(seconds=-1))
    assert refusal(investigator.SearchStill, late).reason == "AUTHORISATION_EXPIRED"
    bare = pb.SearchStillRequest(image=sample_people[0], watchlists=[wanted.name])
    assert set(refusal(investigator.SearchStill, bare).violations) == {"authority"}
    partly = still(sample_people[0], wanted.name, incident="")
    partly.authority.ClearField("authorisation_expire_time")
    assert set(refusal(investigator.SearchStill, partly).violations) == {
        "authority.incident",
        "authority.authorisation_expire_time",
    }


def write_refused(investigator: Any, requests: list[pb.WriteUploadRequest]) -> Any:
    with pytest.raises(grpc.RpcError) as caught:
        investigator.WriteUpload(iter(requests), timeout=30)
    return rich(caught.value)


def test_an_upload_is_written_in_order_and_whole(investigator: Any) -> None:
    """A gap names where to go on; other bytes than announced are dropped; unknown and empty writes are refused."""
    data = bytes(range(256)) * 10
    upload = announce(investigator, data, digest="0" * 64)
    gap = write_refused(investigator, [pb.WriteUploadRequest(name=upload.name, offset=10, data=b"x")])
    assert (gap.reason, gap.metadata["committed_offset"]) == ("UPLOAD_OFFSET_MISMATCH", "0")
    changed = write_refused(investigator, [pb.WriteUploadRequest(name=upload.name, offset=0, data=data)])
    assert changed.reason == "UPLOAD_CHECKSUM_MISMATCH"
    assert investigator.GetUpload(pb.GetUploadRequest(name=upload.name)).committed_size == 0
    unknown = pb.WriteUploadRequest(name="uploads/none", data=b"x")
    assert write_refused(investigator, [unknown]).reason == "UPLOAD_NOT_FOUND"
    assert write_refused(investigator, []).reason == "INVALID_FIELD"
    assert write_refused(investigator, [pb.WriteUploadRequest(offset=0, data=b"x")]).reason == "INVALID_FIELD"
    assert list(write_refused(investigator, [pb.WriteUploadRequest(name=upload.name)]).violations) == ["data"]
    destroyed = investigator.DeleteUpload(pb.DeleteUploadRequest(name=upload.name))
    assert destroyed.state == pb.UPLOAD_STATE_DESTROYED


def test_a_job_needs_complete_uploads_and_known_names(
    investigator: Any, wanted: watchlist_pb2.Watchlist, sample_people: tuple[bytes, ...]
) -> None:
    """An upload that was not finished, one that is not there, and a job that is not there."""
    begun = announce(investigator, sample_people[0])
    assert refusal(investigator.CreateJob, job([begun.name], wanted.name)).reason == "UPLOAD_INCOMPLETE"
    assert refusal(investigator.CreateJob, job(["uploads/none"], wanted.name)).reason == "UPLOAD_NOT_FOUND"
    assert refusal(investigator.CreateJob, job([], wanted.name)).reason == "INVALID_FIELD"
    for call, request in (
        (investigator.GetJob, pb.GetJobRequest(name="jobs/none")),
        (investigator.CancelJob, pb.CancelJobRequest(name="jobs/none")),
        (investigator.ListJobResults, pb.ListJobResultsRequest(parent="jobs/none")),
    ):
        assert refusal(call, request).reason == "JOB_NOT_FOUND"
    with pytest.raises(grpc.RpcError) as caught:
        list(investigator.WatchJob(pb.WatchJobRequest(name="jobs/none"), timeout=30))
    assert rich(caught.value).reason == "JOB_NOT_FOUND"


def test_too_large_an_upload_is_refused_before_its_bytes(investigator: Any) -> None:
    """A still beyond a picture's limit, and media beyond an upload's."""
    for kind, size in ((pb.MEDIA_KIND_STILL, (20 << 20) + 1), (pb.MEDIA_KIND_VIDEO, (4096 << 20) + 1)):
        upload = pb.Upload(kind=kind, file_name="x", size=size, sha256="0" * 64)
        assert refusal(investigator.CreateUpload, pb.CreateUploadRequest(upload=upload)).reason == "UPLOAD_TOO_LARGE"
