"""The witness that the settings name."""

from __future__ import annotations

from pathlib import Path

from frs.audit.witness_client import WitnessClient
from frs.errors import FrsError, Reason
from frs.settings import AuditSettings


def make_client(settings: AuditSettings) -> WitnessClient | None:
    """Return a client of the witness of the settings, or None without one.

    Raises FrsError: SETTINGS_INVALID, WITNESS_UNTRUSTED when ``audit.witness_vkey`` is no key.
    """
    if not settings.witness_url:
        return None
    vkey = settings.witness_vkey
    if not vkey:
        message = "audit.witness_vkey: the witness's verifier key must be set beside its address."
        raise FrsError(Reason.SETTINGS_INVALID, message, setting="audit.witness_vkey")
    if "+" not in vkey:
        try:
            vkey = Path(vkey).read_text()
        except (OSError, UnicodeDecodeError, ValueError) as error:
            message = f"audit.witness_vkey: {vkey} is neither a key nor a file that can be read."
            raise FrsError(Reason.SETTINGS_INVALID, message, setting="audit.witness_vkey") from error
    return WitnessClient(settings.witness_url, vkey, settings.witness_ca, settings.witness_timeout_seconds)
