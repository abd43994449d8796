"""How much one identity may ask for at once: requests, streams, bytes, and refusals.

Whoever holds a credential, a camera gone mad or somebody who took it, cannot take the service from the others or find
out by trying. Each limit is a token bucket (a sustained rate with a burst) or a count of what is under way, kept by the
identity's name whatever credential it shows, in constant memory. What takes power away (stopping a deployment,
withdrawing a person, limiting and revoking an identity) and health are counted apart, so that no flood of the same
identity's other calls holds them up.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from frs.errors import FrsError, Reason
from frs.settings import AccessSettings

MOST_IDENTITIES = 10_000
"""How many are remembered; an identity beyond it starts with full buckets, as after a minute of silence."""
APART = frozenset(
    {
        "/frs.v1.DeploymentService/StopDeployment",
        "/frs.v1.WatchlistService/WithdrawSubject",
        "/frs.v1.IdentityService/LimitIdentity",
        "/frs.v1.IdentityService/RevokeIdentity",
    }
)
STANDARD = "/grpc."
_MIB = 1024 * 1024
_ONE = 1 - 1e-6
"""One, as sums of fractions of seconds make it."""


class Bucket:
    """A token bucket: fills at ``rate`` a second up to ``capacity``, and may be overdrawn by one taking."""

    __slots__ = ("_at", "_capacity", "_level", "_rate")

    def __init__(self, rate: float, capacity: float, now: float) -> None:
        self._rate, self._capacity = rate, capacity
        self._level, self._at = capacity, now

    def wait(self, now: float) -> float:
        """Return the seconds until there is one to take; 0 when there is."""
        self._fill(now)
        return 0.0 if self._level >= _ONE else (1 - self._level) / self._rate

    def debt(self, now: float) -> float:
        """Return the seconds until what was overdrawn is paid back."""
        self._fill(now)
        return max(0.0, -self._level / self._rate)

    def take(self, amount: float, now: float) -> None:
        """Take, whatever there is."""
        self._fill(now)
        self._level -= amount

    def _fill(self, now: float) -> None:
        self._level = min(self._capacity, self._level + max(0.0, now - self._at) * self._rate)
        self._at = now


@dataclass(slots=True)
class _Use:
    """What one identity uses now."""

    requests: Bucket
    sent: Bucket
    refusals: Bucket
    under_way: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})
    """Calls under way: unary ones under False, streams under True."""


class Quotas:
    """The limits of all identities. For one thread: the event loop's."""

    def __init__(self, settings: AccessSettings, seconds: Callable[[], float] = time.monotonic) -> None:
        """``seconds`` is a monotonic clock."""
        self._settings = settings
        self._seconds = seconds
        self._uses: OrderedDict[tuple[str, str], _Use] = OrderedDict()

    def open(self, identity: str, method: str, *, stream: bool) -> Quota:
        """Count a call of an identity, or raise RATE_LIMITED with ``retry_seconds``; :meth:`Quota.close` ends it."""
        use, now, settings = self._use(identity, method), self._seconds(), self._settings
        if (wait := use.refusals.wait(now)) > 0:
            raise _limited("the identity was refused too often", wait)
        if (wait := use.requests.wait(now)) > 0:
            raise _limited("the identity asks more often than one may", wait)
        if use.under_way[stream] >= (settings.concurrent_streams if stream else settings.concurrent_requests):
            what = "streams are open" if stream else "requests are under way"
            raise _limited(f"as many {what} as one identity may have", 1.0)
        use.requests.take(1, now)
        use.under_way[stream] += 1
        return Quota(use, self._seconds, stream=stream)

    def _use(self, identity: str, method: str) -> _Use:
        part = "apart" if method in APART else "standard" if method.startswith(STANDARD) else ""
        key = (identity, part)
        use = self._uses.get(key)
        if use is None:
            now, settings = self._seconds(), self._settings
            rate = settings.mib_per_second * _MIB
            use = self._uses[key] = _Use(
                Bucket(settings.requests_per_second, settings.request_burst, now),
                Bucket(rate, rate, now),
                Bucket(settings.refusals_per_minute / 60, settings.refusals_per_minute, now),
            )
        self._uses.move_to_end(key)
        self._forget()
        return use

    def _forget(self) -> None:
        while len(self._uses) > MOST_IDENTITIES:
            # What is under way holds on to its own counts; only the buckets of the longest silent start anew.
            self._uses.popitem(last=False)


class Quota:
    """One call that is counted."""

    __slots__ = ("_closed", "_seconds", "_stream", "_use")

    def __init__(self, use: _Use, seconds: Callable[[], float], *, stream: bool) -> None:
        self._use, self._seconds, self._stream = use, seconds, stream
        self._closed = False

    def sent(self, size: int) -> float:
        """Count bytes that were sent; returns the seconds for which a stream takes no more.

        A request that comes while the identity's bytes are used up raises RATE_LIMITED.
        """
        now = self._seconds()
        if not self._stream and (wait := self._use.sent.debt(now)) > 0:
            raise _limited("the identity sends more bytes than one may", wait)
        self._use.sent.take(size, now)
        return self._use.sent.debt(now)

    def refused(self) -> None:
        """Count a refusal: what may not be done, or what is not there for this identity."""
        self._use.refusals.take(1, self._seconds())

    def close(self) -> None:
        """End the call. Again is harmless."""
        if not self._closed:
            self._closed = True
            self._use.under_way[self._stream] -= 1


def _limited(why: str, wait: float) -> FrsError:
    seconds = f"{max(math.ceil(wait * 10), 1) / 10:.1f}"
    return FrsError(Reason.RATE_LIMITED, f"wait for {seconds} s: {why}", retry_seconds=seconds)
