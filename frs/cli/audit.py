"""``frs audit``: list, show and verify the log, without trusting the server that keeps it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from frs.cli.audit_export import export_events
from frs.cli.audit_watch import bundle, watch
from frs.cli.client import DEFAULT_IDENTITY, Address, Identity, call, connect, open_stub, pages
from frs.cli.log_check import LogReport, check_event, read_key, verify_served_log, verify_stored_log
from frs.cli.options import AsJson, Data, application, load_settings, print_json
from frs.cli.output import as_json as message_json
from frs.cli.output import say, show_fields, show_table, timestamp, when
from frs.cli.resource import instant, resource
from frs.server.folders import vkey_file
from frs.v1 import oversight_pb2 as pb
from frs.v1.oversight_pb2_grpc import OversightServiceStub

app = application("List, show, export and verify the tamper-evident log. Reading it is logged.")
app.command("export")(export_events)
app.command("bundle")(bundle)
app.command("watch")(watch)

MOST_TOLD = 20
"""Problems printed for people."""

Key = Annotated[Path | None, typer.Option(help="File with the log's verifier key; else DATA/log.vkey.", dir_okay=False)]


def _event(event: pb.Event) -> dict[str, object]:
    value = message_json(event, "leaf", "payload_nonce", "inclusion_proof", "checkpoint", "payload_json")
    value["leaf"] = json.loads(event.leaf) if event.leaf else None
    if event.payload_json:
        value["payload"] = json.loads(event.payload_json)
    return value


def _concerns(event: pb.Event) -> str:
    refs = json.loads(event.leaf).get("refs", {}) if event.leaf else {}
    parts = [f"{v['id']} v{v['version']}" for v in refs.get("watchlists") or []]
    parts += [f"{kind} {refs[kind][:12]}" for kind in ("deployment", "alert", "search", "job") if refs.get(kind)]
    return ", ".join(parts)


@app.command("list")
def list_events(
    since: Annotated[
        str | None, typer.Option(help="From this instant on (ISO 8601 with a zone), or a span ago (8h).")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Before this instant, or a span ago (1h).")] = None,
    actor: Annotated[str, typer.Option(help="Name of the identity that acted.")] = "",
    action: Annotated[str, typer.Option(help="Action or its beginning, such as watchlist or live.")] = "",
    watchlist: Annotated[str, typer.Option(help="Only of this watchlist.")] = "",
    subject: Annotated[str, typer.Option("--subject", "--nominal", help="Only of this person: the nominal.")] = "",
    deployment: Annotated[str, typer.Option(help="Only of this deployment.")] = "",
    alert: Annotated[str, typer.Option(help="Only of this alert.")] = "",
    search: Annotated[str, typer.Option(help="Only of this search.")] = "",
    job: Annotated[str, typer.Option(help="Only of this job.")] = "",
    newest_first: Annotated[bool, typer.Option("--newest-first", help="Newest first.")] = False,
    limit: Annotated[int, typer.Option(help="Most events; 0 for all.")] = 200,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """List events that pass every filter given."""
    client, stub = open_stub(OversightServiceStub, data, address, identity)
    request = pb.ListEventsRequest(
        page_size=min(limit, 1000) if limit else 1000,
        actor=actor,
        action=action,
        watchlist=resource("watchlists", watchlist) if watchlist else "",
        subject=subject,
        deployment=resource("deployments", deployment) if deployment else "",
        alert=resource("alerts", alert) if alert else "",
        search=resource("searches", search) if search else "",
        job=resource("jobs", job) if job else "",
        newest_first=newest_first,
        since=timestamp(instant(since, ago=True)) if since else None,
        until=timestamp(instant(until, ago=True)) if until else None,
    )
    found = list(pages(client, stub.ListEvents, request, "events", limit))
    if as_json:
        print_json([_event(event) for event in found])
        return
    show_table(
        ("index", "time", "action", "operation", "concerns"),
        [(e.index, when(e.time), e.action, e.operation, _concerns(e)) for e in found],
    )


@app.command()
def show(
    index: Annotated[int, typer.Argument(help="Index of the event.", min=0)],
    key: Key = None,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Show one event with its payload, after checking its commitment and its inclusion in the signed log."""
    settings = load_settings(data)
    vkey = read_key(key or vkey_file(settings))
    client = connect(settings, address, identity)
    event = call(client, client.stub(OversightServiceStub).GetEvent, pb.GetEventRequest(name=f"events/{index}"))
    problems = check_event(event, vkey)
    if as_json:
        print_json(_event(event) | {"verified": not problems, "problems": problems})
    else:
        show_fields(
            [
                ("event", event.name),
                ("time", when(event.time)),
                ("action", f"{event.action} ({event.operation})"),
                ("leaf", event.leaf.decode()),
                ("payload", event.payload_json or "not held, or not for you to open"),
                (
                    "verified",
                    "; ".join(problems) or "its inclusion and its payload's commitment",
                ),
            ]
        )
    if problems:
        raise typer.Exit(5)


@app.command()
def verify(
    offline: Annotated[
        bool,
        typer.Option(
            "--offline", help="Check the database of the data directory, with its payloads where no server runs."
        ),
    ] = False,
    key: Key = None,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Recompute the whole tree and check the signed checkpoint with the verifier key that you hold."""
    settings = load_settings(data)
    key_file = key or vkey_file(settings)
    if offline:
        report = verify_stored_log(settings, key_file)
    else:
        client = connect(settings, address, identity)
        report = verify_served_log(client, client.stub(OversightServiceStub), key_file)
    _print(report, as_json)
    if report.problems:
        raise typer.Exit(5)


def _print(report: LogReport, as_json: bool) -> None:
    if as_json:
        print_json(report.as_json())
        return
    if report.problems:
        say("THE LOG DOES NOT VERIFY")
        for problem in report.problems[:MOST_TOLD]:
            say(f"  {problem}")
        if len(report.problems) > MOST_TOLD:
            say(f"  and {len(report.problems) - MOST_TOLD} more (--json tells all)")
    else:
        say(f"The log verifies: {report.events} events, root {report.root.hex()}")
        say(f"Signed by {report.signer}; {report.earlier}")
    say(report.payloads)
