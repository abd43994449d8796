"""What the tests of the running half share: settings, the engines under short names, and pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from frs.embed.decoding import decode_picture
from frs.embed.engine import FaceEngine
from frs.settings import EmbedSettings, Settings
from frs.types import Picture

SHARED = Path(__file__).resolve().parents[3] / "shared"
PIXELS = 50_000_000


def embed_settings(**changes: object) -> EmbedSettings:
    """Return settings for embedding with one thread a run, for two cores that tests share."""
    return EmbedSettings.model_validate({"threads": 1, **changes})


def settings_for(pack: Path, **changes: object) -> Settings:
    return Settings(embed=embed_settings(pack=str(pack), **changes))


@pytest.fixture(scope="session")
def sample_bytes(group_picture: bytes) -> bytes:
    """Return InsightFace's sample photograph: six people, 1280x886."""
    return group_picture


@pytest.fixture(scope="session")
def sample(sample_bytes: bytes) -> Picture:
    return decode_picture(sample_bytes, len(sample_bytes), PIXELS)


@pytest.fixture(scope="session")
def starter(engine: FaceEngine) -> FaceEngine:
    return engine


@pytest.fixture(scope="session")
def dev(dev_engine: FaceEngine) -> FaceEngine:
    return dev_engine


@pytest.fixture(scope="session")
def shared() -> Path:
    """Find the photographs and models beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not there")
    return SHARED


@pytest.fixture(scope="session")
def portraits(shared: Path) -> list[Picture]:
    """Sixty photographs of LFW, each of one person in the middle."""
    paths = sorted((shared / "data" / "lfw-view1" / "images").glob("*/*_0001.jpg"))[::40][:60]
    return [decode_picture(path.read_bytes(), 1 << 20, PIXELS) for path in paths]


@pytest.fixture
def noise() -> np.random.Generator:
    return np.random.default_rng(7)
