"""What an act is handed, and who else takes part in its commit."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa


class Transaction:
    """One act's part of a group commit, inside its own SAVEPOINT, on the writer thread.

    An act uses ``connection`` and nothing else of the database; it must not commit, keep the connection, or call
    ``Database.write``.
    """

    __slots__ = ("connection", "erases", "hooks")

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.hooks: list[Callable[[], None]] = []
        self.erases = False
        """Set by an act that deletes what must not linger in the write-ahead log; it is then truncated after commit."""

    def after_commit(self, hook: Callable[[], None]) -> None:
        """Run ``hook`` on the writer thread after COMMIT, in order, before the act's caller is answered.

        The act has then happened: a hook that raises does not undo it, and its error reaches the act's caller.
        """
        self.hooks.append(hook)


class CommitParticipant:
    """Something that must agree with the database, for example the keyring. All calls come from the writer thread.

    The order for a group: ``begin_act`` and then ``keep_act`` or ``undo_act`` for each act; ``prepare``; the database
    commits; the acts' hooks. When ``prepare`` or the commit fails: ``rolled_back``, and no act of the group happened.
    If the process dies between ``prepare`` and COMMIT, what was prepared must be harmless. What a participant does
    after COMMIT it registers as a hook of the act's transaction; if the process dies before the hook ran, ``attach``
    must make good at the next start. All methods do nothing unless overridden; only ``attach`` and ``prepare`` may
    raise.
    """

    def attach(self, connection: sa.Connection) -> None:
        """Make good what a crash left; called once, before any act, within a transaction of its own."""

    def detach(self) -> None:
        """Forget the database; called once after the last group."""

    def begin_act(self, tx: Transaction) -> None:
        """Take note that an act starts."""

    def keep_act(self) -> None:
        """Take note that the act succeeded."""

    def undo_act(self) -> None:
        """Take note that the act failed; it is rolled back alone."""

    def prepare(self) -> None:
        """Make durable what the group's data needs. Raise, and the whole group rolls back."""

    def rolled_back(self) -> None:
        """Take note that the group did not happen, or that every act of it failed."""
