"""Sign-ins: the first call of a credential, and the first after a pause, are events of the log.

Certificates have no session, so one is counted: a credential that was not used for ``session_seconds`` signs in anew.
The event is durable before the call is served; a call whose sign-in cannot be logged is refused. What is remembered is
bounded, and what is forgotten is logged once more.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from frs.access.actor import Identity
from frs.access.registry import Identities, scope_json
from frs.types import Json

_MOST_REMEMBERED = 10_000


class SignIns:
    """Who has signed in; thread-safe."""

    def __init__(
        self, identities: Identities, session_seconds: float, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        """``seconds`` is a monotonic clock: a clock that is set back ends no session and begins none."""
        self._identities = identities
        self._session = session_seconds
        self._seconds = seconds
        self._lock = threading.Lock()
        self._used: OrderedDict[tuple[str, str], float] = OrderedDict()  # least recently used first

    def going_on(self, identity: Identity) -> bool:
        """Return whether the credential's session goes on, and note its use if it does."""
        key, now = _key(identity), self._seconds()
        with self._lock:
            at = self._used.get(key)
            if at is None or now - at >= self._session:
                return False
            self._note(key, now)
        return True

    def sign_in(self, identity: Identity) -> None:
        """Log that a session begins. Raises LOG_UNAVAILABLE or what the storage raises; it has not begun then."""
        actor = identity.actor
        said: dict[str, Json] = {
            "credential": actor.credential,
            "valid_from": identity.not_before.isoformat() if identity.ends else None,
            "valid_until": identity.not_after.isoformat() if identity.ends else None,
            "roles": [str(role) for role in sorted(actor.roles)],
            "scope": scope_json(actor.scope),
            "other_credentials_in_use": self._others(identity),
            "session_seconds": self._session,
        }
        self._identities.signed_in(actor, said)
        with self._lock:
            self._note(_key(identity), self._seconds())

    def _others(self, identity: Identity) -> int:
        """Return how many other credentials of the name are in use."""
        own, now, found = _key(identity), self._seconds(), 0
        with self._lock:
            for key, at in reversed(self._used.items()):
                if now - at >= self._session:
                    break
                found += key[0] == own[0] and key != own
        return found

    def _note(self, key: tuple[str, str], now: float) -> None:
        self._used[key] = now
        self._used.move_to_end(key)
        while len(self._used) > _MOST_REMEMBERED:
            self._used.popitem(last=False)


def _key(identity: Identity) -> tuple[str, str]:
    return identity.actor.name, identity.actor.credential
