"""``frs search``: stills and videos of an incident, at once or as a job."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress, TaskID

from frs.cli.client import DEFAULT_IDENTITY, Address, Client, Identity, call, open_stub, pages, receive
from frs.cli.options import AsJson, Data, application, print_json
from frs.cli.output import as_json as message_json
from frs.cli.output import progress, say, short, show_messages, show_table, timestamp, warn, when, write_private
from frs.cli.resource import instant, resource
from frs.cli.uploading import find_media, upload
from frs.errors import FrsError
from frs.v1 import common_pb2 as common
from frs.v1 import retrospective_pb2 as pb
from frs.v1.retrospective_pb2_grpc import RetrospectiveServiceStub

app = application("Search stills and videos of an incident against watchlists.")

CROPS = ("crop_jpeg", "reference_image_jpeg")
Job = Annotated[str, typer.Argument(help="Id or resource name of the job.")]
Lists = Annotated[list[str], typer.Option("--watchlist", "-w", help="A watchlist to search; give it again for more.")]
Why = Annotated[str, typer.Option("--reason", help="Why; it is logged.")]
Incident = Annotated[str, typer.Option(help="Incident or crime reference.")]
Authorisation = Annotated[str, typer.Option(help="Reference of the authorisation.")]
Expires = Annotated[str, typer.Option("--authorised-until", help="Its end: an instant with its zone, or a span (8h).")]
Most = Annotated[int, typer.Option(help="Most candidates for each face; 0 is the server's default.")]


def _authority(reason: str, incident: str, authorisation: str, until: str) -> common.SearchAuthority:
    return common.SearchAuthority(
        reason=reason,
        incident=incident,
        authorisation=authorisation,
        authorisation_expire_time=timestamp(instant(until)),
    )


def candidate_row(where: str, candidate: common.Candidate) -> tuple[object, ...]:
    """Return a table's row of a candidate."""
    margin = f"{candidate.margin:.3f}" if candidate.HasField("margin") else ""
    return (
        where,
        candidate.rank,
        candidate.nominal,
        candidate.watchlist.removeprefix("watchlists/"),
        f"{candidate.score:.3f}",
        f"{candidate.threshold:.3f}",
        margin,
    )


CANDIDATE_COLUMNS = ("where", "rank", "nominal", "watchlist", "score", "threshold", "margin")


