"""``frs watchlist``: plan, apply and manage watchlists and their subjects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from frs.cli.client import DEFAULT_IDENTITY, Address, Client, Identity, call, open_stub, pages
from frs.cli.options import AsJson, Data, application, print_json
from frs.cli.output import as_json as message_json
from frs.cli.output import say, short, show_fields, show_messages, show_table, warn, when
from frs.cli.resource import resource
from frs.cli.watchlist_apply import apply_command, validate_command
from frs.errors import FrsError, Reason
from frs.v1 import common_pb2 as common
from frs.v1 import watchlist_pb2 as pb
from frs.v1.watchlist_pb2_grpc import WatchlistServiceStub

app = application("Plan, apply and manage watchlists and their subjects.")
app.command("validate")(validate_command)
app.command("apply")(apply_command)

Name = Annotated[str, typer.Argument(help="Name of the watchlist.")]
Why = Annotated[str, typer.Option("--reason", help="Why; it is logged.")]


def _state(watchlist: pb.Watchlist) -> str:
    state = short(pb.WatchlistState.Name(watchlist.state))
    return f"{state}, expired" if watchlist.expired else state


def _reviewed(watchlist: pb.Watchlist) -> str:
    if not watchlist.reviewed_version:
        return "never"
    current = watchlist.reviewed_version == watchlist.version
    note = "" if current else f" (version {watchlist.reviewed_version}, not the present one)"
    return f"{when(watchlist.review_time)} by {watchlist.reviewed_by}{note}"


def _show(watchlist: pb.Watchlist, as_json: bool) -> None:
    if as_json:
        print_json(message_json(watchlist))
        return
    show_fields(
        [
            ("watchlist", watchlist.name),
            ("state", _state(watchlist)),
            ("version", watchlist.version),
            ("purpose", watchlist.purpose),
            ("category", watchlist.category),
            ("legal basis", watchlist.legal_basis),
            ("authorising officer", watchlist.authorising_officer),
            ("expires", when(watchlist.expire_time)),
            ("subjects", f"{watchlist.subject_count} with {watchlist.image_count} images"),
            ("approved", f"{when(watchlist.approve_time)} {watchlist.approved_by}".strip()),
            ("reviewed", _reviewed(watchlist)),
            *[
                (
                    f"threshold {short(common.Mode.Name(t.mode))}",
                    f"{t.score:.4f} ({t.source}) for {t.model}, profile {t.profile}",
                )
                for t in watchlist.thresholds
            ],
        ]
    )


@app.command("list")
def list_watchlists(
    data: Data = None, address: Address = None, identity: Identity = DEFAULT_IDENTITY, as_json: AsJson = False
) -> None:
    """List watchlists."""
    client, stub = open_stub(WatchlistServiceStub, data, address, identity)
    found = list(pages(client, stub.ListWatchlists, pb.ListWatchlistsRequest(page_size=200), "watchlists"))
    if as_json:
        show_messages(found)
        return
    show_table(
        ("watchlist", "state", "version", "category", "subjects", "expires", "reviewed"),
        [
            (
                w.name.removeprefix("watchlists/"),
                _state(w),
                w.version,
                w.category,
                w.subject_count,
                when(w.expire_time),
                _reviewed(w),
            )
            for w in found
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
    """Show a watchlist and its subjects."""
    client, stub = open_stub(WatchlistServiceStub, data, address, identity)
    parent = resource("watchlists", name)
    watchlist = call(client, stub.GetWatchlist, pb.GetWatchlistRequest(name=parent))
    subjects = list(pages(client, stub.ListSubjects, pb.ListSubjectsRequest(parent=parent, page_size=500), "subjects"))
    if as_json:
        print_json(message_json(watchlist) | {"subjects": [message_json(subject) for subject in subjects]})
        return
    _show(watchlist, as_json=False)
    show_table(
        ("subject", "nominal", "state", "grading", "images", "since"),
        [
            (
                s.name.rsplit("/", 1)[-1],
                s.nominal,
                short(pb.SubjectState.Name(s.state)),
                short(common.Grading.Name(s.grading)),
                len(s.images),
                when(s.create_time),
            )
            for s in subjects
        ],
        "Subjects",
    )


@app.command()
def approve(
    name: Name,
    version: Annotated[int, typer.Option(help="The version approved; 0 for the present one.")] = 0,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Approve a draft, as its authorising officer."""
    client, stub = open_stub(WatchlistServiceStub, data, address, identity)
    request = pb.ApproveWatchlistRequest(name=resource("watchlists", name), version=version)
    _show(call(client, stub.ApproveWatchlist, request), as_json)


