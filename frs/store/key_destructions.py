"""The destructions of keys that the database's acts ask for: written with the act, owed from its COMMIT, then done.

The journal (``key_destruction``) holds the intent, in the act's own transaction. An act that fails, or a group that is
rolled back, owes nothing; what was committed stays owed until it is carried out, by this process or the next.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import sqlalchemy as sa

from frs.clock import Clock
from frs.errors import FrsError
from frs.store.schema import key_destruction
from frs.store.transaction import Transaction


class OwedDestructions:
    """What is to be destroyed once the running group commits, and what committed and is still to be destroyed.

    ``carry_out`` destroys owners' keys durably, and notes how far the journal is then done.
    """

    def __init__(self, clock: Clock, carry_out: Callable[[Sequence[str], int | None], None]) -> None:
        self._clock = clock
        self._destroy = carry_out
        self._act: tuple[int, Transaction] | None = None  # thread and transaction of the running act
        self._memory = threading.Lock()  # guards what follows
        self._doomed: list[tuple[Transaction, int, str]] = []  # in the open group; how far the journal then went, owner
        self._due: list[tuple[int, str]] = []  # committed, to be carried out

    def begin_act(self, tx: Transaction) -> None:
        """Note the act on whose thread a destruction belongs to it."""
        self._act = (threading.get_ident(), tx)

    def keep_act(self) -> None:
        """Let go of the act."""
        self._act = None

    def undo_act(self) -> None:
        """Forget the destructions of the failed act."""
        assert self._act is not None
        tx, self._act = self._act[1], None
        with self._memory:
            self._doomed = [doomed for doomed in self._doomed if doomed[0] is not tx]

    def rolled_back(self) -> None:
        """Forget the group's destructions."""
        self._act = None
        with self._memory:
            self._doomed.clear()

    def with_act(self, owners: Sequence[str]) -> bool:
        """Have the owners' keys destroyed with the act that runs on this thread; False when none does."""
        act = self._act
        if act is None or act[0] != threading.get_ident():
            return False
        tx, now = act[1], self._clock.now()
        tx.connection.execute(key_destruction.insert(), [{"owner": each, "requested_at": now} for each in owners])
        last = newest_position(tx.connection)
        tx.erases = True
        with self._memory:
            self._doomed += [(tx, last, each) for each in owners]
        tx.after_commit(self._carry_out_doomed)
        return True

    def take_over(self, connection: sa.Connection, through: int) -> None:
        """Owe what the journal holds behind a position."""
        table = key_destruction.c
        query = sa.select(table.position, table.owner).where(table.position > through).order_by(table.position)
        with self._memory:
            self._due = [(position, owner) for position, owner in connection.execute(query)]

    def carry_out(self) -> None:
        """Destroy what is owed; what cannot be stays owed. Raises FrsError: STORAGE_FULL, STORAGE_FAILED."""
        with self._memory:
            due = list(self._due)
        if not due:
            return
        self._destroy([owner for _, owner in due], max(position for position, _ in due))
        done = frozenset(due)  # a restoration carries out a whole journal at once
        with self._memory:
            self._due = [entry for entry in self._due if entry not in done]

    def _carry_out_doomed(self) -> None:
        with self._memory:
            self._due += [(position, owner) for _, position, owner in self._doomed]
            self._doomed.clear()
        try:
            self.carry_out()
        except FrsError as error:
            message = f"The act happened, but the destruction of its keys is still owed: {error.message}"
            raise FrsError(error.reason, message) from error


def newest_position(connection: sa.Connection) -> int:
    """Return the position of the journal's last entry, 0 without one."""
    return connection.scalar(sa.select(sa.func.max(key_destruction.c.position))) or 0
