"""``frs vigilance``: the known pairs that enter the reviewers' queue unmarked, against rubber-stamping."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from frs.cli.client import DEFAULT_IDENTITY, Address, Client, Identity, call, open_stub, pages
from frs.cli.options import AsJson, Data, application, print_json
from frs.cli.output import as_json as message_json
from frs.cli.output import progress, say, show_messages, show_table, warn, when
from frs.cli.pairs_file import PairLine, read_pairs
from frs.cli.resource import resource
from frs.errors import FrsError, Reason
from frs.v1 import vigilance_pb2 as pb
from frs.v1.vigilance_pb2_grpc import VigilanceServiceStub

app = application(
    "Known pairs that enter the reviewers' queue as alerts, unmarked: whoever reviews must not see this set. Their "
    "results by reviewer are in `frs report`."
)

_COLUMNS = ("pair", "shows", "score", "shown", "nominal", "source", "added", "by")


@app.command()
def add(
    probe: Annotated[Path, typer.Argument(help="One face, as a camera sees it.", exists=True, dir_okay=False)],
    reference: Annotated[Path, typer.Argument(help="One face, as a reference.", exists=True, dir_okay=False)],
    matching: Annotated[bool, typer.Option("--matching/--different", help="One person on both, or two people.")],
    nominal: Annotated[str, typer.Option(help="What the check shows as a nominal: of nobody on a list.")],
    source: Annotated[str, typer.Option(help="Where the pictures are from, and why they may be used for this.")],
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Add one pair."""
    client, stub = open_stub(VigilanceServiceStub, data, address, identity)
    added = _add(client, stub, PairLine(0, probe, reference, matching, nominal, source))
    if as_json:
        print_json(message_json(added))
    else:
        say(f"{added.name}: {_shows(added)}, score {added.score:.3f}.")


@app.command()
def load(
    folder: Annotated[
        Path, typer.Argument(help="Folder with pairs.csv: probe,reference,matching,nominal,source.", exists=True)
    ],
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Add all pairs of a folder. Those that are in the set already are passed over; one refused stops no other."""
    lines = read_pairs(folder)
    client, stub = open_stub(VigilanceServiceStub, data, address, identity)
    added: list[pb.VigilancePair] = []
    known: list[int] = []
    refused: list[tuple[int, str]] = []
    with progress() as bar:
        for line in bar.track(lines, description="pairs"):
            try:
                added.append(_add(client, stub, line))
            except FrsError as error:
                if error.reason is Reason.PAIR_EXISTS:
                    known.append(line.number)
                elif error.metadata.get("image") or error.reason is Reason.INVALID_FIELD:
                    refused.append((line.number, f"{error.message} [{error.reason}]"))
                else:  # not about this pair
                    raise
    if as_json:
        print_json(
            {
                "added": [message_json(pair) for pair in added],
                "known_lines": known,
                "refused": [{"line": number, "why": why} for number, why in refused],
            }
        )
    else:
        matching = sum(pair.matching for pair in added)
        say(
            f"{len(added)} pairs added, {matching} of one person and {len(added) - matching} of two; "
            f"{len(known)} were there already, {len(refused)} refused."
        )
        for number, why in refused:
            warn(f"line {number}: {why}")
    if refused:
        raise typer.Exit(1)


@app.command("list")
def list_pairs(
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 for all.")] = 0,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """List the pairs, newest first. It is logged."""
    client, stub = open_stub(VigilanceServiceStub, data, address, identity)
    size = min(limit, 1000) if limit else 1000
    found = list(pages(client, stub.ListPairs, pb.ListPairsRequest(page_size=size), "pairs", limit))
    if as_json:
        show_messages(found)
        return
    show_table(
        _COLUMNS,
        [
            (
                *(pair.name.removeprefix("pairs/"), _shows(pair), f"{pair.score:.3f}", pair.shown_count),
                *(pair.nominal, pair.source, when(pair.create_time), pair.created_by),
            )
            for pair in found
        ],
    )


@app.command()
def remove(
    pair: Annotated[str, typer.Argument(help="The pair.")],
    reason: Annotated[str, typer.Option(help="Why; it is logged.")],
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Destroy both pictures of a pair. What reviewers decided on it still counts."""
    client, stub = open_stub(VigilanceServiceStub, data, address, identity)
    removed = call(client, stub.RemovePair, pb.RemovePairRequest(name=resource("pairs", pair), reason=reason))
    if as_json:
        print_json(message_json(removed))
    else:
        say(f"{removed.name}: both pictures are destroyed. Checks that showed it: {removed.shown_count}.")


def _add(client: Client, stub: VigilanceServiceStub, line: PairLine) -> pb.VigilancePair:
    pair = pb.VigilancePair(matching=line.matching, nominal=line.nominal, source=line.source)
    request = pb.AddPairRequest(pair=pair, probe=line.probe.read_bytes(), reference=line.reference.read_bytes())
    return call(client, stub.AddPair, request)


def _shows(pair: pb.VigilancePair) -> str:
    return "one person" if pair.matching else "two people"
