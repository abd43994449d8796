"""Verification before anything is served: a log that was rewritten while nobody looked is not added to.

The whole log is read, payloads left sealed: some 40 seconds for a million events. What the witness and the keyring's
checkpoint tell is told before, at once; this finds the row that was changed.
"""

from __future__ import annotations

import time

import structlog

from frs.audit.inspection import verify_database
from frs.audit.log import AuditLog
from frs.audit.report import VerificationReport
from frs.errors import FrsError, Reason
from frs.store.database import Database
from frs.store.vault import Vault

TELL_SECONDS = 3.0
_log = structlog.get_logger("frs.audit")


def verify_at_start(database: Database, log: AuditLog, vault: Vault) -> VerificationReport:
    """Verify the whole log, telling the service's log how far it is.

    Raises FrsError(LOG_INCONSISTENT) that names the first event concerned, where it can be told, and says what to do.
    """
    began = told = time.monotonic()

    def progress(done: int, events: int) -> None:
        nonlocal told
        if (now := time.monotonic()) - told >= TELL_SECONDS:
            told = now
            _log.info("verifying the log", events=done, of=events)

    with database.read() as connection:
        report = verify_database(connection, log.vkey, vault, progress, open_payloads=False)
    if not report.verified:
        raise _refusal(report)
    seconds = round(time.monotonic() - began, 3)
    _log.info("log verified", events=report.events, checkpoints=report.checkpoints, seconds=seconds)
    return report


def _refusal(report: VerificationReport) -> FrsError:
    first, named = report.first_event, {}
    problem = next(problem for problem in report.problems if problem.event == first)
    more = len(report.problems) - 1
    if first is not None:
        named["event"] = str(first)
    return FrsError(
        Reason.LOG_INCONSISTENT,
        f"{problem.message} {f'{more} more problems were found. ' if more else ''}Nothing is served from this data. "
        f"Keep a copy of it as evidence; `frs audit verify --offline` names every problem, and `frs restore` brings "
        f"back a backup.",
        **named,
    )
