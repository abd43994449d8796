"""What the live tests share: a stage with two lists of sample people."""

from __future__ import annotations

import pytest

from tests.installation import Installation
from tests.manual_clock import ManualClock
from tests.match.stage import Stage


@pytest.fixture
def stage(installation: Installation, clock: ManualClock) -> Stage:
    """Return deployments, streams and review over a fresh installation."""
    return Stage(installation, clock)
