"""The single writer: acts from all threads, many to a commit, each in a SAVEPOINT of its own.

Promises, and what holds if the process dies at each step:

1. *queued*: nothing has happened; the caller is never answered.
2. *acting* (inside BEGIN): the same; SQLite forgets the open transaction.
3. *prepared* (participants are durable): the same; what they prepared is harmless by their contract.
4. *committed* (COMMIT returned, so it is on the disk): every act of the group has happened, whole.
5. *answered*: hooks have run and the caller knows.

An act that fails is undone alone and its caller gets its own exception; the others go on. When the commit itself
fails, or a failure made the database give up the whole transaction, every caller of the group gets an error and
nothing happened. No caller is answered before step 4.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sqlalchemy as sa

from frs.errors import FrsError, Reason
from frs.store.engines import cause_text, is_storage_error, storage_error
from frs.store.transaction import CommitParticipant, Transaction

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Act:
    run: Callable[[Transaction], Any]
    answer: Future[Any] = field(default_factory=Future)
    hooks: list[Callable[[], None]] = field(default_factory=list)
    value: Any = None
    error: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        self.error = error
        if is_storage_error(error):
            self.error = storage_error(error)
            self.error.__cause__ = error

    def run_hooks(self) -> None:
        for hook in self.hooks:
            try:
                hook()
            except BaseException as error:  # noqa: BLE001  # the caller gets the first; the other hooks still run
                self.error = self.error or error

    def settle(self) -> None:
        if self.error is not None:
            self.answer.set_exception(self.error)
        else:
            self.answer.set_result(self.value)


class _GroupLostError(Exception):
    """The transaction is gone: no act of the group can be kept."""


class Writer:
    """The thread that writes. ``holds`` says whether the database still holds the transaction begun on a connection."""

    def __init__(
        self,
        engine: sa.Engine,
        participants: Sequence[CommitParticipant],
        group_limit: int,
        holds: Callable[[sa.Connection], bool],
    ) -> None:
        self._engine = engine
        self._participants = tuple(participants)
        self._limit = group_limit
        self._holds = holds
        self._connection: sa.Connection | None = None
        self._queue: deque[_Act] = deque()
        self._ready = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="frs-writer", daemon=True)
        self._thread.start()

    def write(self, run: Callable[[Transaction], T]) -> T:
        """Queue an act and wait until it is durable. Raises what it raised, or FrsError when storage failed."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("An act or its hook called write: use the transaction it was given.")
        act = _Act(run)
        with self._ready:
            if self._closing:
                raise FrsError(Reason.SHUTTING_DOWN, "The database is closing; nothing was changed.")
            self._queue.append(act)
            self._ready.notify()
        value: T = act.answer.result()
        return value

    def join(self, participant: CommitParticipant) -> None:
        """Let another participant take part from the next group on, ahead of the others. It is attached by an act."""

        def act(tx: Transaction) -> None:
            participant.attach(tx.connection)
            tx.after_commit(admit)

        def admit() -> None:
            self._participants = (participant, *self._participants)

        self.write(act)

    def close(self) -> None:
        """Finish what is queued, then stop. Later acts are refused."""
        with self._ready:
            self._closing = True
            self._ready.notify()
        self._thread.join()

    def _run(self) -> None:
        group: list[_Act] = []
        try:
            while group := self._take():
                self._write(group)
            self._drop_connection()
            for participant in self._participants:
                participant.detach()
        finally:
            self._abandon(group)

    def _abandon(self, group: list[_Act]) -> None:
        """Leave nobody waiting if this thread ends because a participant broke its promise not to raise."""
        with self._ready:
            self._closing = True
            waiting = [act for act in (*group, *self._queue) if not act.answer.done()]
            self._queue.clear()
        for act in waiting:
            act.error = FrsError(Reason.STORAGE_FAILED, "The writer stopped; whether the act happened is not known.")
            act.settle()

    def _take(self) -> list[_Act]:
        """Wait for the next group: whatever queued up while the last was written. Empty when closed and drained."""
        with self._ready:
            self._ready.wait_for(lambda: self._queue or self._closing)
            return [self._queue.popleft() for _ in range(min(self._limit, len(self._queue)))]

    def _write(self, group: list[_Act]) -> None:
        begun: list[_Act] = []
        try:
            self._commit(group, begun)
        except BaseException as error:  # noqa: BLE001  # every caller of the group is told, whatever it is
            self._drop_connection()
            begun = begun or group  # BEGIN itself failed
            for act in begun:
                act.error = act.error or _group_error(error)
            for participant in self._participants:
                participant.rolled_back()
        else:
            for act in begun:
                if act.error is None:
                    act.run_hooks()
        with self._ready:  # acts that a lost group never began come first in the next one
            self._queue.extendleft(reversed(group[len(begun) :]))
        for act in begun:
            act.settle()

    def _commit(self, group: list[_Act], begun: list[_Act]) -> None:
        """Run the acts and commit; ``begun`` receives each act as it begins."""
        if self._connection is None:
            self._connection = self._engine.connect()
        with self._connection.begin() as transaction:
            for act in group:
                begun.append(act)
                self._act(self._connection, act)
            if all(act.error is not None for act in group):
                transaction.rollback()
                for participant in self._participants:
                    participant.rolled_back()
                return
            for participant in self._participants:
                participant.prepare()

    def _act(self, connection: sa.Connection, act: _Act) -> None:
        connection.exec_driver_sql("SAVEPOINT frs_act")  # begin_nested would compile it anew each time
        transaction = Transaction(connection)
        for participant in self._participants:
            participant.begin_act(transaction)
        try:
            act.value = act.run(transaction)
        except BaseException as error:  # noqa: BLE001  # the act's caller gets it, not this thread
            act.fail(error)
            for participant in self._participants:
                participant.undo_act()
        else:
            for participant in self._participants:
                participant.keep_act()
        if not self._holds(connection):
            raise _GroupLostError("an act of the same commit lost the transaction") from act.error
        if act.error is None:
            connection.exec_driver_sql("RELEASE SAVEPOINT frs_act")
            act.hooks = transaction.hooks
        else:
            connection.exec_driver_sql("ROLLBACK TO SAVEPOINT frs_act")
            connection.exec_driver_sql("RELEASE SAVEPOINT frs_act")

    def _drop_connection(self) -> None:
        """Forget a connection in an unknown state; the next group opens another."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


def _group_error(error: BaseException) -> FrsError:
    """Return what an act is told whose own work was sound but whose commit failed."""
    if isinstance(error, _GroupLostError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, FrsError):
        failure = FrsError(error.reason, error.message, **error.metadata)
    elif is_storage_error(error):
        failure = storage_error(error)
    else:
        failure = FrsError(Reason.STORAGE_FAILED, f"The commit failed; nothing was changed ({cause_text(error)}).")
    failure.__cause__ = error
    return failure
