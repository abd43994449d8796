"""Which names an identity may carry: they become a certificate's common name, a file's name and an event's actor."""

from __future__ import annotations

import re

from frs.errors import FrsError, Reason
from frs.types import Role

PATTERN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,62}[A-Za-z0-9])?")
"""1 to 64 characters (X.509's limit for a common name); begins and ends with a letter or digit."""

RESERVED = frozenset({"ca", "server", "loopback", "frs-system", "unauthenticated"})
"""Names that files of the authority or the service itself bear."""

ROLE_URI = "urn:frs:role:"
"""A certificate carries each role as a URI subject alternative name, ``urn:frs:role:<role>``."""


def require_name(name: str) -> str:
    """Return ``name`` when an identity may bear it, else raise INVALID_FIELD."""
    if not PATTERN.fullmatch(name):
        raise FrsError(
            Reason.INVALID_FIELD,
            "an identity's name has 1 to 64 letters, digits, '.', '_', '@' or '-', "
            "and begins and ends with a letter or digit",
            field="name",
        )
    if name.lower() in RESERVED:
        raise FrsError(Reason.INVALID_FIELD, f"the name {name!r} is reserved for the service", field="name")
    return name


def require_roles(roles: frozenset[str]) -> frozenset[Role]:
    """Return the roles named, at least one, else raise INVALID_FIELD with the ones there are."""
    known = {str(role) for role in Role}
    unknown = sorted(roles - known)
    if unknown or not roles:
        what = f"there is no role {unknown[0]!r}" if unknown else "an identity needs at least one role"
        raise FrsError(Reason.INVALID_FIELD, f"{what}; roles: {', '.join(sorted(known))}", field="role")
    return frozenset(Role(role) for role in roles)
