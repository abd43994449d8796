"""Review: every alert is decided by a person, once, and each look and decision is in the log.

Promises: an alert's state moves only along the arrows of :mod:`frs.review.alert`, by a guarded update, so of two who
decide at once one is told that it was decided already; the decision, its entry in the feed and its event are one
transaction; nobody is shown the two pictures before it is logged that they were; the feed names every change exactly
once, in the order of commits, from any position. What is outside the scope of who asks does not exist for them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from frs.access.scoping import alerts_within, require_known_deployment
from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.match.alerting import PROBE, REFERENCE
from frs.match.bell import Bell
from frs.match.newest import newest_first
from frs.review.alert import WITHOUT_PICTURES, Alert, AlertCase, AlertState, FeedEntry, alert_from
from frs.store.database import Database, Transaction
from frs.store.schema import alert, alert_feed
from frs.store.vault import Vault
from frs.types import Actor, Event, Json, ListVersion, Page, References, Scope

__all__ = ["Alert", "AlertCase", "AlertState", "Alerts", "FeedEntry"]

_UNLIMITED = Scope()
_ENGAGEMENTS = {
    "confirmed-true": AlertState.CONFIRMED_TRUE,
    "confirmed-false": AlertState.CONFIRMED_FALSE,
    "not-engaged": AlertState.UNCONFIRMED,
}


class Alerts:
    """The alerts of this installation. Thread-safe."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        audit: AuditLog,
        alert_bell: Bell,
        clock: Clock,
        groups: Sequence[str] = (),
    ) -> None:
        """Take the rooms below and the ``groups`` by which a person may describe themself; without any, none can be."""
        self._database, self._vault, self._audit = database, vault, audit
        self._clock, self._groups = clock, tuple(groups)
        self.bell = alert_bell
        """Rings after each change of an alert has been committed."""

    def list(
        self,
        state: AlertState | None = None,
        deployment: str | None = None,
        page_size: int = 50,
        page_token: str = "",
        scope: Scope = _UNLIMITED,
    ) -> Page[Alert]:
        """Return alerts, newest first, without pictures. FrsError DEPLOYMENT_NOT_FOUND, INVALID_PAGE_TOKEN."""
        query = sa.select(*WITHOUT_PICTURES).where(alerts_within(scope))
        if state is not None:
            query = query.where(alert.c.state == str(state))
        if deployment is not None:
            query = query.where(alert.c.deployment_id == deployment)
        fingerprint = f"alerts {state or ''} {deployment or ''}"
        with self._database.read() as connection:
            require_known_deployment(connection, scope, deployment)
            columns = (alert.c.created_at, alert.c.id)
            rows, token = newest_first(connection, query, columns, fingerprint, page_size, page_token)
        return Page(tuple(alert_from(row) for row in rows), token)

    def get(self, actor: Actor, alert_id: str) -> AlertCase:
        """Return an alert with both pictures, logged as ``alert.viewed`` by the actor.

        FrsError ALERT_NOT_FOUND; ERASED when its pictures were erased; LOG_UNAVAILABLE.
        """

        def act(tx: Transaction) -> tuple[Alert, bytes, bytes]:
            named = sa.and_(alert.c.id == alert_id, alerts_within(actor.scope))
            row = tx.connection.execute(sa.select(alert).where(named)).first()
            if row is None:
                raise _unknown(alert_id)
            if row.probe_sealed is None or row.reference_sealed is None:
                raise FrsError(Reason.ERASED, f"The pictures of alert {alert_id} have been erased.", alert=alert_id)
            found = alert_from(row)
            shown: dict[str, Json] = {"state": str(found.state), "probe_sha256": _digest(row.probe_sealed)}
            self._audit.append(tx, Event(Action.ALERT_VIEWED, actor, _references(found), shown))
            return found, row.probe_sealed, row.reference_sealed

        found, probe, reference = self._database.write(act)
        owner = f"alert:{alert_id}"
        return AlertCase(found, self._vault.open(owner, probe, PROBE), self._vault.open(owner, reference, REFERENCE))

    def require_feed(self, after: int, deployment: str | None = None, scope: Scope = _UNLIMITED) -> None:
        """Refuse what a feed could only be silent about.

        FrsError DEPLOYMENT_NOT_FOUND; INVALID_FIELD for a position that this installation has not given out yet: who
        comes with one, perhaps from another installation, would miss the alerts up to it.
        """
        with self._database.read() as connection:
            require_known_deployment(connection, scope, deployment)
            head = connection.scalar(sa.select(sa.func.max(alert_feed.c.position))) or 0
        if after > head:
            # Not how far it has come: that counts the alerts outside the scope too.
            message = "after_position: the feed has not come to it; ask from 0"
            raise FrsError(Reason.INVALID_FIELD, message, field="after_position")

    def feed(
        self, after: int, deployment: str | None = None, limit: int = 100, scope: Scope = _UNLIMITED
    ) -> tuple[FeedEntry, ...]:
        """Return at most ``limit`` changes after a position, in the order of commits, with the alerts as they stand.

        Whoever asks again with the last position it was given misses none and sees none twice.
        """
        query = (
            sa.select(alert_feed.c.position, alert_feed.c.kind, *WITHOUT_PICTURES)
            .join(alert, alert.c.id == alert_feed.c.alert_id)
            .where(alert_feed.c.position > after, alerts_within(scope))
            .order_by(alert_feed.c.position)
            .limit(limit)
        )
        if deployment is not None:
            query = query.where(alert.c.deployment_id == deployment)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return tuple(FeedEntry(row.position, row.kind, alert_from(row)) for row in rows)

    def engage(self, actor: Actor, alert_id: str, engagement: str, note: str = "", group: str = "") -> Alert:
        """Record what came of a true alert: ``confirmed-true``, ``confirmed-false`` or ``not-engaged``.

        ``group`` is how the person described themself when asked; empty where nobody asked. FrsError ALERT_NOT_FOUND,
        ALERT_WRONG_STATE, INVALID_FIELD for another word, for a group that the policy does not have, and for a group
        of a person to whom nobody spoke.
        """
        to = self._engagement(engagement, group)
        return self._database.write(
            lambda tx: self._engage(tx, actor, alert_id, (AlertState.TRUE, to), (engagement, note, group))
        )

    def engage_in(
        self, tx: Transaction, actor: Actor, alert_id: str, engagement: str, note: str = "", group: str = ""
    ) -> Alert:
        """Record an engagement within an act, whatever reviewers decided.

        A true alert becomes confirmed true, confirmed false or unconfirmed; the state of any other stays, because it is
        for reviewers to say. FrsError as :meth:`engage`, without ALERT_WRONG_STATE.
        """
        to = self._engagement(engagement, group)
        state = self._require(tx, alert_id).state
        move = state, to if state is AlertState.TRUE else state
        return self._engage(tx, actor, alert_id, move, (engagement, note, group))

    def _engage(
        self,
        tx: Transaction,
        actor: Actor,
        alert_id: str,
        move: tuple[AlertState, AlertState],
        said: tuple[str, str, str],
    ) -> Alert:
        engagement, note, group = said
        values = {
            "engagement_at": self._clock.now(),
            "engagement_by": actor.name,
            # Of an erased alert nothing is written about the person any more but into the log.
            "engagement_note": sa.case((alert.c.erased_at.is_(None), note), else_=""),
            "self_defined_group": group or None,
        }
        found = self._move(tx, alert_id, *move, values)
        payload: dict[str, Json] = {"engagement": engagement, "note": note, "self_defined_group": group or None}
        self._record(tx, actor, found, "engaged", Action.ALERT_ENGAGEMENT, payload)
        return found

    def follow_engagement(self, tx: Transaction, alert_id: str, engagement: str) -> None:
        """Let an alert that has just been adjudicated true take the state of an engagement that came before."""
        self._move(tx, alert_id, AlertState.TRUE, _ENGAGEMENTS[engagement], {})

    def _engagement(self, word: str, group: str) -> AlertState:
        """Return what an engagement makes of a true alert, the person's group checked."""
        to = _ENGAGEMENTS.get(word)
        if to is None:
            known = ", ".join(_ENGAGEMENTS)
            raise FrsError(Reason.INVALID_FIELD, f"An engagement is one of {known}.", field="engagement")
        self._check_group(group, to)
        return to

    def _check_group(self, group: str, engagement: AlertState) -> None:
        if not group:
            return
        if group not in self._groups:
            allowed = ", ".join(self._groups) or "none"
            message = f"The policy has no such group; a person may describe themself as: {allowed}."
            raise FrsError(Reason.INVALID_FIELD, message, field="self_defined_group", allowed=allowed)
        if engagement is AlertState.UNCONFIRMED:
            message = "Nobody spoke to the person, so they described themself to nobody: leave the group out."
            raise FrsError(Reason.INVALID_FIELD, message, field="self_defined_group")

    def _require(self, tx: Transaction, alert_id: str) -> Alert:
        row = tx.connection.execute(sa.select(*WITHOUT_PICTURES).where(alert.c.id == alert_id)).first()
        if row is None:
            raise _unknown(alert_id)
        return alert_from(row)

    def _move(
        self, tx: Transaction, alert_id: str, source: AlertState, to: AlertState, values: dict[str, Any]
    ) -> Alert:
        """Move an alert from one state to another if that is where it is; two at once cannot both succeed."""
        moved = tx.connection.execute(
            sa.update(alert).where(alert.c.id == alert_id, alert.c.state == str(source)).values(state=str(to), **values)
        )
        row = tx.connection.execute(sa.select(*WITHOUT_PICTURES).where(alert.c.id == alert_id)).first()
        if row is None:
            raise _unknown(alert_id)
        if moved.rowcount != 1:
            raise FrsError(
                Reason.ALERT_WRONG_STATE, f"Alert {alert_id} is {row.state}, not {source}.", state=str(row.state)
            )
        return alert_from(row)

    def _record(
        self, tx: Transaction, actor: Actor, found: Alert, kind: str, action: Action, payload: dict[str, Json]
    ) -> None:
        tx.connection.execute(sa.insert(alert_feed).values(alert_id=found.id, kind=kind, created_at=self._clock.now()))
        self._audit.append(tx, Event(action, actor, _references(found), {"state": str(found.state), **payload}))
        tx.after_commit(self.bell.ring)


def _references(found: Alert) -> References:
    listed = ListVersion(found.candidate.watchlist, found.candidate.watchlist_version)
    return References(
        watchlists=(listed,), subjects=(found.candidate.nominal,), deployment=found.deployment, alert=found.id
    )


def _digest(sealed: bytes) -> str:
    return hashlib.sha256(sealed).hexdigest()


def _unknown(alert_id: str) -> FrsError:
    return FrsError(Reason.ALERT_NOT_FOUND, f"There is no alert {alert_id}.", alert=alert_id)
