"""Whether a credential that was recognised is accepted, and what is left of what it grants.

A credential grants at most what it says. The authority's revocations and the registry of identities narrow it or end
it, and both may change while a call is under way, so whoever keeps a stream open asks again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from frs.access.actor import Identity
from frs.access.methods import METHODS
from frs.access.registry import Identities
from frs.access.trust import Trust
from frs.errors import FrsError, Reason
from frs.types import Actor

_SHOWS_BY_ROLE = "/frs.v1.OversightService/"
"""What its streams show depends on every role (:mod:`frs.access.payloads`)."""


class Admission:
    """Judges credentials; thread-safe."""

    def __init__(self, identities: Identities | None = None, trust: Callable[[], Trust | None] = lambda: None) -> None:
        """``trust`` returns the authorities and revocations of this instant; None where no certificates are used."""
        self._identities = identities
        self._trust = trust

    def admit(self, granted: Identity, certificate: bytes | None, now: datetime) -> Identity:
        """Return what holds of ``granted``, or raise UNAUTHENTICATED or IDENTITY_REVOKED.

        ``certificate`` is the connection's, PEM, None where it carries none. It must be one to trust also where a token
        says who acts.
        """
        trust = self._trust()
        if certificate is not None and trust is not None:
            trust.require(certificate, now)
        if now >= granted.not_after:
            raise FrsError(Reason.UNAUTHENTICATED, "the credential is not accepted: it has expired")
        return granted if self._identities is None else self._identities.narrowed(granted)

    def require_still(
        self, opened: Actor, method: str, granted: Identity, certificate: bytes | None, now: datetime
    ) -> None:
        """Raise unless a stream of ``method`` that was opened as ``opened`` may go on.

        UNAUTHENTICATED or IDENTITY_REVOKED as :meth:`admit`; PERMISSION_DENIED when a role that the stream may rest on
        was taken away, or the scope is not what it was any more. Whoever may still call can call again.
        """
        actor = self.admit(granted, certificate, now).actor
        lost = opened.roles - actor.roles
        needed = opened.roles if method.startswith(_SHOWS_BY_ROLE) else METHODS.get(method, frozenset())
        if lost & needed:
            raise FrsError(Reason.PERMISSION_DENIED, "a role was taken away during the call")
        if actor.scope != opened.scope and not actor.scope.unlimited:
            raise FrsError(Reason.PERMISSION_DENIED, "the scope was changed during the call")
