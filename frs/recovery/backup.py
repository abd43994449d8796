"""Backups: a consistent copy of the data while the service runs, and a short-lived one of the wrapped keys.

A backup of the data holds the database, the sealed uploads that it refers to, ``frs.toml`` and the log's verifier
keys. It holds no key: neither the keyring, nor what opens it, nor the authority's. A copy of the keyring holds the
wrapped keys, not the key-encryption key, and says when it must be gone (``store.keyring_backup_days``).

That a copy is made is logged as a disclosure, and kept among the copies that certificates of erasure name, before
anything is copied: so each backup knows of itself, and one that breaks off has been told of all the same.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from frs.audit.actions import Action
from frs.audit.event import format_time
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.recovery.archive import ArchiveWriter, Kind, chunks_of, is_member
from frs.recovery.places import DATABASE, KEYRING, SETTINGS, UPLOADS, VKEY
from frs.settings import Settings
from frs.store.copying import copied, copied_database, sqlite_file, sweep_copies
from frs.store.database import Database, Transaction
from frs.store.keyring import LOG_SIGNING_SECRET, Keyring
from frs.store.schema import outside_copy
from frs.types import Actor, Event, Json, new_id


@dataclass(frozen=True, slots=True)
class Backup:
    """An archive being made; close the iterator when it is not read to its end."""

    size: int
    """Bytes in all, as far as known."""
    expires: datetime | None
    chunks: Iterator[bytes]


class Backups:
    """Makes backups of an open installation. Thread-safe."""

    def __init__(self, database: Database, keyring: Keyring, audit: AuditLog, settings: Settings, clock: Clock) -> None:
        """Remove copies that a crash left; the caller holds the data directory."""
        self._database, self._keyring, self._audit = database, keyring, audit
        self._settings, self._clock = settings, clock
        sweep_copies(settings.data_dir, keyring.path)

    def data(self, actor: Actor, kept_at: str) -> Backup:
        """Begin a backup of the data; ``kept_at`` says where it will be kept.

        Raises FrsError: SETTINGS_INVALID on another database than SQLite, STORAGE_FULL, STORAGE_FAILED.
        """
        sqlite_file(self._settings)
        self._tell(actor, Action.BACKUP_MADE, Kind.DATA, kept_at, None)
        self._audit.checkpoint()  # of a log that holds the event
        return _begun(self._data(actor, kept_at), None)

    def keyring(self, actor: Actor, kept_at: str) -> Backup:
        """Begin a copy of the wrapped keys. Raises FrsError: STORAGE_FULL, STORAGE_FAILED."""
        expires = self._clock.now() + timedelta(days=self._settings.store.keyring_backup_days)
        self._tell(actor, Action.KEYRING_BACKED_UP, Kind.KEYRING, kept_at, expires)
        return _begun(self._keys(kept_at, expires), expires)

    def _tell(self, actor: Actor, action: Action, kind: Kind, kept_at: str, expires: datetime | None) -> None:
        def act(tx: Transaction) -> None:
            row = {
                "id": new_id(),
                "kind": str(kind),
                "made_at": self._clock.now(),
                "made_by": actor.name,
                "place": kept_at,
                "expires_at": expires,
            }
            tx.connection.execute(outside_copy.insert().values(row))
            payload: dict[str, Json] = {"kept_at": kept_at, "copy": str(row["id"])}
            if expires is not None:
                payload["expires"] = format_time(expires)
            self._audit.append(tx, Event(action, actor, payload=payload))

        self._database.write(act)

    def _data(self, actor: Actor, kept_at: str) -> Iterator[bytes | int]:
        folder, writer = self._settings.data_dir, ArchiveWriter(Kind.DATA)
        with copied_database(self._settings) as copy:
            contents = _read_copy(copy)
            size = copy.stat().st_size
            yield size + sum(stored for _, stored in contents.uploads)
            for path in (folder / SETTINGS, *sorted(folder.glob(f"{VKEY}*"))):
                if path.is_file() and is_member(path.name):
                    text = path.read_bytes()
                    yield from writer.add(path.name, len(text), [text])
            with copy.open("rb") as file:
                yield from writer.add(DATABASE, size, chunks_of(file, size))
        absent: list[Json] = []
        for upload_id, stored in contents.uploads:
            try:
                file = (folder / UPLOADS / upload_id).open("rb")
            except FileNotFoundError:
                absent.append(upload_id)  # destroyed since the database was copied
                continue
            with file:
                if file.seek(0, 2) < stored:
                    absent.append(upload_id)  # begun anew since then
                    continue
                file.seek(0)
                yield from writer.add(f"{UPLOADS}/{upload_id}", stored, chunks_of(file, stored))
        said: dict[str, Json] = {
            "installation": self._database.installation_id,
            "events": contents.events,
            "checkpoint": contents.checkpoint,
            "destructions": contents.destructions,
            "made_at": format_time(self._clock.now()),
            "made_by": actor.name,
            "kept_at": kept_at,
            "absent": absent,
        }
        yield from writer.finish(said, self._audit.origin, self._keyring.secret(LOG_SIGNING_SECRET))

    def _keys(self, kept_at: str, expires: datetime) -> Iterator[bytes | int]:
        writer = ArchiveWriter(Kind.KEYRING)
        with copied(self._keyring.path, self._keyring.copy_to) as copy:
            kek, size = _wrapped_by(copy), copy.stat().st_size
            yield size
            with copy.open("rb") as file:
                yield from writer.add(KEYRING, size, chunks_of(file, size))
        said: dict[str, Json] = {
            "installation": self._database.installation_id,
            "key_encryption_key": kek,
            "made_at": format_time(self._clock.now()),
            "expires": format_time(expires),
            "kept_at": kept_at,
        }
        yield from writer.finish(said, self._audit.origin, self._keyring.secret(LOG_SIGNING_SECRET))


@dataclass(frozen=True, slots=True)
class _Contents:
    events: int
    checkpoint: str
    destructions: int
    uploads: tuple[tuple[str, int], ...]


def _read_copy(path: Path) -> _Contents:
    """Read what the manifest says from the copy itself, for the database goes on."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:

        def one(query: str) -> tuple[object, ...]:
            row: tuple[object, ...] = connection.execute(query).fetchone() or (0,)
            return row

        query = "SELECT id, stored FROM upload WHERE state <> 'destroyed' AND stored > 0 ORDER BY id"
        return _Contents(
            events=int(str(one("SELECT size FROM audit_head")[0])),
            checkpoint=str(one("SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1")[0]),
            destructions=int(str(one("SELECT count(*) FROM key_destruction")[0])),
            uploads=tuple((str(name), int(stored)) for name, stored in connection.execute(query)),
        )


def _wrapped_by(path: Path) -> str:
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
        return str(connection.execute("SELECT kek FROM secret LIMIT 1").fetchone()[0])


def _begun(parts: Iterator[bytes | int], expires: datetime | None) -> Backup:
    """Start making the archive, whose first part is its size."""
    size = next(parts)
    assert isinstance(size, int)
    return Backup(size, expires, (part for part in parts if isinstance(part, bytes)))
