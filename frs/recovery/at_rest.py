"""An installation opened for one act of administration while no server runs: store and log, no model and no index."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from frs.audit.checkpoints import CheckpointSigner
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.settings import Settings
from frs.store.opening import Store, open_store
from frs.store.schema import policy_version
from frs.types import Actor, Role


@dataclass(frozen=True, slots=True)
class Records:
    """Store and log of an installation."""

    store: Store
    audit: AuditLog


@contextmanager
def records_at_rest(settings: Settings, clock: Clock) -> Iterator[Records]:
    """Open store and log, and sign the log at the end.

    Raises FrsError: DATA_DIRECTORY_IN_USE while a server runs, and what opening the store and the log raises.
    """
    store = open_store(settings, clock)
    try:
        signer = CheckpointSigner.open(store.keyring, settings, store.database.installation_id)
        audit = AuditLog(store.database, store.vault, signer, clock)
        with store.database.read() as connection:
            audit.under_policy(connection.scalar(sa.select(sa.func.max(policy_version.c.number))) or 0)
        yield Records(store, audit)
        audit.checkpoint()
    finally:
        store.close()


def local_actor() -> Actor:
    """Return who acts on the machine itself: the operating system's account, as an administrator."""
    return Actor(getpass.getuser(), frozenset({Role.ADMINISTRATOR}), "operating-system")
