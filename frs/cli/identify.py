"""``frs identify``: an officer's photograph is searched at once; the officer records the outcome."""

from __future__ import annotations

import socket
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from frs.cli.client import DEFAULT_IDENTITY, Address, Identity, call, open_stub, pages
from frs.cli.faces import show_faces
from frs.cli.options import AsJson, Data, application, print_json
from frs.cli.output import as_json as message_json
from frs.cli.output import say, short, show_messages, show_table, warn, when, write_private
from frs.cli.resource import resource
from frs.cli.search import CANDIDATE_COLUMNS, candidate_row
from frs.v1 import operator_pb2 as pb
from frs.v1.operator_pb2_grpc import OperatorServiceStub


class PhotographFirst(TyperGroup):
    """Lets ``frs identify PHOTO …`` stand for ``frs identify photo PHOTO …``: the officer's everyday call."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``photo`` before arguments that begin with no command and ask for no help; ``list`` before ``--owed``."""
        # Typer carries its own copy of Click, whose context type is private.
        if args and args[0] not in self.commands and args[0] not in {"-h", "--help"}:
            args = ["list" if args[0] == "--owed" else "photo", *args]
        return super().parse_args(ctx, args)


app = application("Search one photograph at once, list the outcomes owed, record an outcome.")
app.info.cls = PhotographFirst

IMAGES = ("reference_image_jpeg",)
_SHOWN = 3
"""Candidates that are drawn in the terminal."""


class Decision(StrEnum):
    """What the officer decided."""

    SAME = "same"
    NOT_SAME = "not-same"
    COULD_NOT_TELL = "could-not-tell"


_OUTCOMES = {
    Decision.SAME: pb.OUTCOME_SAME_PERSON,
    Decision.NOT_SAME: pb.OUTCOME_NOT_SAME_PERSON,
    Decision.COULD_NOT_TELL: pb.OUTCOME_COULD_NOT_TELL,
}


@app.command("photo")
def photo(
    photograph: Annotated[Path, typer.Argument(help="Photograph of one person.", exists=True, dir_okay=False)],
    reason: Annotated[str, typer.Option(help="Why; it is logged.")],
    power: Annotated[str, typer.Option(help="The legal power relied on; it is logged.")],
    device: Annotated[str, typer.Option(help="Identifier of the device.")] = socket.gethostname(),
    watchlist: Annotated[
        list[str] | None, typer.Option("--watchlist", "-w", help="A watchlist to search; every active one by default.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the candidates' reference pictures here.")] = None,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Search a photograph: ranked candidates, or an explicit "no match"."""
    client, stub = open_stub(OperatorServiceStub, data, address, identity)
    taken = photograph.read_bytes()
    request = pb.IdentifyRequest(
        photograph=taken,
        reason=reason,
        legal_power=power,
        device=device,
        watchlists=[resource("watchlists", name) for name in watchlist or []],
    )
    answer = call(client, stub.Identify, request)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for candidate in answer.candidates:
            write_private(out / f"{candidate.rank:02d}.jpg", candidate.reference_image_jpeg)
    if as_json:
        print_json(message_json(answer, *IMAGES))
        return
    if answer.matched:
        show_table(CANDIDATE_COLUMNS, [candidate_row("photograph", c) for c in answer.candidates], answer.search)
        # The photograph first, then the candidates by rank.
        faces = [taken, *(c.reference_image_jpeg for c in answer.candidates[:_SHOWN])]
        if not show_faces(faces) and out is None:
            warn("This terminal shows no pictures: take the references with --out FOLDER.")
        say("A score proposes, you decide: compare the faces, and the person's papers, before you act.")
        outcomes = " | ".join(Decision)
        say(f"Then: frs identify outcome {answer.search.removeprefix('searches/')} {outcomes} --reason WHY")
    else:
        say(f"No match. ({answer.search})")
    if answer.left_out:
        lists = ", ".join(f"{each.watchlist.removeprefix('watchlists/')} ({each.reason})" for each in answer.left_out)
        warn(f"Active lists that were not searched: {lists}")
    if answer.outcomes_owed:
        say(f"Outcomes you owe: {answer.outcomes_owed} (frs identify --owed)")
    if answer.notice:
        warn(answer.notice)


@app.command()
def outcome(
    search: Annotated[str, typer.Argument(help="Id or resource name of the search.")],
    decision: Annotated[Decision, typer.Argument(help="Is it the same person?")],
    reason: Annotated[str, typer.Option(help="What you saw; it is logged.")],
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Record what you decided about a search of yours."""
    client, stub = open_stub(OperatorServiceStub, data, address, identity)
    request = pb.RecordOutcomeRequest(name=resource("searches", search), outcome=_OUTCOMES[decision], reason=reason)
    recorded = call(client, stub.RecordOutcome, request)
    if as_json:
        print_json(message_json(recorded, *IMAGES))
    else:
        say(f"{recorded.name}: {short(pb.Outcome.Name(recorded.outcome))}")


@app.command("list")
def list_searches(
    owed: Annotated[bool, typer.Option("--owed", help="Only those whose outcome is owed.")] = False,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """List your searches, newest first."""
    client, stub = open_stub(OperatorServiceStub, data, address, identity)
    state = pb.OUTCOME_STATE_OWED if owed else pb.OUTCOME_STATE_UNSPECIFIED
    found = list(
        pages(client, stub.ListSearches, pb.ListSearchesRequest(page_size=200, outcome_state=state), "searches")
    )
    if as_json:
        show_messages(found, *IMAGES)
        return
    show_table(
        ("search", "officer", "at", "reason", "candidates", "outcome"),
        [
            (
                s.name.removeprefix("searches/"),
                s.officer,
                when(s.create_time),
                s.reason,
                ", ".join(f"{c.nominal} {c.score:.3f}" for c in s.candidates),
                short(pb.Outcome.Name(s.outcome)) if s.outcome else short(pb.OutcomeState.Name(s.outcome_state)),
            )
            for s in found
        ],
    )
