"""``frs models``: list, install, add, verify and show model packs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from frs.cli.options import AsJson, Data, application, load_settings, print_json
from frs.clock import SystemClock
from frs.embed.catalogue import CATALOGUE, CatalogueEntry, find_entry
from frs.embed.pack import Pack
from frs.embed.shelf import Progress as Report
from frs.embed.shelf import Shelf
from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.types import Json

app = application("List, install, add and verify model packs.")

Name = Annotated[str, typer.Argument(help="Name of the pack.")]


@app.command("list")
def list_packs(data: Data = None, as_json: AsJson = False) -> None:
    """List the packs that are installed and those that can be."""
    settings = load_settings(data)
    shelf = Shelf(settings.models_path)
    rows = [_describe_installed(shelf, name, settings) for name in shelf.names()]
    rows += [_describe_entry(entry) for entry in CATALOGUE if entry.name not in shelf.names()]
    if as_json:
        print_json({"models_dir": str(shelf.folder), "packs": rows})
        return
    table = Table(box=None)
    for column in ("pack", "state", "size", "dimension", "what it is"):
        table.add_column(column, overflow="fold")
    for row in rows:
        state = f"{row['state']}, in use" if row["in_use"] else str(row["state"])
        dimension = "" if row["dimension"] is None else str(row["dimension"])
        table.add_row(row["name"], state, _megabytes(row["bytes"]), dimension, row["summary"])
    console = Console()
    console.print(f"Model packs in {shelf.folder}", highlight=False, soft_wrap=True)
    console.print(table)
    for title, field in (("Licences", "licence"), ("Notices", "notice")):
        texts = dict.fromkeys(row[field] for row in rows if row[field])
        if texts:
            console.print(f"\n{title}")
        for text in texts:
            names = ", ".join(row["name"] for row in rows if row[field] == text)
            console.print(f"  {names}: {text}", highlight=False)


@app.command()
def show(name: Name, data: Data = None, as_json: AsJson = False) -> None:
    """Show a pack's manifest, or what the catalogue says of one that is not installed."""
    settings = load_settings(data)
    shelf = Shelf(settings.models_path)
    entry = find_entry(name)
    if name in shelf.names() or entry is None:
        value = _describe(shelf.describe(name), settings)
    else:
        value = _describe_entry(entry)
    if as_json:
        print_json(value)
        return
    table = Table(show_header=False)
    for key, shown in value.items():
        table.add_row(key, _flat(shown))
    Console().print(table)


