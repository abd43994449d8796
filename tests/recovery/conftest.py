"""A log over a fresh data directory, with backups of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from frs.settings import Settings
from tests.audit_house import AuditHouse
from tests.manual_clock import ManualClock


@pytest.fixture
def house(settings: Settings, clock: ManualClock) -> Iterator[AuditHouse]:
    house = AuditHouse(settings, clock)
    (settings.data_dir / "log.vkey").write_text(f"{house.log.vkey}\n")
    yield house
    house.close()
