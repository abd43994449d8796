"""``frs subject-access``: everything held or logged on a person, as a package to give to them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import typer

from frs.cli.client import DEFAULT_IDENTITY, Address, Identity, open_stub, receive
from frs.cli.options import AsJson, Data, application, print_json
from frs.cli.output import byte_progress, say, show_table, warn, write_private
from frs.errors import FrsError, Reason
from frs.v1 import retention_pb2 as pb
from frs.v1.retention_pb2_grpc import RetentionServiceStub

app = application("Everything held or logged on a person, as a package to give to them: a disclosure, and logged.")

ACCESS_SECONDS = 600.0
CANDIDATES = "candidates.json"


@app.command()
def subject_access(
    reason: Annotated[str, typer.Option(help="Why: for example the number of the person's request.")],
    recipient: Annotated[str, typer.Option(help="To whom the package is given.")],
    output: Annotated[Path, typer.Option(help="A new folder, or a file that ends in .zip.")],
    nominal: Annotated[str, typer.Option(help="The person's nominal reference.")] = "",
    photo: Annotated[Path | None, typer.Option(help="Or a photograph of the person.", dir_okay=False)] = None,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Write the package: data.json, report.html and pictures.

    With a photograph, every watchlist that can be searched is searched for whom it may show; where several people come
    into question none of their packages is given: look at the candidates and ask again with --nominal.
    """
    if bool(nominal) == (photo is not None):
        raise typer.BadParameter("give --nominal or --photo, one of the two")
    if output.exists():
        raise typer.BadParameter(f"{output} is there already; a package is written into a new place")
    client, stub = open_stub(RetentionServiceStub, data, address, identity)
    asked = pb.SubjectAccessRequest(
        nominal=nominal, photograph=_read(photo) if photo else b"", reason=reason, recipient=recipient
    )
    files: dict[str, bytearray] = {}
    with byte_progress("receiving", 0) as report:
        for part in receive(client, stub.SubjectAccess(asked, timeout=ACCESS_SECONDS)):
            files.setdefault(part.path, bytearray()).extend(part.data)
            report(sum(len(each) for each in files.values()))
    if CANDIDATES in files:
        _show_candidates(json.loads(files[CANDIDATES]), as_json)
        raise typer.Exit(1)
    _write(output, files)
    held = {kind: len(found) for kind, found in json.loads(files["data.json"]).items() if isinstance(found, list)}
    if as_json:
        print_json({"output": str(output), "files": {path: len(each) for path, each in files.items()}, "held": held})
        return
    show_table(("held or logged", "how many"), [(kind.replace("_", " "), count) for kind, count in held.items()])
    say(f"The package is in {output}; report.html is for reading.")


def _show_candidates(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        show_table(
            ("nominal", "watchlist", "score", "threshold"),
            [(c["nominal"], c["watchlist"], f"{c['score']:.3f}", f"{c['threshold']:.3f}") for c in found["candidates"]],
        )
    warn("Several people come into question, so no package was given: ask again with --nominal.")


def _write(output: Path, files: dict[str, bytearray]) -> None:
    for path in files:
        if not _inside(path):
            raise FrsError(Reason.INTERNAL, "The server named a file outside the package; nothing was written.")
    try:
        if output.suffix.lower() == ".zip":
            _write_zip(output, files.items())
        else:
            _write_folder(output, files.items())
    except OSError as error:
        raise FrsError(Reason.STORAGE_FAILED, f"{output} cannot be written: {error.strerror}.") from error


def _inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and "\\" not in path


def _write_folder(output: Path, files: Iterable[tuple[str, bytearray]]) -> None:
    output.mkdir(mode=0o700, parents=True)
    for path, data in files:
        place = output / path
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(place, bytes(data))


def _write_zip(output: Path, files: Iterable[tuple[str, bytearray]]) -> None:
    output.touch(mode=0o600)
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files:
            archive.writestr(path, bytes(data))


def _read(photo: Path) -> bytes:
    try:
        return photo.read_bytes()
    except OSError as error:
        raise FrsError(Reason.INVALID_FIELD, f"{photo} cannot be read: {error.strerror}", field="photo") from None
