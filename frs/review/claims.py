"""Claims: one reviewer holds a case for a while, and is the only one who is shown its pictures and decides.

Promises: two never hold one case; a claim ends by itself, so a reviewer who is cut off keeps nothing from the others;
what they had recorded is there when they take the case again. Nobody is shown a picture before it is logged that
they were; the claim, the look and their events are one transaction.

The pictures are opened before that transaction, for a blur takes a moment and the writer has others waiting. A case
whose pictures have been erased cannot be claimed: there is nothing to compare any more.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.errors import FrsError, Reason
from frs.review import queue
from frs.review.case import OPEN, Case, CaseKind, CaseState, Pictures, ShownCase
from frs.review.case_desk import CaseDesk, oversees, require_case, require_open
from frs.review.independence import independent
from frs.store.database import Transaction
from frs.store.schema import review_case, review_decision
from frs.types import Actor, Json

TRIED = 20
"""Most cases that one request for work finds gone before it answers that there is none; the next goes on."""
_MISSED = frozenset({Reason.CASE_TAKEN, Reason.CASE_CLOSED, Reason.CASE_DECIDED, Reason.NOT_INDEPENDENT})
_GONE = frozenset({Reason.ERASED, Reason.KEY_MISSING})


class Claims:
    """Gives cases to reviewers and takes them back."""

    def __init__(self, desk: CaseDesk) -> None:
        self._desk = desk

    def claim(self, actor: Actor, case_id: str) -> ShownCase:
        """Take a case, or extend one's claim on it. See :meth:`frs.review.cases.Cases.claim`."""
        desk = self._desk
        with desk.database.read() as connection:
            _require_claimable(connection, actor, case_id, desk.clock.now())
            pictures = desk.pictures.of(connection, case_id)
        return desk.database.write(lambda tx: self._claim(tx, actor, case_id, pictures))

    def take(
        self, actor: Actor, deployment: str | None, kind: CaseKind | None, behind: Collection[str] = ()
    ) -> ShownCase | None:
        """Claim the most urgent case that the actor may decide, of ``behind`` only if it is the last; else None."""
        passed: set[str] = set()
        while len(passed) < TRIED and (name := self._next(actor, deployment, kind, passed, behind)) is not None:
            try:
                return self.claim(actor, name)
            except FrsError as error:  # somebody was faster, or there is nothing left to look at
                if error.reason not in _MISSED | _GONE | {Reason.CASE_NOT_FOUND}:
                    raise
                passed.add(name)
        return None

    def held(self, actor: Actor) -> tuple[ShownCase, ...]:
        """Return the cases that the actor holds, with their pictures, most urgent first; logged as being shown."""
        with self._desk.database.read() as connection:
            mine = sa.select(review_case.c.id).where(queue.held_by(actor.name, self._desk.clock.now()))
            names = connection.scalars(mine.order_by(*queue.MOST_URGENT)).all()
        shown = []
        for name in names:
            try:
                shown.append(self.look_at(actor, name))
            except FrsError as error:
                if error.reason is not Reason.CASE_NOT_FOUND:  # the actor's scope has become smaller
                    raise
        return tuple(shown)

    def look_at(self, actor: Actor, case_id: str) -> ShownCase:
        """Return a case, with its pictures where the actor may see them. See :meth:`frs.review.cases.Cases.get`."""
        desk = self._desk
        with desk.database.read() as connection:
            row = require_case(connection, actor, case_id)
            pictures = self._open(connection, row, actor)

        def act(tx: Transaction) -> ShownCase:
            found = require_case(tx.connection, actor, case_id)
            seen = pictures if _may_look(found, actor, desk.clock.now()) else None
            return self._shown(tx, actor, found, seen)

        return desk.database.write(act)

    def release(self, actor: Actor, case_id: str) -> Case:
        """Give a claim back. FrsError CASE_NOT_FOUND, CASE_NOT_CLAIMED."""

        def act(tx: Transaction) -> Case:
            row = require_case(tx.connection, actor, case_id)
            require_held(row, actor, self._desk.clock.now())
            let_go(tx, case_id)
            self._desk.append(tx, Action.REVIEW_RELEASED, actor, row, {})
            tx.after_commit(self._desk.bell.ring)
            return self._desk.case(tx.connection, case_id, actor)

        return self._desk.database.write(act)

    def _next(
        self, actor: Actor, deployment: str | None, kind: CaseKind | None, passed: set[str], behind: Collection[str]
    ) -> str | None:
        if behind and (name := self._next(actor, deployment, kind, passed.union(behind), ())) is not None:
            return name
        now, case = self._desk.clock.now(), review_case.c
        query = sa.select(case.opened_at, case.id).where(
            queue.may_be_given(actor, now), queue.of_kind(kind), case.id.not_in(passed)
        )
        if deployment is not None:
            query = query.where(case.deployment_id == deployment)
        query = query.order_by(case.opened_at, case.id).limit(1)
        with self._desk.database.read() as connection:
            for rank in queue.ranks():
                ways = [connection.execute(query.where(rank, way)).first() for way in queue.ways_to_wait(now)]
                if found := [(row.opened_at, row.id) for row in ways if row is not None]:
                    return str(min(found)[1])
        return None

    def _claim(self, tx: Transaction, actor: Actor, case_id: str, pictures: Pictures) -> ShownCase:
        now = self._desk.clock.now()
        row = _require_claimable(tx.connection, actor, case_id, now)
        extends = _held_by(row, actor, now)
        until = self.extend(tx, case_id, now)
        if not extends:
            values = {"state": str(CaseState.CLAIMED), "claimed_by": actor.name, "claimed_at": now}
            tx.connection.execute(review_case.update().where(review_case.c.id == case_id).values(values))
        said: dict[str, Json] = {"until": until.isoformat(), "extends": extends}
        self._desk.append(tx, Action.REVIEW_CLAIMED, actor, row, said)
        return self._shown(tx, actor, row, pictures)

    def extend(self, tx: Transaction, case_id: str, now: datetime) -> datetime:
        """Have the claim on a case last from now on as long as a fresh one; returns until when."""
        until = now + timedelta(seconds=self._desk.settings.claim_seconds)
        changed = review_case.update().where(review_case.c.id == case_id).values(claim_until=until)
        tx.connection.execute(changed)
        return until

    def _shown(self, tx: Transaction, actor: Actor, row: sa.Row[Any], pictures: Pictures | None) -> ShownCase:
        """Log that a case is shown, and note when its reviewer first saw the pictures."""
        case = self._desk.case(tx.connection, row.id, actor)
        if pictures is not None and case.claimed_by == actor.name:
            _begin_work(tx, row.id, actor, self._desk.clock.now())
        said: dict[str, Json] = {
            "state": str(case.state),
            "pictures": pictures is not None,
            "frame": pictures is not None and bool(pictures.frame),
            "withheld": case.withheld,
        }
        self._desk.append(tx, Action.REVIEW_VIEWED, actor, row, said)
        tx.after_commit(self._desk.bell.ring)
        return ShownCase(case, pictures)

    def _open(self, connection: sa.Connection, row: sa.Row[Any], actor: Actor) -> Pictures | None:
        if not _may_look(row, actor, self._desk.clock.now()):
            return None
        try:
            return self._desk.pictures.of(connection, row.id)
        except FrsError as error:
            if error.reason not in _GONE:
                raise
            return None


