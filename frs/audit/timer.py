"""Signs a checkpoint every few seconds while the log grows, and once more at the end."""

from __future__ import annotations

import threading

import structlog

from frs.audit.log import AuditLog
from frs.errors import FrsError, Reason, place

_log = structlog.get_logger("frs.audit")


class CheckpointTimer:
    """The thread that keeps the log signed."""

    def __init__(self, log: AuditLog, seconds: float) -> None:
        self._audit = log
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="frs-checkpoints", daemon=True)
        self.failure: FrsError | None = None
        """Why the last attempt failed; None when it did not. It is tried again."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop, and sign what the log holds. Raises FrsError when that fails."""
        if self._thread.ident is not None:
            self._stop.set()
            self._thread.join()
        self._audit.checkpoint()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                self._audit.checkpoint()
                self.failure = None
            except FrsError as error:
                if self.failure is None:
                    _log.error("checkpoint failed", reason=str(error.reason), message=error.message)
                self.failure = error
            except Exception as error:  # noqa: BLE001  # the last resort of the thread: without it nothing is signed
                if self.failure is None:
                    _log.error("checkpoint failed", error=type(error).__name__, where=place(error))
                self.failure = FrsError(Reason.INTERNAL, f"The log could not be signed ({type(error).__name__}).")
