"""``frs retention``: what is kept for how long, what goes when, and what is held back."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import islice
from typing import Annotated, Any

import typer

from frs.cli.client import DEFAULT_IDENTITY, Address, Client, Identity, call, open_stub, pages
from frs.cli.options import AsJson, Data, application, print_json
from frs.cli.output import as_json as message_json
from frs.cli.output import say, show_fields, show_messages, show_table, timestamp, when
from frs.cli.resource import instant, resource
from frs.v1 import retention_pb2 as pb
from frs.v1.retention_pb2_grpc import RetentionServiceStub

app = application("Say what is kept for how long, what goes when, and hold what must stay.")

RUN_SECONDS = 3600.0
"""How long the answer to a run is waited for; the run goes on without whoever asked."""
_PAGE = 1000
_HOURS = ((8760, "years"), (24, "days"), (1, "hours"))
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@app.command()
def policy(
    data: Data = None, address: Address = None, identity: Identity = DEFAULT_IDENTITY, as_json: AsJson = False
) -> None:
    """Show the periods in force and the version of the policy that they belong to."""
    client, stub = open_stub(RetentionServiceStub, data, address, identity)
    found = call(client, stub.GetRetentionPolicy, pb.GetRetentionPolicyRequest())
    if as_json:
        print_json(message_json(found))
        return
    say(f"Policy version {found.version}, since {when(found.since)}")
    show_table(
        ("kind", "kept for", "after", "then"),
        [(p.kind, _span(p.hours), p.runs_from, p.what_happens) for p in found.periods],
    )


@app.command()
def plan(
    until: Annotated[
        str | None,
        typer.Option(help="What is due by this day (2027-01-01, UTC), instant or span from now (7d); else now."),
    ] = None,
    limit: Annotated[int, typer.Option(help="Most things listed; 0 for all.", min=0)] = 50,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Show what will be destroyed and when, soonest first, and what a hold keeps back."""
    client, stub = open_stub(RetentionServiceStub, data, address, identity)
    request = pb.PlanRetentionRequest(
        until=timestamp(_until(until)) if until else None, page_size=min(limit or _PAGE, _PAGE)
    )
    first = call(client, stub.PlanRetention, request)
    items = [*_rest(client, stub, request, first, limit)]
    counts = [count for count in first.counts if count.due]
    if as_json:
        print_json({"items": [message_json(i) for i in items], "counts": [message_json(c) for c in first.counts]})
        return
    show_table(
        ("due", "kind", "name", "held by"),
        [(when(i.due_time), i.kind, i.name, i.hold) for i in items],
    )
    due = sum(count.due for count in counts)
    if not due:
        return
    if len(items) < due:
        say(f"... and {due - len(items)} more (--limit 0 lists all)")
    say("")
    show_table(("kind", "due", "held", "will go"), [(c.kind, c.due, c.held, c.due - c.held) for c in counts], "In all")


@app.command()
def run(
    data: Data = None, address: Address = None, identity: Identity = DEFAULT_IDENTITY, as_json: AsJson = False
) -> None:
    """Destroy now what is due; the service does so by itself every minute."""
    client, stub = open_stub(RetentionServiceStub, data, address, identity)
    done = call(client, stub.RunRetention, pb.RunRetentionRequest(), RUN_SECONDS)
    if as_json:
        print_json(message_json(done))
        return
    gone = [(count.kind, count.due) for count in done.counts if count.due]
    if not gone:
        say("Nothing was due.")
        return
    show_table(("kind", "destroyed"), gone)
    say(f"Under policy version {done.policy_version}; logged as {done.event}")


@app.command()
def hold(
    target: Annotated[
        str,
        typer.Argument(
            help="alerts/ID, uploads/ID, jobs/ID, searches/ID, watchlists/ID, events/INDEX, or nominals/NOMINAL for "
            "everything on a person."
        ),
    ],
    reason: Annotated[str, typer.Option(help="Why it must be kept.")],
    owner: Annotated[str, typer.Option(help="Who answers for it.")],
    until: Annotated[str, typer.Option(help="Its end: a day (2027-01-01, UTC), instant or span from now (90d).")],
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Keep something beyond its period, until an end."""
    client, stub = open_stub(RetentionServiceStub, data, address, identity)
    request = pb.PlaceHoldRequest(target=target, reason=reason, owner=owner, end_time=timestamp(_until(until)))
    _show(call(client, stub.PlaceHold, request), as_json)


@app.command()
def release(
    name: Annotated[str, typer.Argument(help="The hold: holds/ID or the ID alone.")],
    reason: Annotated[str, typer.Option(help="Why it is no longer needed.")],
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """End a hold before its end; what it kept and is due goes with the next run."""
    client, stub = open_stub(RetentionServiceStub, data, address, identity)
    request = pb.ReleaseHoldRequest(name=resource("holds", name), reason=reason)
    _show(call(client, stub.ReleaseHold, request), as_json)


@app.command()
def holds(
    everything: Annotated[bool, typer.Option("--all", help="Also those released or ended.")] = False,
    limit: Annotated[int, typer.Option(help="Most holds; 0 for all.", min=0)] = 200,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """List the holds in force, newest first."""
    client, stub = open_stub(RetentionServiceStub, data, address, identity)
    request = pb.ListHoldsRequest(page_size=min(limit or _PAGE, _PAGE), all=everything)
    found = list(pages(client, stub.ListHolds, request, "holds", limit))
    if as_json:
        show_messages(found)
        return
    show_table(
        ("name", "target", "owner", "until", "state", "reason"),
        [(h.name, h.target, h.owner, when(h.end_time), _state(h), h.reason) for h in found],
    )


def _rest(client: Client, stub: Any, request: Any, first: Any, limit: int) -> Any:
    """Yield the items of the first page and of those behind it, at most ``limit`` when above 0."""
    yield from islice(first.items, limit or None)
    if first.next_page_token and (not limit or limit > len(first.items)):
        request.page_token = first.next_page_token
        yield from pages(client, stub.PlanRetention, request, "items", limit - len(first.items) if limit else 0)


def _until(given: str) -> datetime:
    """Read a day as its beginning in UTC, else an instant or a span from now."""
    return instant(f"{given}T00:00:00+00:00" if _DAY.fullmatch(given) else given)


def _span(hours: float) -> str:
    """Return a period in the largest unit that it fills twice."""
    if not hours:
        return "never kept"
    for size, unit in _HOURS:
        if hours >= 2 * size:
            return f"{hours / size:.3g} {unit}"
    return f"{hours:.3g} hours" if hours >= 1 else f"{hours * 3600:.3g} seconds"


def _state(value: pb.Hold) -> str:
    if value.in_force:
        return "in force"
    return f"released {when(value.release_time)}" if value.HasField("release_time") else "ended"


def _show(value: pb.Hold, as_json: bool) -> None:
    if as_json:
        print_json(message_json(value))
        return
    fields = [
        ("hold", value.name),
        ("target", value.target),
        ("state", _state(value)),
        ("reason", value.reason),
        ("owner", value.owner),
        ("until", when(value.end_time)),
        ("placed", f"{when(value.place_time)} by {value.placed_by}"),
    ]
    if value.HasField("release_time"):
        fields.append(("released", f"{when(value.release_time)} by {value.released_by}: {value.release_reason}"))
    show_fields(fields)
