"""Opening, ending and stopping deployments.

Promises: a deployment is opened only when the rules of :mod:`frs.match.opening` hold in the same transaction; every
opening, end and stop is an event in that transaction; when :meth:`Deployments.stop` returns or fails, no alert is
raised in that deployment any more. A deployment whose end time has come is over at that instant; that it ended is
logged by the first who notices (a stream, :meth:`Deployments.close_due`). To whoever acts or asks with a scope, a
deployment outside it does not exist; their stop does not halt it.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa

from frs.access.scoping import deployments_within, require_deployment, require_may_open
from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.match.decisions import as_json
from frs.match.deployment import (
    CameraCount,
    Deployment,
    DeploymentDraft,
    DeploymentState,
    load_deployment,
    load_deployments,
)
from frs.match.gate import Gate, closed, require_running
from frs.match.newest import newest_first
from frs.match.opening import as_opened, checked_draft, require_reviewed, require_somebody
from frs.settings import Settings
from frs.store.database import Database, Transaction
from frs.store.schema import deployment, deployment_watchlist
from frs.types import Actor, Event, Json, ListVersion, Mode, Page, References, Scope, new_id
from frs.watchlist.registry import Watchlists
from frs.watchlist.searchable import SearchableList

__all__ = ["CameraCount", "Deployment", "DeploymentDraft", "DeploymentState", "Deployments"]


_AS_DRAFTED = (
    *("purpose", "place", "site", "authorising_officer", "starts_at", "ends_at", "cooldown_seconds"),
    *("reviewers", "officers_before_adjudication", "vigilance_rate"),
)
_OVER = (DeploymentState.ENDED, DeploymentState.STOPPED)
_UNLIMITED = Scope()
_NOTHING_TO_HALT = (Reason.DEPLOYMENT_NOT_FOUND, Reason.DEPLOYMENT_ENDED)


class Deployments:
    """The deployments of this installation. Thread-safe."""

    def __init__(
        self, database: Database, audit: AuditLog, watchlists: Watchlists, settings: Settings, clock: Clock
    ) -> None:
        self._database, self._audit, self._watchlists = database, audit, watchlists
        self._live, self._review, self._clock = settings.live, settings.review, clock
        self._lock = threading.Lock()
        self._gates: dict[str, Gate] = {}
        self._halted: set[str] = set()
        """Deployments whose stop is not recorded yet: a gate that is made for one of them is shut from the start."""

    def open(self, actor: Actor, draft: DeploymentDraft) -> Deployment:
        """Open a deployment.

        FrsError: INVALID_FIELD, what ``searchable`` raises, WATCHLIST_NOT_REVIEWED, WATCHLIST_EMPTY; PERMISSION_DENIED
        outside the actor's scope.
        """
        require_may_open(actor, draft.site)
        self.close_due()
        checked = checked_draft(draft, self._clock.now(), self._live.cooldown_seconds, self._review)
        lists = self._watchlists.searchable(checked.watchlists, Mode.LIVE, actor.scope)
        return self._database.write(lambda tx: self._insert(tx, actor, checked, lists))

    def get(self, deployment_id: str, scope: Scope = _UNLIMITED) -> Deployment:
        """Return one; FrsError DEPLOYMENT_NOT_FOUND."""
        with self._database.read() as connection:
            found = self._load(connection, deployment_id)
        require_deployment(scope, found.id, found.site)
        return found

    def list(self, page_size: int, page_token: str = "", scope: Scope = _UNLIMITED) -> Page[Deployment]:
        """Return deployments, newest opening first."""
        with self._database.read() as connection:
            columns = (deployment.c.opened_at, deployment.c.id)
            query = sa.select(deployment).where(deployments_within(scope))
            rows, token = newest_first(connection, query, columns, "deployments", page_size, page_token)
            items = load_deployments(connection, rows, self._clock.now())
        return Page(tuple(self._as_gated(item) for item in items), token)

    def end(self, actor: Actor, deployment_id: str, reason: str) -> Deployment:
        """End it in the ordinary way. FrsError DEPLOYMENT_NOT_FOUND, DEPLOYMENT_ENDED when it is over already."""
        self.close_due()
        return self._close(actor, deployment_id, DeploymentState.ENDED, reason)

    def stop(self, actor: Actor, deployment_id: str, reason: str) -> Deployment:
        """Stop it at once. Errors as :meth:`end`.

        The sessions are halted before anything is read or written. They stay halted when the stop cannot be looked up
        or recorded: then this raises, and must be called again so that the stop is in the log and outlasts a restart.
        """
        if not reason.strip():
            raise FrsError(Reason.INVALID_FIELD, "An emergency stop needs a reason.", field="reason")
        self._require_within(actor.scope, deployment_id)
        self._halt(deployment_id)
        try:
            stopped = self._close(actor, deployment_id, DeploymentState.STOPPED, reason)
        except FrsError as error:
            if error.reason in _NOTHING_TO_HALT:
                self._recorded(deployment_id)
            raise
        self._recorded(deployment_id)
        return stopped

    def require_running(self, deployment_id: str, scope: Scope = _UNLIMITED) -> Deployment:
        """Return it while it runs; FrsError DEPLOYMENT_NOT_FOUND, DEPLOYMENT_NOT_OPEN, DEPLOYMENT_ENDED."""
        return require_running(self.get(deployment_id, scope))

    def gate(self, deployment_id: str) -> Gate:
        """Return the deployment's gate, the same for all who ask; FrsError DEPLOYMENT_NOT_FOUND."""
        with self._database.read() as connection:
            found = self._stored(connection, deployment_id)
        with self._lock:
            gate = self._gates.setdefault(deployment_id, Gate(found, self._clock))
            if deployment_id in self._halted and found.state not in _OVER:
                gate.shut(DeploymentState.STOPPED)
        with self._database.read() as connection:  # again: who closed it before the gate stood here did not see it
            found = self._stored(connection, deployment_id)
        if found.state in _OVER:
            gate.shut(found.state)
        return gate

    def close_due(self) -> int:
        """Record the end of deployments whose end time has come; returns how many. For the start and a timer."""
        due = sa.select(deployment.c.id).where(deployment.c.state == "open", deployment.c.ends_at <= self._clock.now())
        with self._database.read() as connection:
            ids = connection.execute(due).scalars().all()
        return sum(self._database.write(partial(self._lapse, deployment_id=name)) for name in ids)

    def _insert(
        self, tx: Transaction, actor: Actor, draft: DeploymentDraft, lists: tuple[SearchableList, ...]
    ) -> Deployment:
        now = self._clock.now()
        require_reviewed(tx.connection, lists, now)
        require_somebody(tx.connection, lists)
        name = new_id()
        values = {field: getattr(draft, field) for field in _AS_DRAFTED}
        tx.connection.execute(
            sa.insert(deployment).values(id=name, state="open", opened_by=actor.name, opened_at=now, **values)
        )
        tx.connection.execute(
            sa.insert(deployment_watchlist),
            [{"deployment_id": name, **as_opened(tx.connection, item)} for item in lists],
        )
        versions = tuple(ListVersion(item.id, item.version) for item in lists)
        references = References(watchlists=versions, deployment=name)
        self._audit.append(tx, Event(Action.DEPLOYMENT_OPENED, actor, references, _opened(values, lists)))
        return self._load(tx.connection, name)

    def _close(self, actor: Actor, deployment_id: str, state: DeploymentState, reason: str) -> Deployment:
        def act(tx: Transaction) -> Deployment:
            found = self._stored(tx.connection, deployment_id)
            require_deployment(actor.scope, found.id, found.site)
            if found.state in _OVER:
                raise closed(found.state)
            self._record(tx, actor, found, state, reason)
            return self._load(tx.connection, deployment_id)

        return self._database.write(act)

    def _lapse(self, tx: Transaction, deployment_id: str) -> int:
        row = tx.connection.execute(sa.select(deployment.c.state).where(deployment.c.id == deployment_id)).one()
        if row.state != "open":
            return 0
        found = self._stored(tx.connection, deployment_id)
        self._record(tx, Actor.system(), found, DeploymentState.ENDED, "The end time was reached.")
        return 1

    def _record(self, tx: Transaction, actor: Actor, found: Deployment, state: DeploymentState, reason: str) -> None:
        now = min(self._clock.now(), found.ends_at)
        tx.connection.execute(
            sa.update(deployment)
            .where(deployment.c.id == found.id)
            .values(state=str(state), closed_at=now, closed_by=actor.name, close_reason=reason)
        )
        action = Action.DEPLOYMENT_STOPPED if state is DeploymentState.STOPPED else Action.DEPLOYMENT_ENDED
        references = References(watchlists=found.watchlists, deployment=found.id)
        self._audit.append(tx, Event(action, actor, references, {"reason": reason, "closed_at": now.isoformat()}))
        tx.after_commit(lambda: self._shut(found.id, state))

    def _require_within(self, scope: Scope, deployment_id: str) -> None:
        """DEPLOYMENT_NOT_FOUND outside the scope; where sessions may run, without asking the database anything."""
        if scope.unlimited:
            return
        with self._lock:
            gate = self._gates.get(deployment_id)
        if gate is None:
            self.get(deployment_id, scope)
        else:
            require_deployment(scope, deployment_id, gate.site)

    def _halt(self, deployment_id: str) -> None:
        """Shut the gate that stands and the one that is made next, without asking the database anything."""
        with self._lock:
            self._halted.add(deployment_id)
            gate = self._gates.get(deployment_id)
        if gate is not None:
            gate.shut(DeploymentState.ENDED if gate.lapsed else DeploymentState.STOPPED)

    def _recorded(self, deployment_id: str) -> None:
        """Leave it to the database from now on to say that the deployment is over, or is none."""
        with self._lock:
            self._halted.discard(deployment_id)

    def _shut(self, deployment_id: str, state: DeploymentState) -> None:
        with self._lock:
            gate = self._gates.get(deployment_id)
        if gate is not None:
            gate.shut(state)

    def _stored(self, connection: sa.Connection, deployment_id: str) -> Deployment:
        found = load_deployment(connection, deployment_id, self._clock.now())
        if found is None:
            raise _unknown(deployment_id)
        return found

    def _load(self, connection: sa.Connection, deployment_id: str) -> Deployment:
        return self._as_gated(self._stored(connection, deployment_id))

    def _as_gated(self, found: Deployment) -> Deployment:
        """Show an emergency stop that could not be recorded yet for what it is: nothing is matched any more."""
        with self._lock:
            gate, halted = self._gates.get(found.id), found.id in self._halted
        if found.state in _OVER:
            return found
        if gate is not None and gate.shut_as is not None:
            return replace(found, state=gate.shut_as)
        return replace(found, state=DeploymentState.STOPPED) if halted else found


def _opened(values: dict[str, Any], lists: tuple[SearchableList, ...]) -> dict[str, Json]:
    """Return the opening as it is logged."""
    said = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in values.items()}
    return {**said, "lists": [as_json(entry) for entry in lists]}


def _unknown(deployment_id: str) -> FrsError:
    return FrsError(Reason.DEPLOYMENT_NOT_FOUND, f"There is no deployment {deployment_id}.", deployment=deployment_id)
