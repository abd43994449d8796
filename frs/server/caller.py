"""Who is calling: set by the interceptor for the task that serves a request, read by the servicers."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import datetime

import grpc

from frs.access.actor import LOOPBACK, actor_of, read_certificate
from frs.errors import FrsError, Reason
from frs.types import Actor

_CALLER: ContextVar[Actor] = ContextVar("frs_caller")


def caller() -> Actor:
    """Return the actor of the request being served."""
    return _CALLER.get()


def set_caller(actor: Actor) -> None:
    """Set the actor for the rest of this task."""
    _CALLER.set(actor)


def identify(context: grpc.aio.ServicerContext[object, object], now: datetime, *, tls: bool) -> Actor:
    """Return who is at the other end of the connection, or raise UNAUTHENTICATED."""
    return actor_of(_certificate(context), now) if tls else LOOPBACK


def valid_until(context: grpc.aio.ServicerContext[object, object], *, tls: bool) -> datetime | None:
    """Return when the caller's certificate expires; None where TLS is off. Raises UNAUTHENTICATED."""
    return read_certificate(_certificate(context)).not_after if tls else None


def shown_certificate(context: grpc.aio.ServicerContext[object, object]) -> bytes:
    """Return the certificate that the connection carries, PEM, accepted or not; empty when there is none."""
    return b"".join(bytes(each) for each in context.auth_context().get("x509_pem_cert", ()))


def _certificate(context: grpc.aio.ServicerContext[object, object]) -> bytes:
    certificates = list(context.auth_context().get("x509_pem_cert", ()))
    if len(certificates) != 1:
        raise FrsError(Reason.UNAUTHENTICATED, "the connection carries no client certificate")
    return bytes(certificates[0])
