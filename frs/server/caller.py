"""Who is calling: recognised here and nowhere else, set for the task that serves a request, read by the servicers.

A bearer token (RFC 6750) in the call's metadata decides who acts; without one the connection's client certificate
does; on plaintext loopback, whoever can use this machine.
"""

from __future__ import annotations

from contextvars import ContextVar
from datetime import datetime
from typing import Protocol, TypeAlias

import grpc

from frs.access.actor import Identity, identity_of, loopback_identity
from frs.errors import FrsError, Reason
from frs.types import Actor

Context: TypeAlias = grpc.aio.ServicerContext[object, object]

AUTHORIZATION = "authorization"
_BEARER = "bearer "

_CALLER: ContextVar[Identity] = ContextVar("frs_caller")


class VerifiesTokens(Protocol):
    """Whatever turns a bearer token into an identity."""

    async def identify(self, token: str, now: datetime, certificate: bytes | None) -> Identity:
        """Return whom the token names, or raise TOKEN_INVALID, TOKEN_EXPIRED, ISSUER_UNAVAILABLE.

        ``certificate`` is the connection's, PEM, None where it has none: a token may be bound to it (RFC 8705).
        """
        ...


def caller() -> Actor:
    """Return the actor of the request being served."""
    return _CALLER.get().actor


def caller_identity() -> Identity:
    """Return the same with the period within which the credential holds."""
    return _CALLER.get()


def set_caller(identity: Identity) -> None:
    """Set who calls for the rest of this task."""
    _CALLER.set(identity)


async def identify(context: Context, now: datetime, *, tls: bool, tokens: VerifiesTokens | None = None) -> Identity:
    """Return who is at the other end, or raise UNAUTHENTICATED, TOKEN_* or ISSUER_UNAVAILABLE.

    A token is never passed over for the certificate: a call that carries one that is not accepted is refused.
    """
    token = _bearer_token(context)
    if token is not None:
        if tokens is None:
            raise FrsError(Reason.TOKEN_INVALID, "this service accepts no tokens: it has no identity provider")
        return await tokens.identify(token, now, shown_certificate(context) or None)
    return identity_of(_certificate(context), now) if tls else loopback_identity()


def shown_certificate(context: Context) -> bytes:
    """Return the certificate that the connection carries, PEM, accepted or not; empty when there is none."""
    return b"".join(bytes(each) for each in context.auth_context().get("x509_pem_cert", ()))


def _certificate(context: Context) -> bytes:
    certificates = list(context.auth_context().get("x509_pem_cert", ()))
    if len(certificates) != 1:
        raise FrsError(Reason.UNAUTHENTICATED, "the connection carries no client certificate")
    return bytes(certificates[0])


def _bearer_token(context: Context) -> str | None:
    given = [value for key, value in context.invocation_metadata() or () if key == AUTHORIZATION]
    if not given:
        return None
    header = given[0] if isinstance(given[0], str) else ""
    if len(given) != 1 or not header.lower().startswith(_BEARER):
        raise FrsError(Reason.UNAUTHENTICATED, "the call's authorization is not one bearer token")
    return header[len(_BEARER) :].strip()
