"""What falls due by itself: deployments whose end time has come, uploads that nobody used."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from frs.errors import FrsError, place
from frs.match.deployments import Deployments
from frs.match.uploads import Uploads

DEPLOYMENT_SECONDS = 5.0
UPLOAD_SECONDS = 300.0

_log = structlog.get_logger()


class Upkeep:
    """One thread that looks every few seconds."""

    def __init__(self, deployments: Deployments, uploads: Uploads) -> None:
        self._deployments = deployments
        self._uploads = uploads
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="frs-upkeep", daemon=True)
        self._failing: dict[str, str] = {}

    @property
    def fault(self) -> str:
        """What failed at the last look, for health; empty when nothing did."""
        if self._thread.ident is not None and not self._thread.is_alive() and not self._stop.is_set():
            return "its thread has ended"
        return ", ".join(f"{what}: {why}" for what, why in dict(self._failing).items())

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        rounds = 0
        while True:
            self._try("deployments", self._deployments.close_due)
            if rounds % int(UPLOAD_SECONDS / DEPLOYMENT_SECONDS) == 0 or "uploads" in self._failing:
                self._try("uploads", self._uploads.expire)
            rounds += 1
            if self._stop.wait(DEPLOYMENT_SECONDS):
                return

    def _try(self, what: str, act: Callable[[], object]) -> None:
        try:
            act()
            self._failing.pop(what, None)
        except FrsError as error:  # tried again at the next look
            _log.error("upkeep failed", what=what, reason=str(error.reason), message=error.message)
            self._failing[what] = str(error.reason)
        except Exception as error:  # noqa: BLE001  # the last resort of the thread: what else falls due must not wait
            _log.error("upkeep failed", what=what, error=type(error).__name__, where=place(error))
            self._failing[what] = type(error).__name__
