"""What the tests of the running half share: the starter pack, the dev-pack, and pictures."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from frs.clock import SystemClock
from frs.embed.adding import Choice, add_folder
from frs.embed.decoding import decode_picture
from frs.embed.engine import FaceEngine
from frs.embed.loading import load_engine
from frs.embed.pack import Pack
from frs.embed.shelf import Shelf
from frs.embed.starter import make_starter
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
def sample_bytes() -> bytes:
    """InsightFace's sample photograph: six people, 1280x886."""
    spec = importlib.util.find_spec("insightface")
    assert spec is not None
    assert spec.origin is not None
    return (Path(spec.origin).parent / "data" / "images" / "t1.jpg").read_bytes()


@pytest.fixture(scope="session")
def sample(sample_bytes: bytes) -> Picture:
    return decode_picture(sample_bytes, len(sample_bytes), PIXELS)


@pytest.fixture(scope="session")
def starter_pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return make_starter(Shelf(tmp_path_factory.mktemp("starter-models")), SystemClock())


@pytest.fixture(scope="session")
def starter(starter_pack: Pack) -> Iterator[FaceEngine]:
    engine = load_engine(settings_for(starter_pack.folder))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Find the photographs and models beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not there")
    return SHARED


@pytest.fixture(scope="session")
def dev_pack(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Pack:
    shelf = Shelf(tmp_path_factory.mktemp("dev-models"))
    return add_folder(shared / "models" / "dev-pack", shelf, SystemClock(), Choice(licence="research only")).pack


@pytest.fixture(scope="session")
def dev(dev_pack: Pack) -> Iterator[FaceEngine]:
    engine = load_engine(settings_for(dev_pack.folder))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def portraits(shared: Path) -> list[Picture]:
    """Sixty photographs of LFW, each of one person in the middle."""
    paths = sorted((shared / "data" / "lfw-view1" / "images").glob("*/*_0001.jpg"))[::40][:60]
    return [decode_picture(path.read_bytes(), 1 << 20, PIXELS) for path in paths]


@pytest.fixture
def noise() -> np.random.Generator:
    return np.random.default_rng(7)
