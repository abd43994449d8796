"""Looks every second whether model, index, store, log and background work are well, for health and for /metrics."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable

import sqlalchemy as sa
import structlog

from frs.audit.witness_state import WitnessState
from frs.errors import FrsError, place
from frs.server.application import Application
from frs.server.health import Health
from frs.server.metrics import Figures
from frs.server.readiness import Part, Readiness
from frs.server.workers import Workers

EVERY_SECONDS = 1.0
PATIENCE_SECONDS = 10.0
_log = structlog.get_logger()
LEAST_FREE_BYTES = 32 * 1024 * 1024
"""Below it a commit may fail at any moment."""


def faults(application: Application, witness: WitnessState | None = None) -> dict[Part, str]:
    """Return what is wrong with each part; no names of people or lists in it. ``witness`` is how it stands with one.

    The model has been loaded and tried before the service listens, and its thread outlives every failing call.
    """
    found: dict[Part, str] = {}
    stale = len(application.galleries.stale())
    if application.rebuilt is None:
        found[Part.INDEX] = "the index is being rebuilt"
    elif stale:
        found[Part.INDEX] = f"{stale} watchlists do not agree with the database"
    try:
        with application.database.read() as connection:
            connection.execute(sa.text("SELECT 1"))
        free = shutil.disk_usage(application.settings.data_dir).free
        if free < LEAST_FREE_BYTES:
            found[Part.STORE] = f"only {free} bytes are free on the data volume"
    except (FrsError, OSError) as error:
        found[Part.STORE] = type(error).__name__ if isinstance(error, OSError) else str(error.reason)
    failure = application.audit.failure or application.checkpoint_failure or _refusal(witness)
    if failure is not None:
        found[Part.LOG] = str(failure.reason)
    background = {Part.JOBS: application.jobs.fault, Part.UPKEEP: application.upkeep_fault}
    found.update({part: fault for part, fault in background.items() if fault})
    return found


def _refusal(witness: WitnessState | None) -> FrsError | None:
    """Return why the witness, or the policy on it, forbids to serve; None when it does not or there is none."""
    return witness.refusal if witness is not None else None


def _warnings(witness: WitnessState | None) -> dict[str, str]:
    """Return what the service answers in spite of, and somebody must see to."""
    if witness is None or witness.failure is None:
        return {}
    lag = f"; the oldest of what waits for it has waited for {witness.lag_seconds:.0f} s" if witness.lag_seconds else ""
    return {"witness": f"{witness.failure.reason}{lag}"}


def figures(application: Application) -> Figures:
    """Return the rooms' figures for a scrape."""
    model, counts = application.engine.model, application.engine.counts()
    return Figures(
        provider=model.provider,
        model=model.id,
        batches=counts.batches,
        batched_faces=counts.faces,
        queued_faces=counts.waiting,
        refused_batches=counts.refused,
        index_templates=application.galleries.templates,
        index_bytes=application.galleries.nbytes,
        watchlists_indexed=len(application.galleries.watchlists()),
        log_events=application.audit.size(),
        rebuild_seconds=application.rebuilt.seconds if application.rebuilt else 0.0,
        witness=application.witness_state(),
        waiting=application.cases.waiting(),
    )


def _findings(application: Application) -> tuple[dict[Part, str], dict[str, str], FrsError | None]:
    witness = application.witness_state()
    found = faults(application, witness)
    if Part.STORE in found:
        return found, {}, None
    return found, _warnings(witness), _refusal(witness)


class Probe:
    """Keeps readiness and health up to date."""

    def __init__(
        self,
        application: Application,
        readiness: Readiness,
        health: Health,
        workers: Workers,
        notes: Callable[[], dict[str, str]] = dict,
    ) -> None:
        """Make the probe; ``notes`` returns what else the service answers in spite of, and somebody must see to."""
        self._application = application
        self._readiness = readiness
        self._health = health
        self._workers = workers
        self._notes = notes

    async def look(self) -> None:
        """Look once. A store that does not answer in time counts as not ready."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found, notes, refusal = await self._workers.run(_findings, self._application)
        except TimeoutError:
            found, notes, refusal = {Part.STORE: f"it has not answered for {PATIENCE_SECONDS:g} seconds"}, {}, None
        except FrsError as error:
            found, notes, refusal = {Part.STORE: str(error.reason)}, {}, None
        except Exception as error:  # noqa: BLE001  # the last resort of the task: without it health says for ever what was
            _log.error("the probe failed", error=type(error).__name__, where=place(error))
            found, notes, refusal = {Part.STORE: type(error).__name__}, {}, None
        self._readiness.observe(found, notes | self._notes(), refusal)
        await self._health.publish()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await self.look()
