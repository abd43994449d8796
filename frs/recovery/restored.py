"""What a restoration did, for whoever ran it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from frs.audit.checkpoints import Checkpoint
from frs.audit.event import parse_time
from frs.recovery.archive import Manifest
from frs.recovery.cleaning import Dead
from frs.recovery.journal import Checked


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restoration did."""

    origin: str
    previous_origin: str
    vkey: str
    """Under the new origin: the witness's operator, and everybody who verifies, must be given it."""
    installation: str
    backup_made_at: datetime
    backup_events: int
    witnessed: Checkpoint | None
    journal: int
    """Entries of the erasure journal."""
    cleaned: dict[str, int]
    keys_lost: int
    uploads_absent: int
    notes: tuple[str, ...]
    """What whoever restores should know besides."""


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, as far as it is known before the switch."""

    previous: tuple[str, ...]
    origin: str
    vkey: str
    installation: str
    manifest: Manifest
    checked: Checked
    dead: Dead
    cleaned: dict[str, int] = field(default_factory=dict)

    def told(self, notes: tuple[str, ...]) -> Restored:
        """Return it in full."""
        return Restored(
            self.origin,
            self.previous[-1],
            self.vkey,
            self.installation,
            parse_time(self.manifest.text("made_at")),
            self.manifest.number("events"),
            self.checked.witnessed,
            len(self.checked.entries),
            self.cleaned,
            self.dead.lost,
            self.dead.absent,
            notes,
        )
