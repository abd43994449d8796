"""What a token that was verified says of a person: name, roles and scope, as ``access.*_claim`` find them.

Fails closed: a role that this version does not know is ignored and without any known one there is nobody; a scope that
cannot be understood, a misspelt limit above all, refuses the token instead of limiting nothing. A claim is named by its
key, or by a path of keys with dots between (``realm_access.roles``) where there is no such key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from frs.access.names import PATTERN, RESERVED
from frs.errors import FrsError, Reason
from frs.types import Role, Scope

MOST_IN_SCOPE = 100
_SCOPES = ("watchlists", "deployments", "sites")
_TOKEN_ID = re.compile(r"[A-Za-z0-9._~:-]{1,64}")
_MISSING = object()


def name_in(claims: Mapping[str, Any], claim: str) -> str:
    """Return the identity's name, or raise TOKEN_INVALID."""
    name = _claim(claims, claim)
    if not isinstance(name, str) or not PATTERN.fullmatch(name) or name.lower() in RESERVED:
        refuse("it does not carry one well-formed name")
    return name


def roles_in(claims: Mapping[str, Any], claim: str) -> frozenset[Role]:
    """Return the roles, from a list or from words with spaces between, or raise TOKEN_INVALID."""
    given = _claim(claims, claim)
    named = given.split() if isinstance(given, str) else given if isinstance(given, list) else []
    roles = frozenset(role for role in Role if str(role) in named)
    if not roles:
        refuse("it carries no role that this version knows")
    return roles


def scope_in(claims: Mapping[str, Any], claim: str) -> Scope:
    """Return the scope: what is not named has no limit, and an empty list lets nothing through."""
    given = _claim(claims, claim)
    if given is _MISSING or given is None:
        return Scope()
    if not isinstance(given, dict) or not given.keys() <= set(_SCOPES):
        refuse("its scope cannot be understood")
    watchlists, deployments, sites = (_limit(given[kind], kind) if kind in given else None for kind in _SCOPES)
    return Scope(watchlists, deployments, sites)


def id_in(claims: Mapping[str, Any], token: str) -> str:
    """Return what the token is known by in the log: its ``jti``, or a digest where it has none fit to be logged."""
    given = claims.get("jti")
    if isinstance(given, str) and _TOKEN_ID.fullmatch(given):
        return given
    return hashlib.sha256(token.encode()).hexdigest()[:32]


def refuse(why: str, reason: Reason = Reason.TOKEN_INVALID) -> NoReturn:
    """Raise the refusal of a token; ``why`` is one of a few fixed phrases, and quotes nothing of it."""
    raise FrsError(reason, f"the token is not accepted: {why}")


def _claim(claims: Mapping[str, Any], claim: str) -> Any:
    if claim in claims:
        return claims[claim]
    value: Any = claims
    for key in claim.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return _MISSING
        value = value[key]
    return value


def _limit(given: object, kind: str) -> frozenset[str]:
    if not isinstance(given, list) or len(given) > MOST_IN_SCOPE:
        refuse("its scope cannot be understood")
    if not all(isinstance(each, str) and 0 < len(each) <= 200 for each in given):
        refuse("its scope cannot be understood")
    # A resource's full name is taken as its id: "watchlists/night" and "night" are the same limit.
    return frozenset(each.removeprefix(f"{kind}/") if kind != "sites" else each for each in given)
