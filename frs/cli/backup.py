"""``frs backup``: a consistent copy of the data, without any key, while the service runs or stands still."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from frs.cli.administering import at_server_or_at_rest
from frs.cli.client import DEFAULT_IDENTITY, Address, Client, Identity, receive
from frs.cli.options import AsJson, Data, application, load_settings, print_json
from frs.cli.output import byte_progress, say
from frs.clock import SystemClock
from frs.recovery.archive import Kind, Manifest
from frs.recovery.at_rest import local_actor, records_at_rest
from frs.recovery.backup import Backups
from frs.recovery.saving import save
from frs.settings import Settings
from frs.store.copying import sqlite_file
from frs.v1 import administration_pb2 as pb
from frs.v1.administration_pb2_grpc import AdministrationServiceStub

app = application("Copy the data into one file. No key is in it: see also frs keyring backup.")

Output = Annotated[Path, typer.Option("--output", "-o", help="The file to write; it must not exist.", dir_okay=False)]
KeptAt = Annotated[
    str,
    typer.Option("--kept-at", help="Where the copy will be kept: logged, and named in certificates of erasure."),
]


@app.command()
def backup(
    output: Output,
    kept_at: KeptAt,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Make a backup of database, uploads, settings and verifier keys, and check it."""
    settings = load_settings(data)
    if address is None:
        sqlite_file(settings)
    made = at_server_or_at_rest(
        settings,
        address,
        identity,
        lambda client: _served(client, output, kept_at),
        lambda: _at_rest(settings, output, kept_at),
    )
    _tell(made, output, as_json)


def _served(client: Client, output: Path, kept_at: str) -> Manifest:
    stream = receive(
        client, client.stub(AdministrationServiceStub).CreateBackup(pb.CreateBackupRequest(kept_at=kept_at))
    )
    size = next(stream).size
    with byte_progress("backup", size) as report:
        return save((message.data for message in stream), output, Kind.DATA, report)


def _at_rest(settings: Settings, output: Path, kept_at: str) -> Manifest:
    clock = SystemClock()
    with records_at_rest(settings, clock) as records:
        store = records.store
        begun = Backups(store.database, store.keyring, records.audit, settings, clock).data(local_actor(), kept_at)
        with byte_progress("backup", begun.size) as report:
            return save(begun.chunks, output, Kind.DATA, report)


def _tell(made: Manifest, output: Path, as_json: bool) -> None:
    uploads = sum(member.name.startswith("uploads/") for member in made.members)
    if as_json:
        told = {
            "file": str(output),
            "bytes": output.stat().st_size,
            "events": made.number("events"),
            "uploads": uploads,
            "origin": made.text("origin"),
            "made_at": made.text("made_at"),
            "manifest_sha256": made.digest,
        }
        print_json(told)
        return
    say(f"Wrote and checked {output}: {made.number('events')} events, {uploads} uploads, made {made.text('made_at')}.")
    say("No key is in it. To bring it back: frs restore, with the witness's erasure journal and the keyring.")
