"""What the service knows of identities besides their credentials: the most each may do, and whether it may at all.

A credential grants at most what it says; what is set here narrows that, or ends it, at once and for every credential of
the name. Nothing here grants anything. Whatever limits somebody is held in memory, so that no call waits for the
database to learn it. Promises: a change is logged in the transaction that makes it; nobody changes their own; who has
been revoked changes nobody's any more, also when both were asked at the same time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from frs.access.actor import Identity
from frs.access.duties import require_other
from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.store.database import Database
from frs.store.paging import page_token_decode, page_token_encode
from frs.store.schema import identity
from frs.store.transaction import Transaction
from frs.types import Actor, Event, Json, Page, Role, Scope

_LISTING = "identities"
_UNLIMITED = Scope()


class IdentityState(StrEnum):
    """Whether an identity is accepted."""

    ACTIVE = "active"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Known:
    """An identity as the service knows it."""

    name: str
    state: IdentityState = IdentityState.ACTIVE
    roles: frozenset[Role] | None = None
    """The most it may be; None sets no limit."""
    scope: Scope = _UNLIMITED
    """The most it may act on."""
    updated_at: datetime | None = None
    updated_by: str | None = None
    reason: str | None = None
    signed_in_at: datetime | None = None

    @property
    def limits(self) -> bool:
        """Whether it keeps the identity from anything that its credentials grant."""
        return self.state is IdentityState.REVOKED or self.roles is not None or not self.scope.unlimited


class Identities:
    """The registry; thread-safe."""

    def __init__(self, database: Database, audit: AuditLog, clock: Clock) -> None:
        """Read what limits anybody."""
        self._database, self._audit, self._clock = database, audit, clock
        self._lock = threading.Lock()
        self._listeners: tuple[Callable[[], None], ...] = ()
        with database.read() as connection:
            known = [_known(row) for row in connection.execute(sa.select(identity)).mappings()]
        self._limited = {each.name: each for each in known if each.limits}

    def narrowed(self, granted: Identity) -> Identity:
        """Return what is left of what a credential grants, or raise IDENTITY_REVOKED."""
        known = self._limited.get(granted.actor.name)
        if known is None:
            return granted
        if known.state is IdentityState.REVOKED:
            raise FrsError(Reason.IDENTITY_REVOKED, "the identity is not accepted: it has been revoked")
        actor = granted.actor
        roles = actor.roles if known.roles is None else actor.roles & known.roles
        return replace(granted, actor=replace(actor, roles=roles, scope=narrowed_scope(actor.scope, known.scope)))

    def on_changed(self, listener: Callable[[], None]) -> None:
        """Call back after each change that has been committed, on the thread that writes: be quick."""
        self._listeners = (*self._listeners, listener)

    def limit(self, actor: Actor, name: str, roles: frozenset[Role] | None, scope: Scope, reason: str) -> Known:
        """Set the most that ``name`` may do; no roles (None) and an unlimited scope lift the limit.

        FrsError: SEPARATION_OF_DUTIES for one's own, IDENTITY_REVOKED, LOG_UNAVAILABLE.
        """
        said = {"roles": _names(roles), "scope": scope_json(scope)}
        return self._change(
            actor, name, Action.IDENTITY_LIMITED, reason, said, lambda k: replace(k, roles=roles, scope=scope)
        )

    def revoke(self, actor: Actor, name: str, reason: str) -> Known:
        """Refuse every credential of ``name`` from now on, also of one that was never here. Raises as :meth:`limit`."""
        return self._change(
            actor, name, Action.IDENTITY_REVOKED, reason, {}, lambda k: replace(k, state=IdentityState.REVOKED)
        )

    def restore(self, actor: Actor, name: str, reason: str) -> Known:
        """Accept a revoked identity again, within its limits. Raises as :meth:`limit`, and IDENTITY_NOT_FOUND."""

        def change(known: Known) -> Known:
            if known.updated_at is None and known.signed_in_at is None:
                raise FrsError(Reason.IDENTITY_NOT_FOUND, "There is no identity of this name.")
            return replace(known, state=IdentityState.ACTIVE)

        return self._change(actor, name, Action.IDENTITY_RESTORED, reason, {}, change)

    def signed_in(self, actor: Actor, said: Mapping[str, Json]) -> None:
        """Log that somebody signed in and remember when, durable when this returns. Raises LOG_UNAVAILABLE."""

        def act(tx: Transaction) -> None:
            self._audit.append(tx, Event(Action.ACCESS_SIGNED_IN, actor, payload=said))
            _save(tx.connection, replace(_find(tx.connection, actor.name), signed_in_at=self._clock.now()))

        self._database.write(act)

    def list(self, page_size: int, page_token: str = "") -> Page[Known]:
        """Return those that have signed in or were limited or revoked, by name. Raises INVALID_PAGE_TOKEN."""
        last = page_token_decode(page_token, _LISTING, (str,))
        query = sa.select(identity).order_by(identity.c.name).limit(page_size + 1)
        if last is not None:
            query = query.where(identity.c.name > last[0])
        with self._database.read() as connection:
            found = [_known(row) for row in connection.execute(query).mappings()]
        more = page_token_encode(_LISTING, [found[page_size - 1].name]) if len(found) > page_size else ""
        return Page(tuple(found[:page_size]), more)

    def _change(
        self,
        actor: Actor,
        name: str,
        action: Action,
        reason: str,
        said: Mapping[str, Json],
        change: Callable[[Known], Known],
    ) -> Known:
        require_other(actor, (name,), "Nobody changes what they may do themselves.")

        def act(tx: Transaction) -> Known:
            if _find(tx.connection, actor.name).state is IdentityState.REVOKED:
                raise FrsError(Reason.IDENTITY_REVOKED, "the identity is not accepted: it has been revoked")
            before = _find(tx.connection, name)
            after = replace(change(before), updated_at=self._clock.now(), updated_by=actor.name, reason=reason)
            _save(tx.connection, after)
            payload: dict[str, Json] = {
                "identity": name,
                "reason": reason,
                "before": {
                    "state": str(before.state),
                    "roles": _names(before.roles),
                    "scope": scope_json(before.scope),
                },
                **said,
            }
            self._audit.append(tx, Event(action, actor, payload=payload))
            tx.after_commit(lambda: self._take_over(after))
            return after

        return self._database.write(act)

    def _take_over(self, after: Known) -> None:
        with self._lock:
            limited = {name: known for name, known in self._limited.items() if name != after.name}
            if after.limits:
                limited[after.name] = after
            self._limited = limited
        for listener in self._listeners:
            listener()


def narrowed_scope(granted: Scope, limit: Scope) -> Scope:
    """Return a scope within both.

    Deployments that one names and the other knows by their site are left out: name them alike in both.
    """
    watchlists = _both(granted.watchlists, limit.watchlists)
    if granted.deployments is None and granted.sites is None:
        return Scope(watchlists, limit.deployments, limit.sites)
    if limit.deployments is None and limit.sites is None:
        return Scope(watchlists, granted.deployments, granted.sites)
    empty: frozenset[str] = frozenset()
    deployments = (granted.deployments or empty) & (limit.deployments or empty)
    return Scope(watchlists, deployments, (granted.sites or empty) & (limit.sites or empty))


def scope_json(scope: Scope) -> dict[str, Json]:
    """Return a scope as it is stored and logged; null sets no limit."""
    kinds = {"watchlists": scope.watchlists, "deployments": scope.deployments, "sites": scope.sites}
    return {kind: None if named is None else [*sorted(named)] for kind, named in kinds.items()}


def _both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return one if other is None else other
    return one & other


def _names(roles: frozenset[Role] | None) -> Json:
    return None if roles is None else [str(role) for role in sorted(roles)]


def _find(connection: sa.Connection, name: str) -> Known:
    row = connection.execute(sa.select(identity).where(identity.c.name == name)).mappings().one_or_none()
    return Known(name) if row is None else _known(row)


def _save(connection: sa.Connection, known: Known) -> None:
    values = {
        "state": str(known.state),
        "roles": _names(known.roles),
        "scope": None if known.scope.unlimited else scope_json(known.scope),
        "updated_at": known.updated_at,
        "updated_by": known.updated_by,
        "reason": known.reason,
        "signed_in_at": known.signed_in_at,
    }
    changed = connection.execute(identity.update().where(identity.c.name == known.name).values(**values)).rowcount
    if not changed:
        connection.execute(identity.insert().values(name=known.name, **values))


def _known(row: sa.RowMapping) -> Known:
    roles: list[str] | None = row["roles"]
    return Known(
        row["name"],
        IdentityState(row["state"]),
        None if roles is None else frozenset(role for role in Role if str(role) in roles),
        _scope(row["scope"]),
        row["updated_at"],
        row["updated_by"],
        row["reason"],
        row["signed_in_at"],
    )


def _scope(stored: Mapping[str, Any] | None) -> Scope:
    kinds = ("watchlists", "deployments", "sites")
    limits = (None if stored is None or stored.get(kind) is None else frozenset(stored[kind]) for kind in kinds)
    return Scope(*limits)