@app.command()
def still(
    picture: Annotated[Path, typer.Argument(help="A picture.", exists=True, dir_okay=False)],
    watchlist: Lists,
    reason: Why,
    incident: Incident,
    authorisation: Authorisation,
    authorised_until: Expires,
    max_candidates: Most = 0,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Search every usable face of one picture at once."""
    client, stub = open_stub(RetrospectiveServiceStub, data, address, identity)
    request = pb.SearchStillRequest(
        image=picture.read_bytes(),
        authority=_authority(reason, incident, authorisation, authorised_until),
        watchlists=[resource("watchlists", name) for name in watchlist],
        max_candidates=max_candidates,
    )
    answer = call(client, stub.SearchStill, request)
    if as_json:
        print_json(message_json(answer, *CROPS))
        return
    rows = [candidate_row(f"face {face.number}", c) for face in answer.faces for c in face.candidates]
    show_table(CANDIDATE_COLUMNS, rows, f"{answer.search}: {len(answer.faces)} faces, candidates")
    for face in answer.faces:
        if face.quality.reasons:
            warn(f"face {face.number} was not searched: {', '.join(face.quality.reasons)}")
    if answer.notice:
        warn(answer.notice)


@app.command()
def submit(
    media: Annotated[list[Path], typer.Argument(help="Pictures, videos, or folders of them.", exists=True)],
    watchlist: Lists,
    reason: Why,
    incident: Incident,
    authorisation: Authorisation,
    authorised_until: Expires,
    max_candidates: Most = 0,
    wait: Annotated[bool, typer.Option(help="Wait until the job has finished and print what it found.")] = True,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Upload stills and videos, resuming after breaks, and search them as one job."""
    client, stub = open_stub(RetrospectiveServiceStub, data, address, identity)
    request = pb.CreateJobRequest(
        authority=_authority(reason, incident, authorisation, authorised_until),
        watchlists=[resource("watchlists", name) for name in watchlist],
        max_candidates=max_candidates,
    )
    job = _submit(client, stub, find_media(media), request)
    if wait:
        job = _follow(client, stub, job.name)
    if as_json:
        print_json(message_json(job))
        return
    _print_job(job)
    if wait:
        _print_subjects(client, stub, job.name)
    else:
        say(f"It is searched now; `frs search show {job.name.removeprefix('jobs/')}` tells how far it is.")


def _submit(client: Client, stub: RetrospectiveServiceStub, media: list[Path], request: pb.CreateJobRequest) -> pb.Job:
    """Upload everything and submit it; what was uploaded for a job that is refused is destroyed."""
    try:
        with progress() as bar:
            for path in media:
                task = bar.add_task(f"upload {path.name}", total=path.stat().st_size)
                request.uploads.append(upload(client, stub, path, partial(_advance, bar, task)))
        return call(client, stub.CreateJob, request)
    except FrsError:
        for name in request.uploads:
            with suppress(FrsError):  # the first failure is what is told; an upload left over expires
                call(client, stub.DeleteUpload, pb.DeleteUploadRequest(name=name))
        raise


def _advance(bar: Progress, task: TaskID, done: int) -> None:
    bar.update(task, completed=done)


def _follow(client: Client, stub: RetrospectiveServiceStub, name: str) -> pb.Job:
    job = pb.Job()
    with progress() as bar:
        task = bar.add_task("search", total=100)
        for job in receive(client, stub.WatchJob(pb.WatchJobRequest(name=name))):  # the last one is the result
            bar.update(task, completed=round(100 * job.progress))
    return job


def _print_job(job: pb.Job) -> None:
    state = short(pb.JobState.Name(job.state))
    say(f"{job.name}: {state}, {job.progress:.0%}, {job.faces} faces, {job.probes_matched} found somebody")
    for item in job.items:
        if item.error_reason:
            warn(f"{item.file_name} was not searched: {item.error_message} [{item.error_reason}]")
    if job.error_reason:
        warn(f"{job.error_message} [{job.error_reason}]")


@app.command()
def jobs(
    data: Data = None, address: Address = None, identity: Identity = DEFAULT_IDENTITY, as_json: AsJson = False
) -> None:
    """List jobs, newest first."""
    client, stub = open_stub(RetrospectiveServiceStub, data, address, identity)
    found = list(pages(client, stub.ListJobs, pb.ListJobsRequest(page_size=200), "jobs"))
    if as_json:
        show_messages(found)
        return
    show_table(
        ("job", "state", "progress", "faces", "matched", "incident", "submitted"),
        [
            (
                j.name.removeprefix("jobs/"),
                short(pb.JobState.Name(j.state)),
                f"{j.progress:.0%}",
                j.faces,
                j.probes_matched,
                j.authority.incident,
                when(j.create_time),
            )
            for j in found
        ],
    )


@app.command()
def show(
    job: Job, data: Data = None, address: Address = None, identity: Identity = DEFAULT_IDENTITY, as_json: AsJson = False
) -> None:
    """Show a job's progress."""
    client, stub = open_stub(RetrospectiveServiceStub, data, address, identity)
    found = call(client, stub.GetJob, pb.GetJobRequest(name=resource("jobs", job)))
    if as_json:
        print_json(message_json(found))
    else:
        _print_job(found)


@app.command()
def cancel(
    job: Job, data: Data = None, address: Address = None, identity: Identity = DEFAULT_IDENTITY, as_json: AsJson = False
) -> None:
    """Cancel a job; its uploads are destroyed."""
    client, stub = open_stub(RetrospectiveServiceStub, data, address, identity)
    found = call(client, stub.CancelJob, pb.CancelJobRequest(name=resource("jobs", job)))
    if as_json:
        print_json(message_json(found))
    else:
        _print_job(found)


def _time(ms: int) -> str:
    return f"{ms // 60000}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"


def _where(result: pb.JobResult) -> str:
    span = f" {_time(result.first_ms)}-{_time(result.last_ms)}" if result.last_ms else ""
    return f"{result.file_name} #{result.number}{span}"


@app.command()
def results(
    job: Job,
    out: Annotated[Path | None, typer.Option("--out", help="Write the probes' crops into this folder.")] = None,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """List the faces and tracks that found somebody. Reading is logged."""
    client, stub = open_stub(RetrospectiveServiceStub, data, address, identity)
    found: list[Any] = list(
        pages(
            client, stub.ListJobResults, pb.ListJobResultsRequest(parent=resource("jobs", job), page_size=20), "results"
        )
    )
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for result in found:
            write_private(out / f"{result.item:03d}-{result.number:04d}.jpg", result.crop_jpeg)
    if as_json:
        show_messages(found, *CROPS)
        return
    show_table(CANDIDATE_COLUMNS, [candidate_row(_where(r), c) for r in found for c in r.candidates])


@app.command()
def subjects(
    job: Job, data: Data = None, address: Address = None, identity: Identity = DEFAULT_IDENTITY, as_json: AsJson = False
) -> None:
    """List the subjects that were found, best first, with where. Reading is logged."""
    client, stub = open_stub(RetrospectiveServiceStub, data, address, identity)
    name = resource("jobs", job)
    if as_json:
        request = pb.ListJobSubjectsRequest(parent=name, page_size=20)
        show_messages(list(pages(client, stub.ListJobSubjects, request, "subjects")), *CROPS)
        return
    _print_subjects(client, stub, name)


def _print_subjects(client: Client, stub: RetrospectiveServiceStub, name: str) -> None:
    request = pb.ListJobSubjectsRequest(parent=name, page_size=20)
    rows = []
    for subject in pages(client, stub.ListJobSubjects, request, "subjects"):
        for sighting in subject.sightings:
            rows += [candidate_row(_where(sighting), c) for c in sighting.candidates]
    show_table(CANDIDATE_COLUMNS, rows, "Found")