def require_held(row: sa.Row[Any], actor: Actor, now: datetime) -> None:
    """Raise CASE_NOT_CLAIMED unless the actor holds the case and the claim has not run out."""
    if not _held_by(row, actor, now):
        raise FrsError(Reason.CASE_NOT_CLAIMED, "You do not hold this case, or the claim has run out.", case=row.id)


def let_go(tx: Transaction, case_id: str) -> None:
    """Set a claimed case back to where anybody may take it."""
    values = {"state": str(CaseState.PENDING), **queue.UNCLAIMED}
    tx.connection.execute(review_case.update().where(review_case.c.id == case_id).values(values))


def has_decided(connection: sa.Connection, case_id: str, name: str) -> bool:
    """Whether a reviewer has decided a case."""
    work = review_decision.c
    at = sa.select(work.decided_at).where(work.case_id == case_id, work.reviewer == name)
    return connection.scalar(at) is not None


def _require_claimable(connection: sa.Connection, actor: Actor, case_id: str, now: datetime) -> sa.Row[Any]:
    row = require_case(connection, actor, case_id)
    require_open(row, now)
    if has_decided(connection, case_id, actor.name):
        raise FrsError(Reason.CASE_DECIDED, "You have decided this case; it waits for another reviewer.", case=case_id)
    if row.state == CaseState.CLAIMED and row.claim_until > now and row.claimed_by != actor.name:
        raise FrsError(Reason.CASE_TAKEN, "Another reviewer holds this case.", case=case_id)
    require_independent(connection, actor, case_id)
    return row


def require_independent(connection: sa.Connection, actor: Actor, case_id: str) -> None:
    """Raise NOT_INDEPENDENT when the actor's part in how the case came about forbids that they decide it."""
    may = sa.select(review_case.c.id).where(review_case.c.id == case_id, independent(actor))
    if connection.scalar(may) is None:
        message = "You enrolled a person whom the case shows, or opened or submitted what it comes from."
        raise FrsError(Reason.NOT_INDEPENDENT, message, case=case_id)


def _held_by(row: sa.Row[Any], actor: Actor, now: datetime) -> bool:
    return bool(row.state == CaseState.CLAIMED and row.claimed_by == actor.name and row.claim_until > now)


def _may_look(row: sa.Row[Any], actor: Actor, now: datetime) -> bool:
    """Whether somebody is shown the pictures: who holds the case, and oversight while it is under review."""
    return _held_by(row, actor, now) or (oversees(actor) and CaseState(row.state) in OPEN)


def _begin_work(tx: Transaction, case_id: str, actor: Actor, now: datetime) -> None:
    """Note when the reviewer was first shown the pictures in the present claim: the look begins with each claim."""
    work = review_decision.c
    mine = sa.and_(work.case_id == case_id, work.reviewer == actor.name)
    if tx.connection.scalar(sa.select(work.case_id).where(mine)) is None:
        values = {"case_id": case_id, "reviewer": actor.name, "claimed_at": now, "viewed_at": now}
        tx.connection.execute(review_decision.insert().values(values))
        return
    claimed_at = sa.select(review_case.c.claimed_at).where(review_case.c.id == case_id).scalar_subquery()
    tx.connection.execute(review_decision.update().where(mine, work.viewed_at < claimed_at).values(viewed_at=now))
