"""A house for figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from frs.settings import Settings
from tests.manual_clock import ManualClock
from tests.oversight.statistics_house import StatisticsHouse


@pytest.fixture
def figures_house(tmp_path: Path) -> Iterator[StatisticsHouse]:
    house = StatisticsHouse(Settings(data_dir=tmp_path / "data"), ManualClock())
    yield house
    house.close()
