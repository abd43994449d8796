"""The vault of an installation that is looked at from outside its service, where it can be opened.

Payloads are opened with the keyring, which one process holds at a time: beside a running server, or on the machine of
an auditor who has the database alone, a log is verified without them, and whoever asked is told so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from frs.audit.report import VerificationReport
from frs.clock import SystemClock
from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.store.key_custody import open_custody
from frs.store.keyring import Keyring
from frs.store.vault import Vault

_ELSEWHERE = {Reason.NOT_INITIALISED, Reason.KEY_MISSING, Reason.DATA_DIRECTORY_IN_USE, Reason.STORAGE_FAILED}
"""The keyring, or its key, is not to be had here and now. A wrong one (KEY_WRONG) is an error."""


@contextmanager
def vault_at_rest(settings: Settings) -> Iterator[tuple[Vault | None, str]]:
    """Give the vault, held while the block runs; or None, and why. No key is made or destroyed.

    Raises FrsError(KEY_WRONG) when the keyring does not open with its key-encryption key.
    """
    try:
        keyring = Keyring.open(settings.keyring_path, SystemClock(), custody=open_custody(settings))
    except OSError as error:
        why = f"{settings.keyring_path} cannot be read: {error.strerror}"
    except FrsError as error:
        if error.reason not in _ELSEWHERE:
            raise
        why = error.message
    else:
        try:
            yield Vault(keyring), ""
        finally:
            keyring.close()
        return
    yield None, why


def payloads_told(report: VerificationReport, why_not: str) -> str:
    """Say what was done with the payloads."""
    if why_not:
        return f"payloads were NOT opened: {why_not}"
    return f"{report.payloads_opened} payloads opened, {report.payloads_erased} erased"
