"""``frs review alerts|alert|watch``: alerts with their scores, for those in charge of a deployment."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from frs.cli.client import DEFAULT_IDENTITY, Address, Identity, call, open_stub, pages
from frs.cli.faces import write_faces
from frs.cli.following import follow
from frs.cli.options import AsJson, Data, print_json
from frs.cli.output import as_json as message_json
from frs.cli.output import say, short, show_fields, show_messages, show_table, warn, when
from frs.cli.resource import resource
from frs.v1 import common_pb2 as common
from frs.v1 import review_pb2 as pb
from frs.v1.review_pb2_grpc import ReviewServiceStub

IMAGES = ("probe_image_jpeg", "reference_image_jpeg")
Name = Annotated[str, typer.Argument(help="Id or resource name of the alert.")]
Folder = Annotated[Path | None, typer.Option("--out", help="Write probe and reference pictures into this folder.")]


class State(StrEnum):
    """States an alert can be listed by."""

    PENDING = "pending"
    TRUE = "true"
    FALSE = "false"
    CANNOT_TELL = "cannot-tell"
    CONFIRMED_TRUE = "confirmed-true"
    CONFIRMED_FALSE = "confirmed-false"
    UNCONFIRMED = "unconfirmed"
    UNREVIEWED = "unreviewed"
    EXPIRED = "expired"
    ALL = "all"


def _row(alert: pb.Alert) -> tuple[object, ...]:
    candidate = alert.candidate
    return (
        alert.name.removeprefix("alerts/"),
        short(pb.AlertState.Name(alert.state)),
        short(common.Grading.Name(candidate.grading)),
        candidate.nominal,
        f"{candidate.score:.3f} / {candidate.threshold:.3f}",
        candidate.frames,
        alert.camera_id,
        when(alert.capture_time),
    )


def _show(alert: pb.Alert, as_json: bool, folder: Path | None = None) -> None:
    written = _write_images(alert, folder) if folder is not None else []
    if as_json:
        print_json(message_json(alert, *IMAGES) | {"files": [str(path) for path in written]})
        return
    candidate = alert.candidate
    margin = f"{candidate.margin:.3f}" if candidate.HasField("margin") else "no other subject"
    show_fields(
        [
            ("alert", alert.name),
            ("state", short(pb.AlertState.Name(alert.state))),
            ("proposes", f"{candidate.nominal} ({short(common.Grading.Name(candidate.grading))})"),
            ("on", f"{candidate.watchlist} version {candidate.watchlist_version}"),
            ("score", f"{candidate.score:.4f}, threshold {candidate.threshold:.4f}, margin to the next {margin}"),
            ("evidence", f"{candidate.frames} frames, {candidate.model}, profile {candidate.profile}"),
            ("camera", f"{alert.camera_id} in {alert.deployment}, {when(alert.capture_time)}"),
            (
                "adjudicated",
                f"{when(alert.adjudicate_time)} {alert.adjudicated_by} {alert.adjudication_reason}".strip(),
            ),
            ("engagement", f"{when(alert.engagement_time)} {alert.engagement_by} {alert.engagement_note}".strip()),
            ("self-defined group", alert.self_defined_group or "not recorded"),
            *[("picture", path) for path in written],
        ]
    )
    if candidate.notice:
        warn(candidate.notice)


def _write_images(alert: pb.Alert, folder: Path) -> list[Path]:
    pictures = {"probe": alert.probe_image_jpeg, "reference": alert.candidate.reference_image_jpeg}
    return write_faces(folder, alert.name.removeprefix("alerts/"), pictures)


def list_alerts(
    state: Annotated[State, typer.Option(help="Which alerts.")] = State.PENDING,
    deployment: Annotated[str, typer.Option(help="Only of this deployment.")] = "",
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """List alerts, those that wait for a decision by default. Reading is logged."""
    client, stub = open_stub(ReviewServiceStub, data, address, identity)
    name = "ALERT_STATE_UNSPECIFIED" if state is State.ALL else f"ALERT_STATE_{state.upper().replace('-', '_')}"
    request = pb.ListAlertsRequest(
        page_size=200,
        state=pb.AlertState.Value(name),
        deployment=resource("deployments", deployment) if deployment else "",
    )
    found = list(pages(client, stub.ListAlerts, request, "alerts"))
    if as_json:
        show_messages(found, *IMAGES)
        return
    show_table(
        ("alert", "state", "grading", "nominal", "score / threshold", "frames", "camera", "at"), map(_row, found)
    )


def show_alert(
    name: Name,
    out: Folder = None,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Show one alert; with --out write both pictures. Being shown them is logged."""
    client, stub = open_stub(ReviewServiceStub, data, address, identity)
    _show(call(client, stub.GetAlert, pb.GetAlertRequest(name=resource("alerts", name))), as_json, out)


def watch_alerts(
    after: Annotated[int, typer.Option(help="Resume after this position.")] = 0,
    deployment: Annotated[str, typer.Option(help="Only of this deployment.")] = "",
    out: Folder = None,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Follow alerts as they happen until interrupted; prints positions to resume after, one line a change.

    A connection that is lost is made again from the last position, so no alert is missed.
    """
    client, stub = open_stub(ReviewServiceStub, data, address, identity)
    request = pb.WatchAlertsRequest(
        after_position=after,
        deployment=resource("deployments", deployment) if deployment else "",
        with_images=out is not None,
    )
    for change in follow(client, stub.WatchAlerts, request):
        if out is not None:
            _write_images(change.alert, out)
        if as_json:
            typer.echo(json.dumps(message_json(change, *IMAGES), ensure_ascii=False))
        else:
            row = " ".join(str(cell) for cell in _row(change.alert))
            say(f"{change.position} {short(pb.AlertChange.Name(change.change))}: {row}")
