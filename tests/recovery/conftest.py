"""A log over a fresh data directory, with backups of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from frs.settings import Settings
from frs.store.keyring import create_keyring
from frs.store.opening import open_store
from tests.audit_house import AuditHouse
from tests.manual_clock import ManualClock


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a new installation's data directory, to be copied."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("blank"))
    create_keyring(settings.keyring_path)
    open_store(settings, ManualClock()).close()
    return settings.data_dir


@pytest.fixture
def settings(tmp_path: Path, blank: Path) -> Settings:
    shutil.copytree(blank, tmp_path / "data")
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def house(settings: Settings, clock: ManualClock) -> Iterator[AuditHouse]:
    house = AuditHouse(settings, clock)
    (settings.data_dir / "log.vkey").write_text(f"{house.log.vkey}\n")
    yield house
    house.close()
