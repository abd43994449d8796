"""Identities and scopes."""

from __future__ import annotations

from frs.access.actor import Identity
from frs.access.names import require_roles
from frs.access.registry import IdentityState, Known
from frs.access.scope_uris import make_scope
from frs.server import names
from frs.server.instants import stamp
from frs.types import Role, Scope
from frs.v1 import identity_pb2

NOTHING = "(nothing)"
"""In place of a name where a scope lets nothing of a kind through, since an empty list means no limit."""

STATES: dict[IdentityState, identity_pb2.IdentityState.ValueType] = {
    IdentityState.ACTIVE: identity_pb2.IDENTITY_STATE_ACTIVE,
    IdentityState.REVOKED: identity_pb2.IDENTITY_STATE_REVOKED,
}


def identity_message(value: Known) -> identity_pb2.Identity:
    """Return an identity with what limits it."""
    return identity_pb2.Identity(
        name=names.make(names.IDENTITY, value.name),
        roles=[str(role) for role in sorted(value.roles or ())],
        scope=None if value.scope.unlimited else scope_message(value.scope),
        state=STATES[value.state],
        update_time=stamp(value.updated_at),
        updated_by=value.updated_by or "",
        reason=value.reason or "",
        last_sign_in_time=stamp(value.signed_in_at),
    )


def caller_message(value: Identity) -> identity_pb2.Identity:
    """Return who calls, with what holds of what the credential grants."""
    actor = value.actor
    return identity_pb2.Identity(
        name=names.make(names.IDENTITY, actor.name),
        roles=[str(role) for role in sorted(actor.roles)],
        scope=None if actor.scope.unlimited else scope_message(actor.scope),
        state=identity_pb2.IDENTITY_STATE_ACTIVE,
        credential=actor.credential,
        credential_expire_time=stamp(value.not_after) if value.ends else None,
    )


def scope_message(value: Scope) -> identity_pb2.Scope:
    """Return a scope; a kind that lets nothing through says so."""
    watchlists = sorted(value.watchlists or ())
    if value.watchlists is not None and not watchlists:
        watchlists = [NOTHING]
    deployments, sites = sorted(value.deployments or ()), sorted(value.sites or ())
    if (value.deployments, value.sites) != (None, None) and not deployments and not sites:
        deployments = [NOTHING]
    return identity_pb2.Scope(
        watchlists=[names.make(names.WATCHLIST, each) for each in watchlists],
        deployments=[names.make(names.DEPLOYMENT, each) for each in deployments],
        sites=sites,
    )


def asked_roles(given: list[str]) -> frozenset[Role] | None:
    """Return the roles of a limit, None for none; INVALID_FIELD for one that is not known."""
    return require_roles(frozenset(given)) if given else None


def asked_scope(message: identity_pb2.Scope) -> Scope:
    """Return the scope of a limit that validation has passed."""
    return make_scope(
        (names.last_id(names.WATCHLIST, each) for each in message.watchlists),
        (names.last_id(names.DEPLOYMENT, each) for each in message.deployments),
        message.sites,
    )
