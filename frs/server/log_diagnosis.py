"""What ``frs doctor`` finds of the log: one pass over it, with every payload opened where the keyring can be."""

from __future__ import annotations

from frs.audit.checkpoints import kept_apart
from frs.audit.inspection import verify_database
from frs.audit.report import VerificationReport
from frs.errors import FrsError, Reason
from frs.server.findings import Finding, Verdict
from frs.server.folders import require_initialised, vkey_file
from frs.server.payloads_at_rest import payloads_told, vault_at_rest
from frs.settings import Settings
from frs.store.database import inspect_database
from frs.store.vault import Vault


def diagnose_log(settings: Settings) -> list[Finding]:
    """Verify the log and compare every payload with its leaf.

    Raises FrsError: NOT_INITIALISED, STORAGE_FAILED; LOG_INCONSISTENT with the first problem that was found.
    """
    require_initialised(settings)
    try:
        with vault_at_rest(settings) as (vault, why_not):
            report = _verify(settings, vault)
    except FrsError as error:
        if error.reason is not Reason.KEY_WRONG:
            raise
        # The log verifies without its payloads, and what keeps them shut is told beside it.
        report = _verify(settings, None)
        wrong = Finding("payloads", Verdict.WRONG, error.message, error.advice, {"reason": str(error.reason)})
        return [_verified(report), wrong]
    return [_verified(report), _payloads(report, why_not)]


def _verify(settings: Settings, vault: Vault | None) -> VerificationReport:
    vkey = vkey_file(settings).read_text().strip()
    apart = kept_apart(settings.keyring_path)
    with inspect_database(settings) as connection:
        report = verify_database(connection, vkey, vault, apart=apart)
    if report.problems:
        raise FrsError(Reason.LOG_INCONSISTENT, report.problems[0].message)
    return report


def _verified(report: VerificationReport) -> Finding:
    text = f"{report.events} events verify against {report.checkpoints} signed checkpoints"
    return Finding("log", Verdict.WELL, text, details={"events": report.events, "checkpoints": report.checkpoints})


def _payloads(report: VerificationReport, why_not: str) -> Finding:
    told = payloads_told(report, why_not)
    if why_not:
        advice = "Stop the server, where one runs; or open single events with `frs audit show N`."
        return Finding("payloads", Verdict.NOTE, told, advice)
    details = {"opened": report.payloads_opened, "erased": report.payloads_erased}
    return Finding("payloads", Verdict.WELL, told, details={**details})
