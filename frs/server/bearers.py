"""Bearer tokens at the edge: judged on the event loop while their key is known, and the issuer asked beside it.

What holds: one thread alone talks to the issuer, however many calls need it, and what they wait for is one and the
same answer. While the issuer is known to be down nobody whose key is known waits for it. The first who come when keys
are due do wait, so that a key that was withdrawn is not accepted for having been idle; and nobody waits longer than the
issuer's timeout, also where a name's resolution or a handshake hangs that no timeout of a socket ends.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

from frs.access.actor import Identity
from frs.access.tokens import TokenVerifier
from frs.errors import FrsError, Reason
from frs.server.workers import Workers


class Bearers:
    """Turns bearer tokens into identities; for the event loop."""

    def __init__(self, verifier: TokenVerifier, patience_seconds: float) -> None:
        """Make it; ``patience_seconds`` is how long a call waits for the issuer."""
        self._verifier = verifier
        self._patience = patience_seconds
        self._hanging = False
        self._workers = Workers("issuer", 1, 1)
        self._asking: asyncio.Future[None] | None = None

    @property
    def failure(self) -> FrsError | None:
        """Why the issuer could not be asked last; None when it could."""
        return _hanging() if self._hanging else self._verifier.keys.failure

    async def identify(self, token: str, now: datetime, certificate: bytes | None) -> Identity:
        """Return whom the token names, or raise TOKEN_INVALID, TOKEN_EXPIRED, ISSUER_UNAVAILABLE.

        ``certificate`` is the connection's, PEM, None where it has none: a token may be bound to it (RFC 8705).
        """
        keys = self._verifier.keys
        if keys.due:
            asking = self._ask()
            if keys.failure is None:
                await self._wait(asking)
        found = self._verifier.verify_known(token, now, certificate)
        if found is None and (self._asking is not None or keys.may_ask):
            await self._wait(self._ask())
            found = self._verifier.verify_known(token, now, certificate)
        if found is None:
            raise _hanging() if self._hanging else keys.missing()
        return found

    async def _wait(self, asking: asyncio.Future[None]) -> None:
        if not self._hanging:
            _, unfinished = await asyncio.wait({asking}, timeout=self._patience)
            self._hanging = bool(unfinished)

    def _ask(self) -> asyncio.Future[None]:
        if self._asking is None:
            self._asking = asyncio.ensure_future(self._workers.run(self._verifier.keys.refresh))
            self._asking.add_done_callback(self._asked)
        return self._asking

    def _asked(self, asked: asyncio.Future[None]) -> None:
        self._asking, self._hanging = None, False
        if not asked.cancelled():
            asked.exception()  # whoever waited was told; a background asking has nobody

    def close(self) -> None:
        """Wait for what is asked, at most the issuer's timeout."""
        self._workers.close()


def _hanging() -> FrsError:
    return FrsError(Reason.ISSUER_UNAVAILABLE, "the identity provider's keys cannot be had: it does not answer in time")
