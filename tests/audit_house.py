"""Store and log over one data directory, for tests of the log."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from frs.audit.checkpoints import CheckpointSigner
from frs.audit.log import AuditLog
from frs.audit.report import VerificationReport
from frs.audit.verify import verify_database
from frs.clock import Clock
from frs.settings import Settings
from frs.store.database import Transaction
from frs.store.opening import open_store
from frs.types import Actor, Event, Json, ListVersion, References, Role

ALICE = Actor("alice", frozenset({Role.REVIEWER, Role.OFFICER}), "certificate:0a")
BOB = Actor("bob", frozenset({Role.OVERSIGHT}), "certificate:0b")


def alert_event(number: int, actor: Actor = ALICE, **payload: Json) -> Event:
    """Return an alert on nominal ``N<number % 5>`` in deployment ``d<number % 3>``."""
    references = References(
        watchlists=(ListVersion("wanted", 3),),
        subjects=(f"N{number % 5}",),
        deployment=f"d{number % 3}",
        alert=f"a{number}",
    )
    return Event("alert.raised", actor, references, {"score": 0.71, "reason": f"free text {number}", **payload})


class AuditHouse:
    """An open log; ``restart`` closes and opens it again."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings, self.clock = settings, clock
        self.open()

    def open(self) -> None:
        """Open store and log, as the service does."""
        self.store = open_store(self.settings, self.clock)
        database = self.store.database
        self.signer = CheckpointSigner.open(self.store.keyring, self.settings, database.installation_id)
        try:
            self.log = AuditLog(database, self.store.vault, self.signer, self.clock)
        except BaseException:
            self.store.close()
            raise

    def close(self) -> None:
        """Close the store; again is harmless."""
        self.store.close()

    def restart(self) -> None:
        """Close and open again."""
        self.close()
        self.open()

    def append(self, *events: Event) -> list[int]:
        """Append events in one act."""

        def act(tx: Transaction) -> list[int]:
            return [self.log.append(tx, event) for event in events]

        return self.store.database.write(act)

    def fill(self, count: int) -> None:
        """Append ``count`` alerts."""
        self.append(*(alert_event(number) for number in range(count)))

    def verify(self, payloads: bool = True) -> VerificationReport:
        """Verify the database."""
        with self.store.database.read() as connection:
            return verify_database(connection, self.log.vkey, self.store.vault if payloads else None)

    def tamper(self, statement: str, *values: object) -> None:
        """Change the database behind the service's back."""
        with closing(sqlite3.connect(self.settings.data_dir / "frs.sqlite")) as connection:
            changed = connection.execute(statement, values).rowcount
            assert changed > 0, "nothing was tampered with"
            connection.commit()
