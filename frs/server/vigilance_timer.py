"""Opens vigilance checks at their time, to the instant, and lets them grow old as alerts do.

A thread of its own: a check that entered the queue on the beat of a clock would be known by it.
"""

from __future__ import annotations

import threading
import time

import structlog

from frs.errors import FrsError, place
from frs.review.vigilance import Vigilance
from frs.review.vigilance_ageing import VigilanceAgeing

_RETRY_SECONDS = 5.0

_log = structlog.get_logger()


class VigilanceTimer:
    """The thread. What failed is tried again, or given up, by whom it calls."""

    def __init__(self, vigilance: Vigilance, ageing: VigilanceAgeing, ageing_seconds: float) -> None:
        """``ageing_seconds`` lie between two looks at how old checks are; the first is at once."""
        self._vigilance, self._ageing, self._ageing_seconds = vigilance, ageing, ageing_seconds
        self._wake, self._stopped = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="frs-vigilance", daemon=True)
        vigilance.on_due = self._wake.set

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop; checks that are due are forgotten."""
        self._stopped = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        aged_at = -self._ageing_seconds + time.monotonic()
        while not self._stopped:
            self._wake.clear()
            wait = _RETRY_SECONDS
            try:
                upcoming = self._vigilance.look()
                if time.monotonic() - aged_at >= self._ageing_seconds:
                    self._ageing.age()
                    aged_at = time.monotonic()
                wait = max(0.0, self._ageing_seconds - (time.monotonic() - aged_at))
                wait = wait if upcoming is None else min(wait, max(0.0, upcoming))
            except FrsError as error:
                _log.error("vigilance checks failed", reason=str(error.reason), message=error.message)
            except Exception as error:  # noqa: BLE001  # the last resort of the thread
                _log.error("vigilance checks failed", error=type(error).__name__, where=place(error))
            if not self._stopped:
                self._wake.wait(wait)
