"""A readers-writer lock: many searches at once, changes alone, and a waiting change goes before new searches.

A withdrawal must not wait for ever behind a stream of searches, so writers are preferred. Not reentrant.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Hands out turns to search together or to change alone."""

    def __init__(self) -> None:
        self._state = threading.Condition()
        self._searching = 0
        self._changing = False
        self._waiting = 0

    @contextmanager
    def searching(self) -> Iterator[None]:
        """Hold a turn that others may share."""
        with self._state:
            self._state.wait_for(lambda: not self._changing and not self._waiting)
            self._searching += 1
        try:
            yield
        finally:
            with self._state:
                self._searching -= 1
                self._state.notify_all()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the only turn."""
        with self._state:
            self._waiting += 1
            try:
                self._state.wait_for(lambda: not self._changing and not self._searching)
                self._changing = True
            finally:
                self._waiting -= 1
                self._state.notify_all()
        try:
            yield
        finally:
            with self._state:
                self._changing = False
                self._state.notify_all()
