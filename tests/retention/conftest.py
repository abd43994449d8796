"""What the retention tests share: an archive over a fresh installation."""

from __future__ import annotations

import pytest

from tests.installation import Installation
from tests.retention.archive import Archive


@pytest.fixture
def archive(installation: Installation) -> Archive:
    """Return retention over a fresh installation."""
    return Archive(installation)
