"""Who is told that the log has grown."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from frs.errors import place

_log = structlog.get_logger("frs.audit")


class Listeners:
    """Callbacks, called one after the other. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._callbacks: tuple[Callable[[], None], ...] = ()

    def add(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have ``callback`` called from now on; return what takes it off again."""
        with self._changing:
            self._callbacks = (*self._callbacks, callback)

        def take_off() -> None:
            with self._changing:
                self._callbacks = tuple(other for other in self._callbacks if other is not callback)

        return take_off

    def call(self) -> None:
        """Call them all; what one raises is written to the service's log and keeps no other waiting."""
        for callback in self._callbacks:
            try:
                callback()
            except Exception as error:  # noqa: BLE001  # the act has happened; its caller has no part in this
                _log.error("listener of the log failed", error=type(error).__name__, where=place(error))
