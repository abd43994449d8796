"""Holds: what is kept beyond its period, for a reason that somebody answers for, until an end.

Promises: a hold has a reason, an owner and an end within ten years; it is placed on something that is there, in the
act that logs it; from that commit on no run destroys what it keeps (:mod:`frs.retention.hold_scope`), until it is
released or has ended. A hold keeps things from retention. It does not keep a person on a watchlist: a withdrawal
destroys the biometrics at once. An erasure that a hold stands against is decided by a named person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.match.newest import newest_first
from frs.retention import hold_scope
from frs.retention.hold_target import ENTRY, THINGS, find_target, references, target_name
from frs.store.database import Database
from frs.store.schema import alert, audit_reference, hold, job_candidate, job_item, subject, upload
from frs.store.transaction import Transaction
from frs.store.vault import Vault
from frs.types import Actor, Event, Json, Page, new_id

LONGEST = timedelta(days=3653)
"""Ten years: what must be kept for longer is held again, by somebody who has looked again."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold as it stands."""

    id: str
    kind: str
    """``alert``, ``upload``, ``job``, ``search``, ``watchlist``, ``event`` or ``nominal``."""
    target: str
    """The id of what is held; a person's nominal, or pseudonym once the hold is long over."""
    reason: str
    owner: str
    """Who answers for it."""
    placed_at: datetime
    placed_by: str
    ends_at: datetime
    released_at: datetime | None
    released_by: str | None
    release_reason: str | None

    @property
    def target_name(self) -> str:
        """Resource name of what is held."""
        return target_name(self.kind, self.target)

    @property
    def names_a_person(self) -> bool:
        """Whether the target is a nominal; once a hold is long over it is a pseudonym."""
        return self.kind == hold_scope.NOMINAL and self.reason != ""

    def in_force(self, now: datetime) -> bool:
        """Whether it keeps anything at ``now``."""
        return self.released_at is None and self.ends_at > now


