"""A bell that tells waiting streams that something was committed; it carries no content.

The writer rings it after COMMIT; whoever listens reads the database for what is new. A listener that misses a ring
loses nothing: it reads from its own position. Callbacks run on the writer's thread, so they only wake somebody
(``loop.call_soon_threadsafe(event.set)``) and never block.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Bell:
    """Wakes its subscribers; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0
        self._listeners: dict[int, Callable[[], None]] = {}

    def ring(self) -> None:
        """Call every subscriber once, in the order they came."""
        with self._lock:
            listeners = tuple(self._listeners.values())
        for listener in listeners:
            listener()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` at each ring from now on; returns the function that ends it (calling it twice is fine)."""
        with self._lock:
            token = self._next
            self._next += 1
            self._listeners[token] = callback

        def unsubscribe() -> None:
            with self._lock:
                self._listeners.pop(token, None)

        return unsubscribe
