"""Destroying in bounded batches, an act each; what one thing raises does not keep the others waiting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from frs.errors import FrsError, Reason
from frs.retention.due import Key
from frs.retention.periods import Kind
from frs.store.database import Database, Transaction

_NOBODY_TO_BLAME = frozenset(
    {
        Reason.STORAGE_FULL,
        Reason.STORAGE_FAILED,
        Reason.SHUTTING_DOWN,
        Reason.LOG_UNAVAILABLE,
        Reason.LOG_INCONSISTENT,
        Reason.OVERLOADED,
    }
)
"""No single thing of a batch is at fault: each alone would fail as well."""


@dataclass(frozen=True, slots=True)
class DueRow:
    """A thing that is due, and the instant that its period began."""

    id: Key
    start: datetime


Find: TypeAlias = Callable[[Transaction, "DueRow | None", int], "list[DueRow]"]
"""Returns what is due behind a row, at most so many."""
Destroy: TypeAlias = Callable[[Transaction, "Sequence[DueRow]"], None]
"""Destroys rows within the act."""


class Batches:
    """Sweeps through what is due until ``stop`` says so; ``failed`` is told what could not go, and was stepped over."""

    def __init__(self, database: Database, stop: Callable[[], bool], failed: Callable[[Kind, Exception], None]) -> None:
        self._database, self._stop, self._failed = database, stop, failed

    def sweep(self, kind: Kind, limit: int, find: Find, destroy: Destroy) -> None:
        """Destroy all that is found, a batch an act; of a batch that fails, each alone; step over what cannot go."""
        after: DueRow | None = None
        while not self._stop():
            rows, error = self._act(find, destroy, after, limit)
            if error is None:
                if not rows:
                    return
                after = rows[-1]
                continue
            if not rows or nobody_to_blame(error):
                raise error
            for _ in rows:
                alone, error = self._act(find, destroy, after, 1)
                if error is not None and (not alone or nobody_to_blame(error)):
                    raise error
                if error is not None:
                    self._failed(kind, error)
                if alone:
                    after = alone[-1]

    def _act(
        self, find: Find, destroy: Destroy, after: DueRow | None, limit: int
    ) -> tuple[list[DueRow], Exception | None]:
        """Find and destroy in one act; returns what was found, and why it failed if it did."""
        found: list[DueRow] = []

        def act(tx: Transaction) -> None:
            found.extend(find(tx, after, limit))
            if found:
                destroy(tx, found)

        try:
            self._database.write(act)
        except Exception as error:  # noqa: BLE001  # the caller decides whom it keeps waiting
            return found, error
        return found, None


def nobody_to_blame(error: Exception) -> bool:
    """Whether a failure is not that of the thing that was to go: the storage's, the log's or the service's own."""
    return isinstance(error, FrsError) and error.reason in _NOBODY_TO_BLAME
