"""``frs keyring``: a short-lived copy of the wrapped keys, a new key-encryption key, and how the keyring stands."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from frs.cli.administering import at_server_or_at_rest
from frs.cli.backup import KeptAt, Output
from frs.cli.client import DEFAULT_IDENTITY, Address, Client, Identity, call, receive
from frs.cli.options import AsJson, Data, application, load_settings, print_json
from frs.cli.output import byte_progress, progress, say, show_fields
from frs.clock import SystemClock
from frs.errors import FrsError, Reason
from frs.recovery.archive import Kind, Manifest
from frs.recovery.at_rest import local_actor, records_at_rest
from frs.recovery.backup import Backups
from frs.recovery.places import KEYRING
from frs.recovery.rotation import KeyRotation
from frs.recovery.saving import save
from frs.settings import Settings
from frs.store.keyring import Rotation
from frs.v1 import administration_pb2 as pb
from frs.v1.administration_pb2_grpc import AdministrationServiceStub

app = application("Copy the wrapped keys, change the key that wraps them, and see how the keyring stands.")

ROTATION_SECONDS = 3600.0


@app.command()
def backup(
    output: Output,
    kept_at: KeptAt,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Copy the wrapped keys, without the key that opens them. Destroy the copy when it expires."""
    settings = load_settings(data)
    made = at_server_or_at_rest(
        settings,
        address,
        identity,
        lambda client: _served_backup(client, output, kept_at),
        lambda: _backup_at_rest(settings, output, kept_at),
    )
    if as_json:
        told = {
            "file": str(output),
            "bytes": output.stat().st_size,
            "made_at": made.text("made_at"),
            "expires": made.text("expires"),
            "key_encryption_key": made.text("key_encryption_key"),
            "manifest_sha256": made.digest,
        }
        print_json(told)
        return
    say(f"Wrote and checked {output}; it opens with the key-encryption key {made.text('key_encryption_key')}.")
    say(f"Destroy it by {made.text('expires')}: older copies are not restored, and keep erased people's keys alive.")


@app.command()
def rotate(
    reason: Annotated[str, typer.Option("--reason", help="Why the key is changed: logged.")],
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Make a new key-encryption key, wrap every key anew and destroy the old one."""
    settings = load_settings(data)
    if not reason.strip():
        raise FrsError(Reason.INVALID_FIELD, "--reason must say why", field="reason")
    done = at_server_or_at_rest(
        settings,
        address,
        identity,
        lambda client: _served_rotation(client, reason),
        lambda: _rotation_at_rest(settings, reason),
    )
    if as_json:
        print_json({"old_key": done.old_key, "new_key": done.new_key, "rewrapped": done.rewrapped})
        return
    say(
        f"The key-encryption key is {done.new_key} now, in place of {done.old_key}: {done.rewrapped} keys wrapped anew."
    )
    say("Copies of the keyring made before open no longer: make a new one (frs keyring backup), and back up the new")
    say("key-encryption key apart from everything else.")


@app.command()
def status(data: Data = None, as_json: AsJson = False) -> None:
    """Say what the keyring holds; nothing is opened and a server may run."""
    settings = load_settings(data)
    file = settings.keyring_path / KEYRING
    if not file.exists():
        raise FrsError(Reason.NOT_INITIALISED, f"There is no keyring at {settings.keyring_path}.")
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            found = {
                "folder": str(settings.keyring_path),
                "kept_by": settings.store.kek,
                "key_encryption_key": _one(connection, "SELECT kek FROM secret ORDER BY name LIMIT 1"),
                "keys": _one(connection, "SELECT count(*) FROM owner_key"),
                "destroyed": _one(connection, "SELECT count(*) FROM destroyed"),
                "last_destroyed_at": _one(connection, "SELECT max(destroyed_at) FROM destroyed"),
                "bytes": file.stat().st_size,
            }
    except sqlite3.Error as error:
        raise FrsError(Reason.STORAGE_FAILED, f"{file} cannot be read: {error}.") from error
    if as_json:
        print_json(found)
    else:
        show_fields((name.replace("_", " "), "never" if value is None else value) for name, value in found.items())


def _one(connection: sqlite3.Connection, query: str) -> object:
    row = connection.execute(query).fetchone()
    return None if row is None else row[0]


def _served_backup(client: Client, output: Path, kept_at: str) -> Manifest:
    request = pb.BackupKeyringRequest(kept_at=kept_at)
    stream = receive(client, client.stub(AdministrationServiceStub).BackupKeyring(request))
    with byte_progress("keyring", 0) as report:
        return save((message.data for message in stream), output, Kind.KEYRING, report)


def _backup_at_rest(settings: Settings, output: Path, kept_at: str) -> Manifest:
    clock = SystemClock()
    with records_at_rest(settings, clock) as records:
        store = records.store
        begun = Backups(store.database, store.keyring, records.audit, settings, clock).keyring(local_actor(), kept_at)
        with byte_progress("keyring", begun.size) as report:
            return save(begun.chunks, output, Kind.KEYRING, report)


def _served_rotation(client: Client, reason: str) -> Rotation:
    stub = client.stub(AdministrationServiceStub)
    answer = call(client, stub.RotateKey, pb.RotateKeyRequest(reason=reason), seconds=ROTATION_SECONDS)
    return Rotation(answer.old_key, answer.new_key, reason, answer.rewrapped)


def _rotation_at_rest(settings: Settings, reason: str) -> Rotation:
    with records_at_rest(settings, SystemClock()) as records, progress() as shown:
        rotation = KeyRotation(records.store.database, records.store.keyring, records.audit)
        rotation.settle()
        task = shown.add_task("wrapping keys", total=None)
        return rotation.rotate(
            local_actor(), reason, lambda done, total: shown.update(task, completed=done, total=total)
        )
