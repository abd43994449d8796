"""The limits of an identity at the edge: each call is counted, requests are refused and streams slowed down.

A stream that sends too much is not read for a while, so that its client is held back by flow control and nothing of it
piles up here. Calls refused for want of a right, and calls for what is not there, count as refusals: an answer tells
nothing about what exists, and trying many is slow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from frs.access.limits import Quota, Quotas
from frs.errors import FrsError, Status

_REFUSALS = frozenset({Status.PERMISSION_DENIED, Status.UNAUTHENTICATED, Status.NOT_FOUND})


class CountedCall:
    """A call under way; without a quota nothing is limited."""

    __slots__ = ("_quota",)

    def __init__(self, quota: Quota | None) -> None:
        self._quota = quota

    def take(self, data: bytes) -> None:
        """Count a request's bytes; RATE_LIMITED when the identity has sent too many."""
        if self._quota is not None:
            self._quota.sent(len(data))

    async def take_slowly(self, data: bytes) -> None:
        """Count the bytes of a stream's message, and return when the next may be read."""
        if self._quota is not None and (pause := self._quota.sent(len(data))) > 0:
            await asyncio.sleep(pause)


@contextmanager
def counted(quotas: Quotas | None, identity: str, method: str, *, stream: bool) -> Iterator[CountedCall]:
    """Count a call while it lasts, and whether it was refused; RATE_LIMITED when there are too many."""
    if quotas is None:
        yield CountedCall(None)
        return
    quota = quotas.open(identity, method, stream=stream)
    try:
        yield CountedCall(quota)
    except FrsError as error:
        if error.status in _REFUSALS:
            quota.refused()
        raise
    finally:
        quota.close()
