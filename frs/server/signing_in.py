"""Sign-ins at the edge: logged before the call that begins a session is served, once for calls that come together.

A call that takes power away (:data:`frs.access.limits.APART`) waits for no log: its sign-in is begun, and what it does
is an event of its own or fails.
"""

from __future__ import annotations

import asyncio

from frs.access.actor import Identity
from frs.access.limits import APART
from frs.access.sign_ins import SignIns
from frs.server.workers import Workers


class SigningIn:
    """For the event loop."""

    def __init__(self, sign_ins: SignIns, workers: Workers) -> None:
        """``workers`` are threads of their own: a sign-in never waits behind the requests of others."""
        self._sign_ins = sign_ins
        self._workers = workers
        self._under_way: dict[tuple[str, str], asyncio.Future[None]] = {}

    async def heed(self, identity: Identity, method: str) -> None:
        """Return when the session of this call has begun in the log. Raises LOG_UNAVAILABLE, OVERLOADED, STORAGE_*."""
        if self._sign_ins.going_on(identity):
            return
        writing = self._begin(identity)
        if method not in APART:
            await asyncio.shield(writing)  # the event is for every call that waits for it

    def _begin(self, identity: Identity) -> asyncio.Future[None]:
        key = (identity.actor.name, identity.actor.credential)
        writing = self._under_way.get(key)
        if writing is None:
            writing = asyncio.ensure_future(self._workers.run(self._sign_ins.sign_in, identity))
            self._under_way[key] = writing
            writing.add_done_callback(lambda done: self._done(key, done))
        return writing

    def _done(self, key: tuple[str, str], done: asyncio.Future[None]) -> None:
        del self._under_way[key]
        if not done.cancelled():
            done.exception()  # whoever waits is told; nobody may wait any more
