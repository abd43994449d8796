"""``frs watchlist validate`` and ``apply``: a definition's plan, confirmed by a person and carried out."""

from __future__ import annotations

import hashlib
import sys
from datetime import UTC
from pathlib import Path
from typing import Annotated

import typer

from frs.cli.applying import MODES, Applied, Applying
from frs.cli.client import DEFAULT_IDENTITY, Address, Client, Identity, call, connect, pages
from frs.cli.options import AsJson, Data, load_settings, print_json
from frs.cli.output import say, show_table, warn
from frs.errors import FrsError, Reason
from frs.v1 import common_pb2 as common
from frs.v1 import watchlist_pb2 as pb
from frs.v1.watchlist_pb2_grpc import WatchlistServiceStub
from frs.watchlist.definition import Definition, read_definition
from frs.watchlist.plan import Plan, PresentImage, PresentSubject, PresentWatchlist, make_plan

Folder = Annotated[Path, typer.Argument(help="Folder with watchlist.yaml and its pictures.")]


def validate_command(folder: Folder, as_json: AsJson = False) -> None:
    """Check a definition without a server; every problem is told with its line."""
    definition = read_definition(folder)
    images = sum(len(entry.images) for entry in definition.entries)
    if as_json:
        print_json({"watchlist": definition.name, "entries": len(definition.entries), "images": images, "valid": True})
    else:
        say(f"{definition.name} is valid: {len(definition.entries)} entries with {images} images")


def read_present(client: Client, stub: WatchlistServiceStub, name: str) -> PresentWatchlist | None:
    """Return the list as the server has it, without withdrawn subjects; None when it does not exist."""
    try:
        watchlist = call(client, stub.GetWatchlist, pb.GetWatchlistRequest(name=f"watchlists/{name}"))
    except FrsError as error:
        if error.reason is Reason.WATCHLIST_NOT_FOUND:
            return None
        raise
    request = pb.ListSubjectsRequest(parent=watchlist.name, page_size=500, state=pb.SUBJECT_STATE_ENROLLED)
    subjects = tuple(_present_subject(subject) for subject in pages(client, stub.ListSubjects, request, "subjects"))
    fields = {
        "purpose": watchlist.purpose,
        "category": watchlist.category,
        "legal_basis": watchlist.legal_basis,
        "authorising_officer": watchlist.authorising_officer,
        "expires": watchlist.expire_time.ToDatetime(UTC).isoformat(timespec="seconds"),
        "grading": _grading(watchlist.default_grading),
    }
    modes = {number: mode for mode, number in MODES.items()}
    for threshold in watchlist.thresholds:
        score = "default" if threshold.source == "pack-default" else f"{threshold.score:.6f}"
        fields[f"threshold.{modes[threshold.mode]}"] = f"{score} {threshold.model} {threshold.profile}"
    return PresentWatchlist(fields, subjects)


def _grading(value: common.Grading.ValueType) -> str:
    return common.Grading.Name(value).removeprefix("GRADING_").lower()


def _present_subject(subject: pb.Subject) -> PresentSubject:
    return PresentSubject(
        name=subject.name,
        nominal=subject.nominal,
        justification=subject.justification,
        grading=_grading(subject.grading),
        under_18=subject.under_18,
        under_18_rationale=subject.under_18_rationale,
        images=tuple(PresentImage(image.name, image.sha256) for image in subject.images),
    )


def digests(folder: Path, definition: Definition) -> dict[str, str]:
    """Return the SHA-256 of every picture by its path."""
    paths = {image.path for entry in definition.entries for image in entry.images}
    return {path: hashlib.sha256((folder / path).read_bytes()).hexdigest() for path in paths}


def show_plan(definition: Definition, plan: Plan) -> None:
    """Print what applying would do."""
    rows: list[tuple[str, str, str]] = []
    if plan.creates:
        rows.append(("+", f"watchlist {definition.name}", f"{definition.category}, expires {definition.expires}"))
    rows += [("~", change.field, f"{change.before or '(none)'} -> {change.after}") for change in plan.fields]
    rows += [("+", entry.nominal, f"{len(entry.images)} images, {entry.grading}") for entry in plan.added]
    for change in plan.changed:
        parts = [f"{len(change.added)} images added" * bool(change.added)]
        parts.append(f"{len(change.removed)} images removed" * bool(change.removed))
        parts.append(f"enrolled anew for {', '.join(change.reenrol)}" * bool(change.reenrol))
        rows.append(("~", change.entry.nominal, "; ".join(part for part in parts if part)))
    rows += [("-", subject.nominal, "withdrawn; biometrics destroyed") for subject in plan.removed]
    show_table(("", "what", "how"), rows, f"Plan for {definition.name}")
    say(f"{plan.unchanged} unchanged")


def apply_command(
    folder: Folder,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Carry the plan out without asking.")] = False,
    remove_pictures: Annotated[
        bool | None,
        typer.Option(
            "--remove-pictures/--keep-pictures", help="Remove the imported plaintext pictures; asks by default."
        ),
    ] = None,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Bring a watchlist to what its definition says: prints the plan, asks, carries it out, offers to clean up."""
    definition = read_definition(folder)
    client = connect(load_settings(data), address, identity)
    stub = client.stub(WatchlistServiceStub)
    plan = make_plan(definition, digests(folder, definition), read_present(client, stub, definition.name))
    if not as_json:
        show_plan(definition, plan)
    if plan.empty:
        if as_json:
            print_json(Applied().as_json(definition.name))
        return
    if not yes and not typer.confirm("Carry this out?", err=as_json):
        raise typer.Exit(1)
    applied = Applying(client, stub, folder, definition).carry_out(plan)
    _report(applied, definition, as_json)
    _offer_removal(folder, applied, remove_pictures)
    if applied.refused:
        raise typer.Exit(1)


def _report(applied: Applied, definition: Definition, as_json: bool) -> None:
    if as_json:
        print_json(applied.as_json(definition.name))
    for nominal, warning in applied.warnings:
        warn(f"{nominal}: {warning}")
    for nominal, refusal in applied.refused:
        warn(f"{nominal} was refused: {refusal}")
    if not as_json:
        say(f"{len(applied.done)} done, {len(applied.refused)} refused.")
        say(f"Next: frs watchlist approve {definition.name}, activate, review.")


def _offer_removal(folder: Path, applied: Applied, wanted: bool | None) -> None:
    """Plaintext copies outlive every erasure, so the importer is asked to remove them."""
    if not applied.pictures:
        return
    if wanted is None:
        if not sys.stdin.isatty():
            warn(f"{len(applied.pictures)} plaintext pictures remain in {folder}; --remove-pictures removes them.")
            return
        wanted = typer.confirm(f"Remove the {len(applied.pictures)} imported pictures from {folder}?", err=True)
    if wanted:
        for path in applied.pictures:
            (folder / path).unlink(missing_ok=True)
        warn(f"{len(applied.pictures)} plaintext pictures removed; copies elsewhere are outside this system's control.")
