"""Resource names (AIP-122): ``watchlists/night/subjects/7f…``. The edge speaks names, the rooms speak bare ids.

A pattern is a name with ``*`` for each id. An id is 1 to 64 letters, digits, '.', '_', '@' or '-'; whether it exists is
for the room to say.
"""

from __future__ import annotations

import re
from functools import lru_cache

from frs.errors import FrsError, Reason

WATCHLIST = "watchlists/*"
SUBJECT = "watchlists/*/subjects/*"
IMAGE = "watchlists/*/subjects/*/images/*"
DEPLOYMENT = "deployments/*"
ALERT = "alerts/*"
UPLOAD = "uploads/*"
JOB = "jobs/*"
SEARCH = "searches/*"
EVENT = "events/*"
HOLD = "holds/*"
ERASURE = "erasures/*"
CASE = "cases/*"
ASSIGNMENT = "assignments/*"
PAIR = "pairs/*"
IDENTITY = "identities/*"

_ID = r"([A-Za-z0-9][A-Za-z0-9._@-]{0,63})"


@lru_cache(maxsize=64)
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile("/".join(_ID if part == "*" else re.escape(part) for part in pattern.split("/")))


def matches(pattern: str, name: str) -> bool:
    """Return whether ``name`` has the form of ``pattern``."""
    return _expression(pattern).fullmatch(name) is not None


def ids(pattern: str, name: str) -> tuple[str, ...]:
    """Return the ids in ``name``, outermost first; INVALID_FIELD when it has another form."""
    match = _expression(pattern).fullmatch(name)
    if match is None:
        raise FrsError(Reason.INVALID_FIELD, f"a name has the form {pattern}", field="name")
    return match.groups()


def last_id(pattern: str, name: str) -> str:
    """Return the innermost id of ``name``."""
    return ids(pattern, name)[-1]


def optional_id(pattern: str, name: str) -> str | None:
    """Return the innermost id, or None for an empty name."""
    return last_id(pattern, name) if name else None


def make(pattern: str, *given: str) -> str:
    """Return the name of a pattern with these ids, outermost first."""
    parts = iter(given)
    return "/".join(next(parts) if part == "*" else part for part in pattern.split("/"))
