"""What officers decided about operator searches: owed for every search with candidates, recorded once.

Only the officer who searched may record it. To another officer the search does not exist; oversight, who may see it,
is told that it is not theirs to decide. With the outcome the kept probe, if policy kept one, is destroyed: its bytes
leave the database and its key the keyring.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.match.candidate_records import candidate_from_json, nominals
from frs.match.newest import newest_first
from frs.store.database import Database
from frs.store.schema import operator_search
from frs.store.transaction import Transaction
from frs.store.vault import Vault
from frs.types import Actor, Candidate, Event, Json, ListVersion, Page, References, Role

_WITHOUT_PROBE = tuple(column for column in operator_search.c if column.name != "probe_sealed")
"""What is read of a search: a kept probe is nobody's to look at here."""


class OutcomeState(StrEnum):
    """Whether an outcome is owed."""

    NONE_OWED = "none-owed"
    """Nobody was found."""
    OWED = "owed"
    RECORDED = "recorded"


class Outcome(StrEnum):
    """What the officer decided."""

    SAME = "same"
    DIFFERENT = "different"
    CANNOT_TELL = "cannot-tell"


@dataclass(frozen=True, slots=True)
class OperatorSearch:
    """The record of a search, without any image."""

    id: str
    officer: str
    reason: str
    legal_power: str
    device: str
    created_at: datetime
    candidates: tuple[Candidate, ...]
    state: OutcomeState
    outcome: Outcome | None
    outcome_reason: str | None
    outcome_at: datetime | None


class Outcomes:
    """Records and lists outcomes; safe in threads."""

    def __init__(self, database: Database, vault: Vault, audit: AuditLog, clock: Clock) -> None:
        self._database, self._vault, self._audit, self._clock = database, vault, audit, clock

    def record(self, actor: Actor, search: str, outcome: str, reason: str) -> OperatorSearch:
        """Record ``same``, ``different`` or ``cannot-tell`` with the officer's reason.

        Raises FrsError: SEARCH_NOT_FOUND, OUTCOME_NOT_YOURS, OUTCOME_NOT_OWED, OUTCOME_RECORDED, LOG_UNAVAILABLE.
        """
        decided = Outcome(outcome)
        return self._database.write(lambda tx: self._record(tx, actor, search, decided, reason))

    def list(
        self, actor: Actor, everyone: bool, page_size: int, page_token: str, state: str | None = None
    ) -> tuple[Page[OperatorSearch], int]:
        """List the actor's searches (everyone's where ``everyone``, which the caller has authorised), newest first.

        ``state`` is an :class:`OutcomeState` or None. Also returns how many outcomes are owed among all of them.
        """
        table = operator_search.c
        mine = sa.true() if everyone else table.officer == actor.name
        fingerprint = f"searches {'*' if everyone else actor.name} {state}"
        query = sa.select(*_WITHOUT_PROBE).where(mine)
        if state is not None:
            query = query.where(_in_state(OutcomeState(state)))
        with self._database.read() as connection:
            order = (table.created_at, table.id)
            rows, token = newest_first(connection, query, order, fingerprint, page_size, page_token)
            owed = self.owed(connection, None if everyone else actor.name)
        return Page(tuple(_search(row) for row in rows), token), owed

    def owed(self, connection: sa.Connection, officer: str | None) -> int:
        """Count the outcomes an officer owes, or all when None."""
        query = sa.select(sa.func.count()).where(operator_search.c.outcome == OutcomeState.OWED)
        if officer is not None:
            query = query.where(operator_search.c.officer == officer)
        return connection.scalar(query) or 0

    def _record(self, tx: Transaction, actor: Actor, search: str, outcome: Outcome, reason: str) -> OperatorSearch:
        before = _read(tx.connection, search)
        sees_all = Role.OVERSIGHT in actor.roles and actor.scope.unlimited
        if before is None or (before.officer != actor.name and not sees_all):
            raise FrsError(Reason.SEARCH_NOT_FOUND, "There is no such search of yours.")
        if before.officer != actor.name:
            raise FrsError(Reason.OUTCOME_NOT_YOURS, "Another officer made this search and owes its outcome.")
        if before.state is OutcomeState.NONE_OWED:
            raise FrsError(Reason.OUTCOME_NOT_OWED, "The search found nobody; there is nothing to decide.")
        kept = operator_search.c.probe_sealed
        had_probe = tx.connection.scalar(sa.select(kept.is_not(None)).where(operator_search.c.id == search))
        changed = tx.connection.execute(
            operator_search.update()
            .where(operator_search.c.id == search, operator_search.c.outcome == OutcomeState.OWED)
            .values(
                outcome=outcome,
                outcome_reason=reason,
                outcome_by=actor.name,
                outcome_at=self._clock.now(),
                probe_sealed=None,
            )
        )
        if changed.rowcount != 1:
            raise FrsError(Reason.OUTCOME_RECORDED, "The outcome of this search has been recorded.")
        lists = dict.fromkeys(ListVersion(each.watchlist, each.watchlist_version) for each in before.candidates)
        references = References(tuple(lists), nominals(before.candidates), search=search)
        payload: dict[str, Json] = {"outcome": outcome, "reason": reason}
        self._audit.append(tx, Event(Action.OPERATOR_OUTCOME, actor, references, payload))
        if had_probe:
            self._vault.destroy(f"search:{search}")
            self._audit.append(tx, Event(Action.OPERATOR_PROBE_DESTROYED, actor, References(search=search)))
        after = _read(tx.connection, search)
        assert after is not None
        return after


def _in_state(state: OutcomeState) -> sa.ColumnElement[bool]:
    if state is OutcomeState.RECORDED:
        return operator_search.c.outcome.in_(list(Outcome))
    return operator_search.c.outcome == state


def _read(connection: sa.Connection, search: str) -> OperatorSearch | None:
    row = connection.execute(sa.select(*_WITHOUT_PROBE).where(operator_search.c.id == search)).one_or_none()
    return None if row is None else _search(row)


def _search(row: Any) -> OperatorSearch:
    waiting = row.outcome in {OutcomeState.NONE_OWED, OutcomeState.OWED}
    return OperatorSearch(
        id=row.id,
        officer=row.officer,
        reason=row.reason,
        legal_power=row.legal_power,
        device=row.device,
        created_at=row.created_at,
        candidates=tuple(candidate_from_json(record) for record in row.candidates),
        state=OutcomeState(row.outcome) if waiting else OutcomeState.RECORDED,
        outcome=None if waiting else Outcome(row.outcome),
        outcome_reason=row.outcome_reason,
        outcome_at=row.outcome_at,
    )