@app.command()
def activate(
    name: Name,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Activate an approved list: from now on it can be searched."""
    client, stub = open_stub(WatchlistServiceStub, data, address, identity)
    _show(call(client, stub.ActivateWatchlist, pb.ActivateWatchlistRequest(name=resource("watchlists", name))), as_json)


@app.command()
def review(
    name: Name,
    version: Annotated[int, typer.Option(help="The version reviewed; 0 for the present one.")] = 0,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Record that the list was reviewed; needed before each deployment."""
    client, stub = open_stub(WatchlistServiceStub, data, address, identity)
    request = pb.ReviewWatchlistRequest(name=resource("watchlists", name), version=version)
    _show(call(client, stub.ReviewWatchlist, request), as_json)


@app.command()
def retire(
    name: Name,
    reason: Why,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Retire a list at once and for good."""
    client, stub = open_stub(WatchlistServiceStub, data, address, identity)
    request = pb.RetireWatchlistRequest(name=resource("watchlists", name), reason=reason)
    _show(call(client, stub.RetireWatchlist, request), as_json)


@app.command()
def enrol(
    name: Name,
    pictures: Annotated[list[Path], typer.Argument(help="Pictures of the person.", exists=True, dir_okay=False)],
    nominal: Annotated[str, typer.Option(help="The force's reference for the person.")],
    justification: Annotated[str, typer.Option(help="The intelligence case.")],
    source: Annotated[str, typer.Option(help="Where the pictures came from.")],
    taken_on: Annotated[str, typer.Option(help="When they were taken, YYYY-MM-DD.")],
    lawfully_held: Annotated[bool, typer.Option("--lawfully-held", help="State that they are lawfully held.")] = False,
    grading: Annotated[str, typer.Option(help="red, amber or green; the list's own by default.")] = "",
    under_18_rationale: Annotated[str, typer.Option(help="Why a person under 18 is listed.")] = "",
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Enrol one person from pictures."""
    client, stub = open_stub(WatchlistServiceStub, data, address, identity)
    request = pb.EnrolSubjectRequest(
        parent=resource("watchlists", name),
        subject=pb.Subject(
            nominal=nominal,
            justification=justification,
            lawfully_held=lawfully_held,
            grading=common.Grading.Value(f"GRADING_{grading.upper()}") if grading else common.GRADING_UNSPECIFIED,
            under_18=bool(under_18_rationale),
            under_18_rationale=under_18_rationale,
        ),
        images=[pb.ImageDraft(data=path.read_bytes(), source=source, taken_on=taken_on) for path in pictures],
    )
    answer = call(client, stub.EnrolSubject, request)
    if as_json:
        print_json(message_json(answer))
        return
    say(f"{answer.subject.name}: {nominal} enrolled with {len(answer.subject.images)} images")
    for warning in answer.warnings:
        warn(warning)


@app.command()
def withdraw(
    subject: Annotated[str, typer.Argument(help="watchlists/LIST/subjects/ID; or the list's name, with --nominal.")],
    reason: Why,
    nominal: Annotated[
        str, typer.Option(help="The person's reference on that list, in place of the subject's id.")
    ] = "",
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Withdraw a person at once, from running deployments too; the biometrics are destroyed."""
    client, stub = open_stub(WatchlistServiceStub, data, address, identity)
    name = _find(client, stub, resource("watchlists", subject), nominal) if nominal else subject
    answer = call(client, stub.WithdrawSubject, pb.WithdrawSubjectRequest(name=name, reason=reason))
    if as_json:
        print_json(message_json(answer))
    else:
        say(f"{answer.name}: {answer.nominal} is withdrawn and no longer matched")


def _find(client: Client, stub: WatchlistServiceStub, parent: str, nominal: str) -> str:
    request = pb.ListSubjectsRequest(parent=parent, page_size=500, state=pb.SUBJECT_STATE_ENROLLED)
    for subject in pages(client, stub.ListSubjects, request, "subjects"):
        if subject.nominal == nominal:
            return str(subject.name)
    raise FrsError(Reason.SUBJECT_NOT_FOUND, f"{parent} has no enrolled subject {nominal}")
