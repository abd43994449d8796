"""``frs officer``: alerts for officers on the ground, from the offer to what came of it."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from frs.cli.client import DEFAULT_IDENTITY, Address, Identity, call, open_stub, pages
from frs.cli.faces import show_faces, write_faces
from frs.cli.following import follow
from frs.cli.options import AsJson, Data, application, print_json
from frs.cli.output import as_json as message_json
from frs.cli.output import say, short, show_fields, show_messages, show_table, warn, when
from frs.cli.resource import resource
from frs.v1 import common_pb2 as common
from frs.v1 import officer_pb2 as pb
from frs.v1.officer_pb2_grpc import OfficerServiceStub

app = application("See the alerts that are sent to you, take one, say what came of it.")

IMAGES = ("probe_image_jpeg", "reference_image_jpeg")
Name = Annotated[str, typer.Argument(help="Id or resource name of the assignment.")]
Folder = Annotated[Path | None, typer.Option("--out", help="Write probe and reference pictures into this folder.")]
Deployment = Annotated[str, typer.Option(help="Only of this deployment; else of all that are yours.")]


class State(StrEnum):
    """States an assignment can be listed by."""

    OFFERED = "offered"
    ACKNOWLEDGED = "acknowledged"
    ENGAGED = "engaged"
    WITHDRAWN = "withdrawn"
    ALL = "all"


class Outcome(StrEnum):
    """What came of it."""

    CONFIRMED_TRUE = "confirmed-true"
    CONFIRMED_FALSE = "confirmed-false"
    NOT_ENGAGED = "not-engaged"


@app.command("list")
def list_assignments(
    state: Annotated[State, typer.Option(help="Which assignments.")] = State.OFFERED,
    deployment: Deployment = "",
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """List assignments, newest first; those that wait for an officer by default."""
    client, stub = open_stub(OfficerServiceStub, data, address, identity)
    name = "ASSIGNMENT_STATE_UNSPECIFIED" if state is State.ALL else f"ASSIGNMENT_STATE_{state.upper()}"
    request = pb.ListAssignmentsRequest(
        page_size=200,
        state=pb.AssignmentState.Value(name),
        deployment=resource("deployments", deployment) if deployment else "",
    )
    found = list(pages(client, stub.ListAssignments, request, "assignments"))
    if as_json:
        show_messages(found, *IMAGES)
        return
    show_table(
        ("assignment", "state", "grading", "nominal", "why", "place", "camera", "seen", "taken by"), map(_row, found)
    )


@app.command()
def watch(
    after: Annotated[int, typer.Option(help="Resume after this position.")] = 0,
    deployment: Deployment = "",
    out: Folder = None,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Follow assignments as they happen until interrupted; prints positions to resume after, one line a change.

    A connection that is lost is made again from the last position, so none is missed.
    """
    client, stub = open_stub(OfficerServiceStub, data, address, identity)
    request = pb.WatchAssignmentsRequest(
        after_position=after,
        deployment=resource("deployments", deployment) if deployment else "",
        with_images=out is not None,
    )
    for change in follow(client, stub.WatchAssignments, request):
        if out is not None:
            _write(change.assignment, out)
        if as_json:
            typer.echo(json.dumps(message_json(change, *IMAGES), ensure_ascii=False))
        else:
            row = " ".join(str(cell) for cell in _row(change.assignment))
            say(f"{change.position} {short(pb.AssignmentChange.Name(change.change))}: {row}")


@app.command()
def take(
    name: Name,
    out: Folder = None,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Take an assignment: you go, nobody else does. Both pictures are shown, which is logged."""
    client, stub = open_stub(OfficerServiceStub, data, address, identity)
    taken = call(client, stub.Acknowledge, pb.AcknowledgeRequest(name=resource("assignments", name)))
    written = _write(taken, out) if out is not None else []
    _show(taken, written, as_json)
    if as_json:
        return
    if not show_faces([taken.probe_image_jpeg, taken.reference_image_jpeg]) and not written:
        warn("This terminal shows no pictures: take them with --out FOLDER.")
    if not taken.adjudicated:
        warn("No reviewer has compared these faces yet.")
    say("The pictures propose, you decide: compare the person with the reference before you act.")
    outcomes = " | ".join(Outcome)
    say(f"Then: frs officer engage {taken.name.removeprefix('assignments/')} {outcomes}")


@app.command()
def engage(
    name: Name,
    outcome: Annotated[Outcome, typer.Argument(help="What came of it.")],
    note: Annotated[str, typer.Option(help="A note; it is logged.")] = "",
    group: Annotated[
        str,
        typer.Option(
            "--self-defined-group", help="How the person described themself when asked, as the policy names it."
        ),
    ] = "",
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Say what came of an assignment that you took."""
    client, stub = open_stub(OfficerServiceStub, data, address, identity)
    engagement = pb.Engagement.Value(f"ENGAGEMENT_{outcome.upper().replace('-', '_')}")
    request = pb.RecordEngagementRequest(
        name=resource("assignments", name), engagement=engagement, note=note, self_defined_group=group
    )
    _show(call(client, stub.RecordEngagement, request), [], as_json)


def _row(assignment: pb.Assignment) -> tuple[object, ...]:
    return (
        assignment.name.removeprefix("assignments/"),
        _state(assignment),
        short(common.Grading.Name(assignment.grading)),
        assignment.nominal,
        assignment.justification,
        assignment.place,
        assignment.camera_id,
        when(assignment.capture_time),
        assignment.acknowledged_by,
    )


def _state(assignment: pb.Assignment) -> str:
    said = short(pb.AssignmentState.Name(assignment.state))
    return said if assignment.adjudicated else f"{said}, not adjudicated"


def _show(assignment: pb.Assignment, written: list[Path], as_json: bool) -> None:
    if as_json:
        print_json(message_json(assignment, *IMAGES) | {"files": [str(path) for path in written]})
        return
    outcome = short(pb.Engagement.Name(assignment.engagement)) if assignment.engagement else "not recorded"
    fields: list[tuple[str, object]] = [
        ("assignment", assignment.name),
        ("state", _state(assignment)),
        ("person", f"{assignment.nominal} ({short(common.Grading.Name(assignment.grading))})"),
        ("why", assignment.justification),
        ("on", assignment.watchlist.removeprefix("watchlists/")),
        ("seen", f"{assignment.place}, camera {assignment.camera_id}, {when(assignment.capture_time)}"),
        ("reviewers", assignment.adjudication_reason or "no reason is held"),
        ("taken", f"{when(assignment.acknowledge_time)} {assignment.acknowledged_by}".strip()),
        ("outcome", f"{outcome} {when(assignment.engagement_time)} {assignment.engagement_note}".strip()),
        ("self-defined group", assignment.self_defined_group or "not recorded"),
        *[("picture", path) for path in written],
    ]
    if not assignment.adjudicated:
        fields = [field for field in fields if field[0] != "reviewers"]
    show_fields(fields)
    if assignment.notice:
        warn(assignment.notice)


def _write(assignment: pb.Assignment, folder: Path) -> list[Path]:
    stem = assignment.name.removeprefix("assignments/")
    pictures = {"probe": assignment.probe_image_jpeg, "reference": assignment.reference_image_jpeg}
    return write_faces(folder, stem, pictures)