@app.command()
def install(
    name: Name,
    accept_license: Annotated[
        bool, typer.Option("--accept-license", help="I have read the licence and may use the pack under it.")
    ] = False,
    source: Annotated[
        str, typer.Option("--from", help="A mirror's address, a folder or an archive instead of the publisher.")
    ] = "",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Install a pack of the catalogue; `starter` is made here, offline."""
    from frs.embed.install import install as install_entry

    settings = load_settings(data)
    entry = find_entry(name)
    if entry is None:
        known = ", ".join(e.name for e in CATALOGUE)
        raise FrsError(Reason.MODEL_NOT_FOUND, f"the catalogue has no pack {name!r}; it has {known}", pack=name)
    if not entry.made_here:
        Console(stderr=True).print(f"Licence of {name}: {entry.licence}\n{entry.licence_url}", highlight=False)
    with _progress_bar() as report:
        pack = install_entry(
            entry,
            Shelf(settings.models_path),
            SystemClock(),
            licence_accepted=accept_license,
            source=source,
            progress=report,
        )
    _print_placed("installed", pack, settings, as_json)


@app.command()
def add(
    folder: Annotated[Path, typer.Argument(help="Folder of .onnx files, for example in InsightFace's layout.")],
    name: Annotated[str, typer.Option(help="Name of the pack; else the folder's.")] = "",
    detector: Annotated[str, typer.Option(help="File name of the detector, where there are several.")] = "",
    recogniser: Annotated[str, typer.Option(help="File name of the recogniser, where there are several.")] = "",
    license_name: Annotated[str, typer.Option("--license", help="Under what terms the files may be used.")] = "",
    license_url: Annotated[str, typer.Option("--license-url", help="Where the licence can be read.")] = "",
    profile: Annotated[str, typer.Option(help="Scoring profile: plain or mirror.")] = "plain",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make a pack of a folder that has no manifest. The files are copied."""
    from frs.embed.adding import Choice, add_folder

    settings = load_settings(data)
    choice = Choice(name, detector, recogniser, license_name, license_url, _profile(profile))
    added = add_folder(folder, Shelf(settings.models_path), SystemClock(), choice)
    _print_placed("added", added.pack, settings, as_json, added.ignored)


@app.command()
def verify(
    name: Annotated[str, typer.Argument(help="Name of the pack; else every installed pack.")] = "",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Compare every file of installed packs with its manifest; fail when one was changed."""
    shelf = Shelf(load_settings(data).models_path)
    names = (name,) if name else shelf.names()
    failures: list[FrsError] = []
    rows: list[dict[str, Json]] = []
    for each in names:
        try:
            pack = shelf.load(each)
        except FrsError as error:
            failures.append(error)
            rows.append({"name": each, "ok": False, "reason": str(error.reason), "message": error.message})
        else:
            rows.append({"name": each, "ok": True, "version": pack.version})
    if as_json:
        print_json({"packs": rows})
    else:
        for row in rows:
            typer.echo(f"{row['name']}: " + (f"intact, version {row['version']}" if row["ok"] else "NOT INTACT"))
        if not names:
            typer.echo(f"no packs are installed in {shelf.folder}")
    if failures:
        raise failures[0]


def _describe(pack: Pack, settings: Settings) -> dict[str, Any]:
    in_use = settings.embed.pack in (pack.name, str(pack.folder))
    return {
        "name": pack.name,
        "state": "installed",
        "in_use": in_use,
        "summary": entry.summary if (entry := find_entry(pack.name)) else "",
        "folder": str(pack.folder),
        "version": pack.version,
        "dimension": pack.dimension,
        "input_size": pack.input_size,
        "profile": pack.profile,
        "licence": pack.licence,
        "licence_url": pack.licence_url,
        "notice": pack.notice,
        "bytes": sum(p.stat().st_size for p in (pack.detector_path, pack.recogniser_path) if p.is_file()),
        "detector": {"file": pack.detector.name, "kind": pack.detector.kind, "sha256": pack.detector.sha256},
        "recogniser": {"file": pack.recogniser.name, "kind": pack.recogniser.kind, "sha256": pack.recogniser.sha256},
        "thresholds": [{"mode": str(t.mode), "score": t.score, "basis": t.basis} for t in pack.thresholds],
    }


def _describe_installed(shelf: Shelf, name: str, settings: Settings) -> dict[str, Any]:
    try:
        return _describe(shelf.describe(name), settings)
    except FrsError as error:
        return {
            "name": name,
            "state": "unusable",
            "in_use": settings.embed.pack == name,
            "summary": "",
            "dimension": None,
            "licence": "",
            "notice": error.message,
            "bytes": 0,
        }


def _describe_entry(entry: CatalogueEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "state": "installable",
        "in_use": False,
        "summary": entry.summary,
        "dimension": entry.dimension,
        "input_size": entry.input_size,
        "profile": entry.profile,
        "licence": entry.licence,
        "licence_url": entry.licence_url,
        "permissive": entry.permissive,
        "made_here": entry.made_here,
        "notice": entry.notice,
        "bytes": entry.size,
        "from": [entry.base + remote.path for remote in entry.remotes],
        "detector": {"file": entry.detector.name, "kind": entry.detector_kind, "sha256": entry.detector.sha256},
        "recogniser": {"file": entry.recogniser.name, "kind": entry.recogniser_kind, "sha256": entry.recogniser.sha256},
    }


def _print_placed(
    what: str, pack: Pack, settings: Settings, as_json: bool, ignored: tuple[tuple[str, str], ...] = ()
) -> None:
    value = _describe(pack, settings)
    if as_json:
        print_json(value | {"ignored": [{"file": file, "why": why} for file, why in ignored]})
        return
    typer.echo(f"{what} {pack.name} (version {pack.version}, {pack.dimension}-d, {pack.profile}) in {pack.folder}")
    typer.echo(f"detector {pack.detector.name}, recogniser {pack.recogniser.name}")
    for file, why in ignored:
        typer.echo(f"left out {file}: {why}")
    if not pack.thresholds:
        typer.echo("it has no calibration: watchlists need an explicit score for each mode (docs/thresholds.md)")
    if pack.notice:
        typer.echo(pack.notice)
    if not value["in_use"]:
        typer.echo(f'use it with embed.pack = "{pack.name}" in frs.toml or FRS_EMBED__PACK={pack.name}')


@contextmanager
def _progress_bar() -> Iterator[Report]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def report(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step.rsplit("/", 1)[-1], total=total or None)
            bar.update(tasks[step], completed=done)

        yield report


def _profile(text: str) -> Literal["plain", "mirror"]:
    if text == "plain":
        return "plain"
    if text == "mirror":
        return "mirror"
    raise FrsError(Reason.INVALID_FIELD, f"there is no profile {text!r}: plain or mirror", field="profile")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size else "-"


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    if isinstance(value, list):
        return "\n".join(_flat(item) for item in value) or "none"
    return str(value)
