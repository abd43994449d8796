"""``frs review``: the reviewer's desk. Alone it asks case by case; its subcommands do one step each, for scripts."""

from __future__ import annotations

import json
import os
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from frs.cli import review_alerts, review_steps
from frs.cli.case_view import COLUMNS, IMAGES, case_row, show_case
from frs.cli.client import DEFAULT_IDENTITY, Address, Identity, call, open_stub
from frs.cli.interruption import leaving_cleanly
from frs.cli.options import AsJson, Data, application
from frs.cli.output import as_json as message_json
from frs.cli.output import say, show_messages, show_table
from frs.cli.picture_looks import Look, look_of
from frs.cli.resource import resource
from frs.v1 import review_pb2 as pb
from frs.v1.review_pb2_grpc import ReviewServiceStub


class DeskFirst(TyperGroup):
    """Lets ``frs review`` alone, and with options, stand for ``frs review work``: the reviewer's everyday call."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``work`` before arguments that begin with an option other than help, and where there are none."""
        # Typer carries its own copy of Click, whose context type is private.
        if not args or (args[0].startswith("-") and args[0] not in {"-h", "--help"}):
            args = ["work", *args]
        return super().parse_args(ctx, args)


app = application("Look at cases and decide them; see alerts. Alone: take one case after the other.")
app.info.cls = DeskFirst

Name = Annotated[str, typer.Argument(help="Id or resource name of the case.")]
Folder = Annotated[Path | None, typer.Option("--out", help="Write the pictures into this folder.")]
Deployment = Annotated[str, typer.Option(help="Only of this deployment.")]


class State(StrEnum):
    """States a case can be listed by."""

    OPEN = "open"
    PENDING = "pending"
    CLAIMED = "claimed"
    ADJUDICATED = "adjudicated"
    EXPIRED = "expired"
    UNREVIEWED = "unreviewed"


class Kind(StrEnum):
    """Kinds of case."""

    ANY = "any"
    ALERT = "alert"
    CANDIDATES = "candidates"


def kind_value(kind: Kind) -> pb.CaseKind.ValueType:
    """Return the contract's kind."""
    return pb.CASE_KIND_UNSPECIFIED if kind is Kind.ANY else pb.CaseKind.Value(f"CASE_KIND_{kind.upper()}")


@app.command()
def work(
    deployment: Deployment = "",
    kind: Annotated[Kind, typer.Option(help="Which kind.")] = Kind.ANY,
    most: Annotated[int, typer.Option("--most", help="End after so many decisions; 0 for no end.", min=0)] = 0,
    wait: Annotated[bool, typer.Option(help="Wait for cases; else end when none waits.")] = True,
    pictures: Annotated[Look, typer.Option(help="How pictures are shown.")] = Look.AUTO,
    out: Annotated[
        Path | None, typer.Option("--out", help="Keep the pictures in this folder; else they are destroyed.")
    ] = None,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Take one case after the other: look, say what you see, see the score, decide. The same as `frs review` alone.

    Each choice is one keystroke; ? lists those that always work. With --json each decision is a line of JSON on
    standard output, and the conversation is on standard error.
    """
    from frs.cli.keystrokes import Keystrokes
    from frs.cli.review_desk import Desk
    from frs.cli.review_screen import Screen
    from frs.cli.work_feed import WorkFeed

    client, stub = open_stub(ReviewServiceStub, data, address, identity)
    console = Console(stderr=as_json)
    look = look_of(os.environ, terminal=console.is_terminal) if pictures is Look.AUTO else pictures
    feed = WorkFeed(client, stub, resource("deployments", deployment) if deployment else "", kind_value(kind))

    def tell(case: pb.Case) -> None:
        if as_json:
            typer.echo(json.dumps(message_json(case, *IMAGES), ensure_ascii=False))

    with leaving_cleanly(), tempfile.TemporaryDirectory(prefix="frs-review-") as private, Keystrokes() as keys:
        folder = out or Path(private)
        screen = Screen(console, keys)
        desk = Desk(client, stub, screen, look, folder, keep_pictures=out is not None, tell=tell)
        try:
            desk.work(feed, most, wait=wait)
        finally:
            feed.close()
        screen.say(f"{desk.tally.decided} decided, {desk.tally.given_back} given back.")


@app.command("list")
def list_cases(
    state: Annotated[State, typer.Option(help="Which cases; open ones wait or are claimed.")] = State.OPEN,
    deployment: Deployment = "",
    kind: Annotated[Kind, typer.Option(help="Which kind.")] = Kind.ANY,
    mine: Annotated[bool, typer.Option("--mine", help="Only those that you hold.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many; 0 for all.", min=0)] = 200,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """List cases, the most urgent first. Reading is logged."""
    client, stub = open_stub(ReviewServiceStub, data, address, identity)
    wanted = "UNSPECIFIED" if state is State.OPEN else state.upper()
    request = pb.ListCasesRequest(
        page_size=min(limit or 200, 200),
        state=pb.CaseState.Value(f"CASE_STATE_{wanted}"),
        deployment=resource("deployments", deployment) if deployment else "",
        kind=kind_value(kind),
        mine=mine,
    )
    found: list[pb.Case] = []
    while True:
        page = call(client, stub.ListCases, request)
        found += page.cases
        if not page.next_page_token or (limit and len(found) >= limit):
            break
        request.page_token = page.next_page_token
    found = found[:limit] if limit else found
    if as_json:
        show_messages(found, *IMAGES)
        return
    show_table(COLUMNS, map(case_row, found))
    say(f"{page.pending_count} wait for a reviewer.")


@app.command()
def show(
    name: Name,
    out: Folder = None,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Show one case; with --out write its pictures, if you may see them. Being shown it is logged."""
    client, stub = open_stub(ReviewServiceStub, data, address, identity)
    show_case(call(client, stub.GetCase, pb.GetCaseRequest(name=resource("cases", name))), as_json, out)


for step in ("claim", "release", "observe", "decide", "explain", "unblur"):
    app.command(step)(getattr(review_steps, step))
app.command("alerts")(review_alerts.list_alerts)
app.command("alert")(review_alerts.show_alert)
app.command("watch")(review_alerts.watch_alerts)
