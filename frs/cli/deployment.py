"""``frs deployment``: open, show, end and stop deployments of live matching."""

from __future__ import annotations

from typing import Annotated

import typer

from frs.cli.client import DEFAULT_IDENTITY, Address, Identity, call, open_stub, pages
from frs.cli.options import AsJson, Data, application, print_json
from frs.cli.output import as_json as message_json
from frs.cli.output import say, short, show_fields, show_messages, show_table, timestamp, when
from frs.cli.resource import instant, resource
from frs.v1 import deployment_pb2 as pb
from frs.v1.deployment_pb2_grpc import DeploymentServiceStub

app = application("Open, show, end and stop deployments of live matching.")

Name = Annotated[str, typer.Argument(help="Id or resource name of the deployment.")]
Reason = Annotated[str, typer.Option(help="Why; it is logged.")]


def _camera_row(c: pb.CameraCount) -> tuple[object, ...]:
    frames = (c.frames_received, c.frames_processed, c.frames_dropped, c.frames_rejected)
    return (c.camera_id, c.faces_seen, c.alerts if c.HasField("alerts") else "", *frames)


def _show(deployment: pb.Deployment, as_json: bool) -> None:
    if as_json:
        print_json(message_json(deployment))
        return
    show_fields(
        [
            ("deployment", deployment.name),
            ("state", short(pb.DeploymentState.Name(deployment.state))),
            ("purpose", deployment.purpose),
            ("place", deployment.place),
            ("site", deployment.site),
            ("authorising officer", deployment.authorising_officer),
            ("from", when(deployment.start_time)),
            ("until", when(deployment.end_time)),
            ("watchlists", ", ".join(f"{v.watchlist} version {v.version}" for v in deployment.versions_at_open)),
            ("review", _review(deployment.review_policy)),
            ("opened by", deployment.opened_by),
            ("closed", f"{when(deployment.close_time)} {deployment.closed_by} {deployment.close_reason}".strip()),
        ]
    )
    show_table(
        ("camera", "faces seen", "alerts", "frames", "processed", "dropped", "rejected"),
        [_camera_row(count) for count in deployment.cameras],
        "Cameras",
    )


def _review(policy: pb.ReviewPolicy) -> str:
    reviewers = "one reviewer" if policy.reviewers == 1 else f"{policy.reviewers} independent reviewers"
    officers = "before" if policy.officers_before_adjudication else "after"
    checks = f", {policy.vigilance_rate:g} vigilance checks for each alert" * bool(policy.vigilance_rate)
    return f"{reviewers}, officers {officers} adjudication{checks}"


@app.command("open")
def open_deployment(
    watchlists: Annotated[list[str], typer.Argument(help="Watchlists to search.")],
    purpose: Annotated[str, typer.Option(help="Why.")],
    place: Annotated[str, typer.Option(help="Where.")],
    authorising_officer: Annotated[str, typer.Option(help="Who authorised it.")],
    until: Annotated[str, typer.Option(help="End: an instant with its zone, or a span such as 4h.")],
    start: Annotated[str | None, typer.Option(help="Start; now by default.")] = None,
    cooldown: Annotated[float | None, typer.Option(help="Seconds between alerts for a person on a camera.")] = None,
    site: Annotated[str, typer.Option(help="Site, where identities are limited to one: a lower-case name.")] = "",
    reviewers: Annotated[
        int | None,
        typer.Option(min=1, max=2, help="Independent reviewers who must decide each alert; else the policy's."),
    ] = None,
    officers_before_adjudication: Annotated[
        bool | None,
        typer.Option(
            "--officers-before-adjudication/--officers-after-adjudication",
            help="Whether officers are sent alerts that nobody has compared yet; else the policy's.",
        ),
    ] = None,
    vigilance_rate: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Vigilance checks for each alert; else the policy's."),
    ] = None,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Open a deployment with active, reviewed watchlists."""
    client, stub = open_stub(DeploymentServiceStub, data, address, identity)
    wanted = pb.Deployment(
        purpose=purpose,
        place=place,
        authorising_officer=authorising_officer,
        watchlists=[resource("watchlists", name) for name in watchlists],
        end_time=timestamp(instant(until)),
        start_time=timestamp(instant(start)) if start else None,
        cooldown_seconds=cooldown,
        site=site,
        review_policy=pb.ReviewPolicy(
            reviewers=reviewers or 0,
            officers_before_adjudication=officers_before_adjudication,
            vigilance_rate=vigilance_rate,
        ),
    )
    _show(call(client, stub.OpenDeployment, pb.OpenDeploymentRequest(deployment=wanted)), as_json)


@app.command("list")
def list_deployments(
    data: Data = None, address: Address = None, identity: Identity = DEFAULT_IDENTITY, as_json: AsJson = False
) -> None:
    """List deployments, newest first."""
    client, stub = open_stub(DeploymentServiceStub, data, address, identity)
    found = list(pages(client, stub.ListDeployments, pb.ListDeploymentsRequest(page_size=200), "deployments"))
    if as_json:
        show_messages(found)
        return
    show_table(
        ("deployment", "state", "place", "site", "from", "until", "faces seen", "alerts"),
        [
            (
                d.name.removeprefix("deployments/"),
                short(pb.DeploymentState.Name(d.state)),
                d.place,
                d.site,
                when(d.start_time),
                when(d.end_time),
                sum(c.faces_seen for c in d.cameras),
                sum(c.alerts for c in d.cameras) if all(c.HasField("alerts") for c in d.cameras) else "",
            )
            for d in found
        ],
    )


@app.command()
def show(
    name: Name,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Show a deployment with the counts of its cameras."""
    client, stub = open_stub(DeploymentServiceStub, data, address, identity)
    request = pb.GetDeploymentRequest(name=resource("deployments", name))
    _show(call(client, stub.GetDeployment, request), as_json)


@app.command()
def end(
    name: Name,
    reason: Reason = "",
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """End a deployment in the ordinary way."""
    client, stub = open_stub(DeploymentServiceStub, data, address, identity)
    request = pb.EndDeploymentRequest(name=resource("deployments", name), reason=reason)
    _show(call(client, stub.EndDeployment, request), as_json)


@app.command()
def stop(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why it is stopped at once; it is logged.")],
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Stop a deployment at once, in an emergency: no alert is raised from then on."""
    client, stub = open_stub(DeploymentServiceStub, data, address, identity)
    stopped = call(
        client, stub.StopDeployment, pb.StopDeploymentRequest(name=resource("deployments", name), reason=reason)
    )
    if not as_json:
        say("Stopped. No further alert will be raised.")
    _show(stopped, as_json)
