"""Events that belong to the edge itself: streams of alerts that begin and end, reads of the log, the service's life."""

from __future__ import annotations

from collections.abc import Mapping

from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.store.database import Database
from frs.types import Actor, Event, Json, References


class Journal:
    """Appends an event in a transaction of its own. Thread-safe; the rooms log their acts themselves."""

    def __init__(self, database: Database, audit: AuditLog) -> None:
        self._database = database
        self._audit = audit

    def record(
        self, actor: Actor, action: Action, payload: Mapping[str, Json], references: References | None = None
    ) -> None:
        """Log it, durable when this returns. Raises LOG_UNAVAILABLE or what the storage raises."""
        event = Event(action, actor, references or References(), payload)
        self._database.write(lambda tx: self._audit.append(tx, event))