class Holds:
    """The holds of this installation; thread-safe."""

    def __init__(self, database: Database, vault: Vault, audit: AuditLog, clock: Clock) -> None:
        self._database, self._vault, self._audit, self._clock = database, vault, audit, clock

    def place(self, actor: Actor, target: str, reason: str, owner: str, ends_at: datetime) -> Hold:
        """Hold ``target``, a resource name such as ``alerts/7f...`` or ``nominals/N-1``, until ``ends_at``.

        FrsError: INVALID_FIELD for another form, without reason or owner, and for an end that is not in the next ten
        years; the NOT_FOUND of what is not there; ERASED where nothing is left to hold; LOG_UNAVAILABLE.
        """
        for field, value in (("reason", reason), ("owner", owner)):
            if not value.strip():
                raise FrsError(Reason.INVALID_FIELD, f"A hold needs its {field}.", field=field)

        def act(tx: Transaction) -> Hold:
            now = self._clock.now()
            if not now < ends_at <= now + LONGEST:
                message = "end_time: a hold ends in the future, and within ten years; it can be placed again then"
                raise FrsError(Reason.INVALID_FIELD, message, field="end_time")
            found = find_target(tx.connection, target, self._vault)
            made = Hold(
                new_id(),
                found.kind,
                found.id,
                reason.strip(),
                owner.strip(),
                now,
                actor.name,
                ends_at,
                None,
                None,
                None,
            )
            pseudonym = self._vault.pseudonym("subject", found.id) if found.kind == hold_scope.NOMINAL else None
            tx.connection.execute(
                hold.insert().values(
                    id=made.id,
                    kind=made.kind,
                    target=made.target,
                    subject=pseudonym,
                    reason=made.reason,
                    owner=made.owner,
                    placed_at=made.placed_at,
                    placed_by=made.placed_by,
                    ends_at=made.ends_at,
                )
            )
            payload: dict[str, Json] = {
                "hold": made.id,
                "target": target,
                "reason": made.reason,
                "owner": made.owner,
                "ends_at": ends_at.isoformat(),
            }
            self._audit.append(tx, Event(Action.HOLD_PLACED, actor, found.references, payload))
            return made

        return self._database.write(act)

    def release(self, actor: Actor, hold_id: str, reason: str) -> Hold:
        """End a hold before its end; what it kept and is due goes with the next run.

        FrsError: HOLD_NOT_FOUND, HOLD_NOT_IN_FORCE, INVALID_FIELD without a reason, LOG_UNAVAILABLE.
        """
        return self._database.write(lambda tx: self.release_in(tx, actor, hold_id, reason))

    def release_in(self, tx: Transaction, actor: Actor, hold_id: str, reason: str) -> Hold:
        """Release within the caller's act; as :meth:`release`."""
        if not reason.strip():
            raise FrsError(Reason.INVALID_FIELD, "A release needs a reason.", field="reason")
        now = self._clock.now()
        found = self._read(tx.connection, hold_id)
        if not found.in_force(now):
            was = "was released" if found.released_at is not None else "has ended"
            raise FrsError(Reason.HOLD_NOT_IN_FORCE, f"Hold {hold_id} {was}.", hold=hold_id)
        released = replace(found, released_at=now, released_by=actor.name, release_reason=reason.strip())
        tx.connection.execute(
            hold.update()
            .where(hold.c.id == hold_id)
            .values(released_at=now, released_by=released.released_by, release_reason=released.release_reason)
        )
        payload: dict[str, Json] = {"hold": hold_id, "target": found.target_name, "reason": reason.strip()}
        concerns = references(tx.connection, found.kind, found.target)
        self._audit.append(tx, Event(Action.HOLD_RELEASED, actor, concerns, payload))
        return released

    def get(self, hold_id: str) -> Hold:
        """Return a hold. FrsError HOLD_NOT_FOUND."""
        with self._database.read() as connection:
            return self._read(connection, hold_id)

    def list(self, everything: bool, page_size: int, page_token: str) -> Page[Hold]:
        """Return the holds in force, or all of them, newest first. FrsError INVALID_PAGE_TOKEN."""
        query = sa.select(hold)
        if not everything:
            query = query.where(hold_scope.in_force(self._clock.now()))
        with self._database.read() as connection:
            order = (hold.c.placed_at, hold.c.id)
            rows, token = newest_first(connection, query, order, f"holds {everything}", page_size, page_token)
        return Page(tuple(_hold(row) for row in rows), token)

    def holding(self, connection: sa.Connection, kind: str, target: str, now: datetime) -> tuple[str, ...]:
        """Return the ids of the holds in force that keep one thing, sorted.

        ``kind`` is what a hold can name, or ``subject`` for an entry of a watchlist by its id; for ``nominal`` only
        holds on the person as such.
        """
        table: sa.FromClause
        key: sa.ColumnElement[Any]
        if kind == hold_scope.NOMINAL:
            named = sa.and_(hold.c.kind == kind, hold.c.target == target)
            query = sa.select(hold.c.id).where(hold_scope.in_force(now), named)
        else:
            table, key, scope = subject, subject.c.id, hold_scope.on_entry()
            if kind != ENTRY:
                table, key, scope = THINGS[kind].table, THINGS[kind].key, THINGS[kind].scope()
            query = sa.select(hold.c.id).select_from(table.join(hold, scope))
            query = query.where(hold_scope.in_force(now), key == (int(target) if kind == hold_scope.EVENT else target))
        return tuple(sorted(connection.scalars(query)))

    def of_nominal(self, connection: sa.Connection, nominal: str, now: datetime) -> tuple[str, ...]:
        """Return the ids of the holds in force on a person and on anything that concerns them, sorted."""
        pseudonym = self._vault.pseudonym("subject", nominal)
        event, person = audit_reference.alias("its_event"), audit_reference.alias("its_person")
        logged = sa.select(sa.cast(person.c.seq, sa.Text)).where(
            person.c.kind == "subject", person.c.value == pseudonym
        )
        on_log = (
            sa.select(event.c.seq)
            .join(person, person.c.seq == event.c.seq)
            .where(
                event.c.kind == hold.c.kind,
                event.c.value == hold.c.target,
                person.c.kind == "subject",
                person.c.value == pseudonym,
            )
        )
        candidates = sa.select(job_candidate.c.job_id).where(job_candidate.c.nominal == nominal)
        media = sa.select(job_item.c.upload_id).where(job_item.c.job_id.in_(candidates))
        concerns = sa.or_(
            sa.and_(hold.c.kind == hold_scope.NOMINAL, hold.c.target == nominal),
            sa.and_(
                hold.c.kind == hold_scope.ALERT,
                sa.select(alert.c.id).where(alert.c.id == hold.c.target, alert.c.nominal == nominal).exists(),
            ),
            sa.and_(hold.c.kind == hold_scope.JOB, hold.c.target.in_(candidates)),
            sa.and_(hold.c.kind == hold_scope.SEARCH, on_log.correlate(hold).exists()),
            sa.and_(hold.c.kind == hold_scope.UPLOAD, hold.c.target.in_(media)),
            sa.and_(
                hold.c.kind == hold_scope.WATCHLIST,
                sa.select(subject.c.id)
                .where(subject.c.watchlist_id == hold.c.target, subject.c.nominal == nominal)
                .exists(),
            ),
            sa.and_(hold.c.kind == hold_scope.EVENT, hold.c.target.in_(logged)),
        )
        query = sa.select(hold.c.id).where(hold_scope.in_force(now), concerns)
        return tuple(sorted(connection.scalars(query)))

    def uploads_held(self, connection: sa.Connection, ids: Sequence[str]) -> set[str]:
        """Return those of the uploads that a hold in force keeps."""
        kept = ~hold_scope.unheld(hold_scope.on_upload(), self._clock.now(), upload)
        return set(connection.scalars(sa.select(upload.c.id).where(upload.c.id.in_(ids), kept)))

    def forget(self, tx: Transaction, ids: Sequence[str]) -> int:
        """Take what names a person out of holds that are over; returns how many. Dates and owner stay."""
        tx.erases = True
        over = hold.update().where(hold.c.id.in_(ids), ~hold_scope.in_force(self._clock.now()))
        return tx.connection.execute(
            over.values(
                target=sa.case((hold.c.kind == hold_scope.NOMINAL, hold.c.subject), else_=hold.c.target),
                reason="",
                release_reason=None,
            )
        ).rowcount

    def _read(self, connection: sa.Connection, hold_id: str) -> Hold:
        row = connection.execute(sa.select(hold).where(hold.c.id == hold_id)).one_or_none()
        if row is None:
            raise FrsError(Reason.HOLD_NOT_FOUND, f"There is no hold {hold_id}.", hold=hold_id)
        return _hold(row)


def _hold(row: sa.Row[Any]) -> Hold:
    values = row._mapping
    return Hold(**{name: values[name] for name in Hold.__slots__})
