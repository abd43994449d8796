"""``frs audit export``: proven events in a file, for somebody outside.

Events arrive in ``FILE.part`` and the file gets its name when it is whole. What interrupts the command leaves the part:
``--resume`` goes on behind its last whole line, in the same signed tree.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import TaskID

from frs.cli import audit_filters as filters
from frs.cli.client import DEFAULT_IDENTITY, Address, Client, Identity, open_stub, receive
from frs.cli.export_spool import Spool, make_header, reopen
from frs.cli.options import AsJson, Data, print_json
from frs.cli.output import progress, say
from frs.errors import FrsError, Reason
from frs.store.durable import sync_folder
from frs.store.engines import storage_error
from frs.types import Json
from frs.v1 import oversight_pb2 as pb
from frs.v1.oversight_pb2_grpc import OversightServiceStub

_PASSING = {
    Reason.SERVER_UNREACHABLE,
    Reason.SHUTTING_DOWN,
    Reason.EXPORT_INTERRUPTED,
    Reason.OVERLOADED,
    Reason.UNAUTHENTICATED,  # the certificate's period ended on the way
    Reason.INTERNAL,
}
"""What interrupts an export that has begun; everything else would come again."""


class Format(StrEnum):
    """Of the file."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


def export_events(
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write; it must not be there yet.")],
    recipient: Annotated[str, typer.Option(help="To whom the events are disclosed; logged.")],
    reason: Annotated[str, typer.Option(help="Why they are disclosed; logged.")],
    file_format: Annotated[Format, typer.Option("--format", help="Format of the file.")] = Format.NDJSON,
    since: filters.Since = None,
    until: filters.Until = None,
    actor: filters.Actor = "",
    action: filters.ActionName = "",
    watchlist: filters.Watchlist = "",
    subject: filters.Subject = "",
    deployment: filters.Deployment = "",
    alert: filters.Alert = "",
    search: filters.Search = "",
    job: filters.Job = "",
    payloads: Annotated[
        bool, typer.Option("--payloads", help="Open the payloads that you may open and that are still held.")
    ] = False,
    proofs: Annotated[
        bool,
        typer.Option(
            "--proofs/--no-proofs",
            help="Without: a smaller file. Only for the whole log, whose events prove each other together.",
        ),
    ] = True,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an export that was interrupted.")] = False,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Write events that pass every filter given into a file, each with its proof of inclusion in one signed checkpoint.

    The export is a disclosure: recipient and reason are logged. `frs-verify export FILE --key log.vkey` verifies it.
    """
    wanted = filters.wanted(
        since,
        until,
        actor=actor,
        action=action,
        watchlist=watchlist,
        subject=subject,
        deployment=deployment,
        alert=alert,
        search=search,
        job=job,
    )
    if wanted and not proofs:
        raise FrsError(Reason.INVALID_FIELD, "--no-proofs is for the whole log: leave the filters or the option out")
    part = _prepare(output, resume)
    try:
        spool = reopen(part)
    except OSError as error:
        raise storage_error(error) from None
    asked: dict[str, Json] = {"filter": dict(wanted), "recipient": recipient.strip(), "reason": reason.strip()}
    try:
        resumed = spool.events
        if spool.header:
            _check_same(spool.header, asked, filters.spans(since, until), payloads=payloads, proofs=proofs)
        if not spool.whole:
            client, stub = open_stub(OversightServiceStub, data, address, identity)
            _fetch(client, stub, spool, asked, payloads=payloads, proofs=proofs)
        spool.finish()
        _write(spool, output, file_format)
    except OSError as error:
        raise storage_error(error) from None
    finally:
        spool.close()
    _tell(spool, output, resumed, as_json)


def _prepare(output: Path, resume: bool) -> Path:
    """Return the path of the part; refuse to write over what is there."""
    part = output.with_name(f"{output.name}.part")
    if output.exists():
        raise FrsError(Reason.INVALID_FIELD, f"{output} is there already: an export is not written over another")
    if not output.parent.is_dir():
        raise FrsError(Reason.INVALID_FIELD, f"{output.parent} is no folder")
    if part.exists() and not resume:
        message = f"{part} is there from an export that was interrupted: go on with --resume, or remove it"
        raise FrsError(Reason.INVALID_FIELD, message)
    return part


def _check_same(
    header: dict[str, Any], asked: dict[str, Json], spans: set[str], *, payloads: bool, proofs: bool
) -> None:
    """Check that an export goes on with what it was begun with; spans of time are those of its beginning."""
    wanted = asked["filter"]
    assert isinstance(wanted, dict)
    for name in spans & header["filter"].keys():
        wanted[name] = header["filter"][name]
    now = {**asked, "payloads": payloads, "proofs": proofs}
    differing = [name for name, value in now.items() if header[name] != value]
    if differing:
        message = f"the export was begun with another {' and '.join(differing)}: resume it with the same options"
        raise FrsError(Reason.INVALID_FIELD, message)


def _fetch(
    client: Client,
    stub: OversightServiceStub,
    spool: Spool,
    asked: dict[str, Json],
    *,
    payloads: bool,
    proofs: bool,
) -> None:
    """Receive what is missing."""
    wanted = asked["filter"]
    assert isinstance(wanted, dict)
    request = pb.ExportEventsRequest(
        filter=filters.filter_message({name: str(value) for name, value in wanted.items()}),
        recipient=str(asked["recipient"]),
        reason=str(asked["reason"]),
        with_payloads=payloads,
        first_index=spool.last_index + 1,
        tree_size=spool.tree_size if spool.header else 0,
    )
    begun = False
    try:
        with progress() as display:
            task: TaskID | None = None
            for answer in receive(client, stub.ExportEvents(request)):
                if not begun:
                    _begin(spool, make_header(answer.checkpoint, asked, payloads=payloads, proofs=proofs))
                    begun = True
                    task = display.add_task("events", total=spool.tree_size)
                for event in answer.events:
                    spool.add(event)
                if task is not None:
                    display.update(task, completed=spool.last_index + 1)
    except FrsError as error:
        if not begun or error.reason not in _PASSING:
            raise
        raise FrsError(
            Reason.EXPORT_INTERRUPTED,
            f"the export stopped after {spool.events} events, which are kept in {spool.path}: {error.message}",
            events=str(spool.events),
        ) from None
    finally:
        client.close()
        spool.keep()
    if not begun:
        raise FrsError(Reason.INTERNAL, "the server sent no checkpoint")


def _begin(spool: Spool, header: dict[str, Json]) -> None:
    """Write the header, or check that the export goes on in the tree it was begun in."""
    if not spool.header:
        spool.begin(header)
    elif _text(spool.header["checkpoint"]) != _text(str(header["checkpoint"])):
        message = f"the server's tree of {spool.tree_size} events is not the one that the export was begun in"
        raise FrsError(Reason.LOG_INCONSISTENT, message)


def _text(note: str) -> str:
    """Return what a note's signatures are over: a witness may have cosigned meanwhile."""
    return note.rpartition("\n\n")[0]


def _write(spool: Spool, output: Path, file_format: Format) -> None:
    """Give the whole export its name."""
    if file_format is Format.NDJSON:
        spool.path.replace(output)
        sync_folder(output.parent)
        return
    from frs.cli.export_tables import write_csv, write_parquet

    write = write_csv if file_format is Format.CSV else write_parquet
    with progress() as display:
        task = display.add_task(f"{file_format} file", total=spool.events)
        write(spool, output, lambda done: display.update(task, completed=done))
    spool.path.unlink()


def _tell(spool: Spool, output: Path, resumed: int, as_json: bool) -> None:
    header = spool.header
    if as_json:
        print_json(
            {
                "file": str(output),
                "events": spool.events,
                "payloads": spool.payloads,
                "resumed_after": resumed,
                "origin": header["origin"],
                "tree_size": spool.tree_size,
                "complete": header["complete"],
                "recipient": header["recipient"],
                "reason": header["reason"],
                "filter": header["filter"],
            }
        )
        return
    opened = f", {spool.payloads} with their payload" if header["payloads"] else ""
    say(f"{output}: {spool.events} events{opened}, proven by the checkpoint of {spool.tree_size} events")
    say(f"Verify it with: frs-verify export {output} --key log.vkey")
