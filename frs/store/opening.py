"""Opens the store as a whole: keyring first, then the database that it takes part in."""

from __future__ import annotations

from dataclasses import dataclass

from frs.clock import Clock
from frs.settings import Settings
from frs.store.database import Database
from frs.store.key_custody import open_custody
from frs.store.keyring import Keyring
from frs.store.vault import Vault


@dataclass(frozen=True, slots=True)
class Store:
    """What the rooms above are given."""

    database: Database
    keyring: Keyring
    vault: Vault

    def close(self) -> None:
        """Finish queued acts and let go of the data directory."""
        self.database.close()
        self.keyring.close()


def open_store(settings: Settings, clock: Clock) -> Store:
    """Open keyring and database. Raises FrsError, see :meth:`Keyring.open` and :meth:`Database.open`.

    The keyring must exist (:func:`frs.store.keyring.create_keyring`, run by ``frs init``); the database is made.
    """
    keyring = Keyring.open(settings.keyring_path, clock, custody=open_custody(settings))
    try:
        database = Database.open(settings, clock, (keyring,))
    except BaseException:
        keyring.close()
        raise
    return Store(database, keyring, Vault(keyring))
