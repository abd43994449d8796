"""Events that belong to the edge itself: streams of alerts that begin and end, reads of the log, the service's life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.store.database import Database, Transaction
from frs.types import Actor, Event, Json, References


class Journal:
    """Appends events in a transaction of their own. Thread-safe; the rooms log their acts themselves."""

    def __init__(self, database: Database, audit: AuditLog) -> None:
        self._database = database
        self._audit = audit

    def record(
        self, actor: Actor, action: Action, payload: Mapping[str, Json], references: References | None = None
    ) -> None:
        """Log it, durable when this returns. Raises LOG_UNAVAILABLE or what the storage raises."""
        self.record_all([Event(action, actor, references or References(), payload)])

    def record_all(self, events: Sequence[Event]) -> None:
        """Log all of them or none, durable when this returns. Raises as :meth:`record`."""

        def act(tx: Transaction) -> None:
            for event in events:
                self._audit.append(tx, event)

        self._database.write(act)
