"""A log to give things out of, and the key of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from frs_verify.checkpoint import Trust
from frs_verify.notes import LogKey

from frs.settings import Settings
from frs.store.keyring import create_keyring
from tests.audit_house import AuditHouse
from tests.manual_clock import ManualClock


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditHouse]:
    """Give a log of 21 events; tests of a module share it and add to it."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("log"))
    create_keyring(settings.keyring_path)
    house = AuditHouse(settings, ManualClock())
    house.fill(21)
    yield house
    house.close()


@pytest.fixture
def trust(house: AuditHouse) -> Trust:
    return Trust(LogKey.parse(house.log.vkey))


@pytest.fixture
def key(house: AuditHouse, tmp_path: Path) -> Path:
    path = tmp_path / "log.vkey"
    path.write_text(house.log.vkey + "\n")
    return path
