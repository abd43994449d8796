"""Rotation of the key-encryption key as an act that is logged, be it after a crash.

The keyring carries it out (:meth:`frs.store.keyring.Keyring.rotate`) and remembers it until the log holds the event;
what a crash left unlogged is logged when the service next starts.
"""

from __future__ import annotations

from collections.abc import Callable

from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.store.database import Database
from frs.store.keyring import Keyring, Rotation
from frs.types import Actor, Event, Json


class KeyRotation:
    """Rotates the key of an open installation."""

    def __init__(self, database: Database, keyring: Keyring, audit: AuditLog) -> None:
        self._database, self._keyring, self._audit = database, keyring, audit

    def settle(self) -> None:
        """Log a rotation that a crash kept from being logged. Run it once before the first rotation."""
        found = self._keyring.unlogged_rotation
        if found is not None:
            self._log(Actor.system(), found, {"logged": "after a restart"})

    def rotate(self, actor: Actor, reason: str, report: Callable[[int, int], None] | None = None) -> Rotation:
        """Make a new key-encryption key and wrap everything anew; copies of the keyring made before do not open then.

        ``report`` gets the keys done and their number. Raises what :meth:`Keyring.rotate` raises.
        """
        done = self._keyring.rotate(reason, report)
        self._log(actor, done, {"rewrapped": done.rewrapped})
        return done

    def _log(self, actor: Actor, done: Rotation, more: dict[str, Json]) -> None:
        payload: dict[str, Json] = {"old_key": done.old_key, "new_key": done.new_key, "reason": done.note, **more}
        self._database.write(lambda tx: self._audit.append(tx, Event(Action.KEYRING_ROTATED, actor, payload=payload)))
        self._keyring.rotation_logged()
