"""What falls due by itself: deployments that end, cases that nobody takes, what retention destroys, unneeded files."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from frs.errors import FrsError, place
from frs.match.deployments import Deployments
from frs.match.uploads import Uploads
from frs.retention.runs import RetentionRuns
from frs.review.cases import Cases
from frs.types import Actor

CASE_SECONDS = 1.0
DEPLOYMENT_SECONDS = 5.0
UPLOAD_SECONDS = 300.0
RETRY_SECONDS = 5.0

_log = structlog.get_logger()


class Upkeep:
    """A thread for each task, so that a long run of one keeps no other waiting; what failed is tried again soon."""

    def __init__(
        self,
        deployments: Deployments,
        uploads: Uploads,
        retention: RetentionRuns,
        retention_seconds: float,
        cases: Cases,
    ) -> None:
        """``retention_seconds`` lie between two runs of retention; the first is at once."""
        self._stop = threading.Event()
        self._failing: dict[str, str] = {}

        def run_retention() -> None:
            retention.run(Actor.system(), self._stop.is_set)

        tasks: dict[str, tuple[Callable[[], object], float]] = {
            "cases": (cases.look, CASE_SECONDS),
            "deployments": (deployments.close_due, DEPLOYMENT_SECONDS),
            "retention": (run_retention, retention_seconds),
            "uploads": (uploads.sweep, UPLOAD_SECONDS),
        }
        self._threads = [
            threading.Thread(target=self._run, args=(what, *task), name=f"frs-upkeep-{what}", daemon=True)
            for what, task in tasks.items()
        ]

    @property
    def fault(self) -> str:
        """What failed at the last look, for health; empty when nothing did."""
        for thread in self._threads:
            if thread.ident is not None and not thread.is_alive() and not self._stop.is_set():
                return f"the thread {thread.name} has ended"
        return ", ".join(f"{what}: {why}" for what, why in sorted(dict(self._failing).items()))

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop: a run of retention ends with the batch in hand."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, what: str, act: Callable[[], object], seconds: float) -> None:
        while True:
            self._try(what, act)
            if self._stop.wait(min(seconds, RETRY_SECONDS) if what in self._failing else seconds):
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
