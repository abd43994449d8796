"""How a certificate carries a scope: a URI subject alternative name for each watchlist, deployment and site.

``urn:frs:scope:watchlist:ID``, ``urn:frs:scope:deployment:ID`` and ``urn:frs:scope:site:NAME``. A certificate without
one of a kind sets no limit of that kind. Whatever else begins with ``urn:frs:scope:`` is a limit that cannot be
understood: it refuses the certificate instead of limiting nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from frs.errors import FrsError, Reason
from frs.types import Scope

SCOPE_URI = "urn:frs:scope:"
MOST_IN_SCOPE = 100
"""Of each kind: a certificate stays small enough for every TLS library."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_SITE = re.compile(r"[a-z][a-z0-9-]{0,62}")
_KINDS = {"watchlist": _ID, "deployment": _ID, "site": _SITE}


def make_scope(watchlists: Iterable[str] = (), deployments: Iterable[str] = (), sites: Iterable[str] = ()) -> Scope:
    """Return the scope of these names, none of a kind for no limit; INVALID_FIELD for what is no name."""
    given = {"watchlist": frozenset(watchlists), "deployment": frozenset(deployments), "site": frozenset(sites)}
    for kind, named in given.items():
        if len(named) > MOST_IN_SCOPE:
            raise FrsError(Reason.INVALID_FIELD, f"a scope names at most {MOST_IN_SCOPE} of a kind", field=kind)
        if any(not _KINDS[kind].fullmatch(each) for each in named):
            raise FrsError(Reason.INVALID_FIELD, f"what the scope names is no {kind}", field=kind)
    return Scope(*(given[kind] or None for kind in _KINDS))


def scope_uris(scope: Scope) -> list[str]:
    """Return the URIs of a scope, sorted; none for one that limits nothing."""
    limits = zip(_KINDS, (scope.watchlists, scope.deployments, scope.sites), strict=True)
    return [f"{SCOPE_URI}{kind}:{each}" for kind, named in limits for each in sorted(named or ())]


def scope_of(uris: Iterable[str]) -> Scope | None:
    """Return the scope that URIs carry, among whatever others; None when one of them cannot be understood."""
    found: dict[str, set[str]] = {kind: set() for kind in _KINDS}
    for uri in uris:
        if not uri.startswith(SCOPE_URI):
            continue
        kind, _, name = uri.removeprefix(SCOPE_URI).partition(":")
        if kind not in _KINDS or not _KINDS[kind].fullmatch(name):
            return None
        found[kind].add(name)
    return Scope(*(frozenset(found[kind]) or None for kind in _KINDS))
