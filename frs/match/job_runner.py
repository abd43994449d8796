"""The thread that works on jobs: one at a time, the oldest first, one that a stop interrupted before all others.

It takes its work from the database, so nothing is lost with the process: what was committed of a job stays, and the
rest is searched when the service is back. One medium that cannot be searched fails with its reason and the others go
on. What passes by itself (a full disk, an index being rebuilt, a recogniser at its limit) is waited for: the job
stays running until it can go on, is cancelled, or its authorisation ends.
"""

from __future__ import annotations

import threading
import time

import structlog

from frs.errors import FrsError, Reason, place
from frs.match.bell import Bell
from frs.match.job_ledger import JobLedger, JobOverError, Stretch
from frs.match.job_records import ItemProgress, ItemState, Job, JobItem
from frs.match.media_search import MediaSearch

RETRY_SECONDS = 5.0
"""How long the runner waits for what passes by itself."""
RING_SECONDS = 0.5
"""How often, at most, progress rings the bell."""

_PASSES = frozenset(
    {
        Reason.OVERLOADED,
        Reason.INDEX_UNAVAILABLE,
        Reason.LOG_UNAVAILABLE,
        Reason.STORAGE_FULL,
        Reason.STORAGE_FAILED,
    }
)


class StoppedError(Exception):
    """The service is closing: the medium at work is left as it was committed last."""


class JobRunner:
    """Works on jobs from :meth:`start` to :meth:`close`."""

    def __init__(self, ledger: JobLedger, media: MediaSearch, bell: Bell) -> None:
        self._ledger, self._media, self._bell = ledger, media, bell
        self._thread = threading.Thread(target=self._run, name="frs-jobs", daemon=True)
        self._signal = threading.Condition()  # guards all below
        self._stopping = False
        self._woken = False
        self._held = False
        self._job: str | None = None
        self._cancelled = False
        self._progress: dict[str, ItemProgress] = {}
        self._rung = 0.0
        self._failing = ""

    @property
    def fault(self) -> str:
        """Why no job is being worked on although one could be, for health; empty when all is well."""
        if self._thread.ident is not None and not self._thread.is_alive() and not self._stopping:
            return "its thread has ended"
        return self._failing

    def start(self) -> None:
        """Begin, with what an earlier process left."""
        self._thread.start()

    def close(self) -> None:
        """Stop between two frames and wait for that; nothing committed is lost."""
        with self._signal:
            self._stopping = True
            self._signal.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def wake(self) -> None:
        """Say that there may be something to do."""
        with self._signal:
            self._woken = True
            self._signal.notify_all()

    def hold(self, held: bool) -> None:
        """Search nothing while ``held``: between two frames the job at work waits; it goes on where it was."""
        with self._signal:
            if self._held is not held:
                self._held = held
                self._signal.notify_all()

    def cancel(self, job_id: str) -> None:
        """Let go of a job that was cancelled, if it is the one at work."""
        with self._signal:
            if self._job == job_id:
                self._cancelled = True
                self._signal.notify_all()

    def progress(self) -> dict[str, ItemProgress]:
        """Return how far the media at work are, by job."""
        with self._signal:
            return dict(self._progress)

    # --- the pulse of a search ---

    def beat(self, share: float, frames: int, faces: int) -> None:
        """Note progress, and wait while work is held.

        Raises StoppedError when the service closes, JobOverError when the job was cancelled.
        """
        with self._signal:
            self._wait_while_held()
            self._check()
            assert self._job is not None
            position = self._progress[self._job].position
            self._progress[self._job] = ItemProgress(position, min(max(share, 0.0), 1.0), frames, faces)
            ring = time.monotonic() - self._rung >= RING_SECONDS
            if ring:
                self._rung = time.monotonic()
        if ring:
            self._bell.ring()

    def pause(self, seconds: float) -> None:
        """Wait. Raises as :meth:`beat`."""
        with self._signal:
            self._check()
            self._signal.wait(seconds)
            self._check()

    # --- inside ---

    def _check(self) -> None:
        if self._stopping:
            raise StoppedError
        if self._cancelled:
            raise JobOverError

    def _wait_while_held(self) -> None:
        self._signal.wait_for(lambda: not self._held or self._stopping or self._cancelled)

    def _run(self) -> None:
        while True:
            try:
                self._turn()
                continue
            except StoppedError:
                return
            except FrsError as error:
                if error.reason is Reason.SHUTTING_DOWN:
                    return
                structlog.get_logger().warning("jobs wait", reason=error.reason, message=error.message)
            except Exception as error:  # noqa: BLE001  # the last resort of the thread: without it no job is ever worked on
                structlog.get_logger().error("jobs wait", error=type(error).__name__, where=place(error))
                self._failing = type(error).__name__
            try:
                self.pause(RETRY_SECONDS)
            except StoppedError:
                return

    def _turn(self) -> None:
        """Work on the next job, or wait until there may be one."""
        job = self._ledger.next_open()
        self._failing = ""
        if job is None:
            self._idle()
        else:
            self._work(job)

    def _idle(self) -> None:
        with self._signal:
            self._check()
            self._signal.wait_for(lambda: self._woken or self._stopping)
            self._woken = False
            self._check()

    def _work(self, job: Job) -> None:
        with self._signal:
            self._cancelled = False
            self._wait_while_held()
            self._check()
            self._job = job.id
        try:
            self._ledger.begin(job.id)
            for item in job.items:
                if not item.settled:
                    self._search(job, item)
            self._ledger.finish(job.id)
        except JobOverError:
            pass  # cancelled: the ledger has closed it
        finally:
            with self._signal:
                self._job, self._cancelled = None, False
                self._progress.pop(job.id, None)

    def _search(self, job: Job, item: JobItem) -> None:
        with self._signal:
            self._wait_while_held()
            self._check()
            self._progress[job.id] = ItemProgress(item.position, 0.0, item.frames, item.faces)
        try:
            self._media.search(job, item, self)
        except FrsError as error:
            if error.reason in _PASSES or error.reason is Reason.SHUTTING_DOWN:
                raise
            self._fail(job, item, error)
        except (StoppedError, JobOverError):
            raise
        except Exception as error:  # noqa: BLE001  # a defect met on one medium must not stop the others: it fails with it
            structlog.get_logger().error(
                "a medium could not be searched",
                job=job.id,
                item=item.position,
                error=type(error).__name__,
                where=place(error),
            )
            self._fail(job, item, FrsError(Reason.INTERNAL, f"The search met a defect ({type(error).__name__})."))

    def _fail(self, job: Job, item: JobItem, error: FrsError) -> None:
        """Record why a medium could not be searched; what was committed of it stays."""
        current = self._ledger.item(job.id, item.position)
        stretch = Stretch((), current.frames, current.faces, current.reached_ms, ItemState.FAILED, error=error)
        self._ledger.settle(job.id, item.position, stretch)
