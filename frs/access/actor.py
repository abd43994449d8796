"""From a verified client certificate (RFC 5280) to the :class:`~frs.types.Actor` who acts.

TLS has already checked that the certificate was signed by this installation's authority; this module reads the name,
roles and scope that it carries, and checks its period of validity again: a connection may outlive a certificate.
Whatever the bytes hold, the answer is an actor or :class:`FrsError` with UNAUTHENTICATED: never another exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from cryptography import x509
from cryptography.x509.oid import NameOID

from frs.access.names import PATTERN, RESERVED, ROLE_URI
from frs.access.scope_uris import scope_of
from frs.errors import FrsError, Reason
from frs.types import Actor, Role

LOOPBACK = Actor("loopback", frozenset(Role), "loopback")
"""Who acts where TLS is off, which is accepted on loopback only: whoever can use this machine."""

MAX_CERTIFICATE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Identity:
    """What a credential (a certificate or a token) says: who, with which roles and scope, from when until when."""

    actor: Actor
    not_before: datetime
    not_after: datetime

    @property
    def ends(self) -> bool:
        """Whether it ends at all: a credential does, whoever can use this machine does not."""
        return self.not_after < _EVER.not_after


_EVER = Identity(LOOPBACK, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def _refuse(why: str) -> FrsError:
    return FrsError(Reason.UNAUTHENTICATED, f"the client certificate is not accepted: {why}")


@lru_cache(maxsize=1024)
def read_certificate(pem: bytes) -> Identity:
    """Read a PEM certificate. Roles this version does not know are ignored; without any known one it is refused."""
    if len(pem) > MAX_CERTIFICATE_BYTES:
        raise _refuse("it is too large")
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        names = [str(item.value) for item in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = alternatives.get_values_for_type(x509.UniformResourceIdentifier)
        serial = certificate.serial_number
        not_before, not_after = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except x509.ExtensionNotFound:
        raise _refuse("it carries no roles") from None
    except Exception:  # noqa: BLE001  # hostile bytes: the parser's exceptions are many, and the answer is one
        raise _refuse("it cannot be read") from None
    if len(names) != 1 or not PATTERN.fullmatch(names[0]) or names[0].lower() in RESERVED:
        raise _refuse("it does not carry one well-formed common name")
    claimed = {uri.removeprefix(ROLE_URI) for uri in uris if uri.startswith(ROLE_URI)}
    roles = frozenset(role for role in Role if str(role) in claimed)
    if not roles:
        raise _refuse("it carries no role that this version knows")
    scope = scope_of(uris)
    if scope is None:
        raise _refuse("it carries a scope that this version does not know")
    return Identity(Actor(names[0], roles, f"certificate:{serial:x}", scope), not_before, not_after)


def loopback_identity() -> Identity:
    """Return who acts where TLS is off; it never ends."""
    return _EVER


def identity_of(pem: bytes, now: datetime) -> Identity:
    """Return who the certificate's holder is at this instant, or raise UNAUTHENTICATED."""
    identity = read_certificate(pem)
    if now < identity.not_before:
        raise _refuse("its period has not begun")
    if now >= identity.not_after:
        raise _refuse("it has expired")
    return identity


def actor_of(pem: bytes, now: datetime) -> Actor:
    """Return the actor of :func:`identity_of`."""
    return identity_of(pem, now).actor
