"""What all rooms' tests share: real packs, engines and a composed installation. Nothing here is a stand-in."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from frs.clock import SystemClock
from frs.embed.adding import Choice, add_folder
from frs.embed.decoding import crop_face, decode_picture, encode_jpeg
from frs.embed.engine import FaceEngine
from frs.embed.loading import load_engine
from frs.embed.pack import Pack
from frs.embed.shelf import Shelf
from frs.embed.starter import ensure_starter
from frs.errors import FrsError
from frs.settings import Settings
from frs.store.opening import open_store
from tests.installation import MODELS, Installation, engine_settings, lay_out
from tests.manual_clock import ManualClock

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def starter_pack() -> Pack:
    """Return the starter pack, made once and kept in ``.cache/models``."""
    return ensure_starter(Shelf(MODELS), SystemClock())


@pytest.fixture(scope="session")
def dev_pack() -> Pack:
    """Return the development pack beside the checkout, added once to ``.cache/models``."""
    if not (SHARED / "models" / "dev-pack").is_dir():
        pytest.skip("needs ../shared/models/dev-pack, which is not there")
    shelf = Shelf(MODELS)
    try:
        return shelf.load("dev-pack")
    except FrsError:
        MODELS.mkdir(parents=True, exist_ok=True)
        return add_folder(SHARED / "models" / "dev-pack", shelf, SystemClock(), Choice()).pack


@pytest.fixture(scope="session")
def engine(starter_pack: Pack) -> Iterator[FaceEngine]:
    """Give the starter pack at work, shared by all tests of a process."""
    engine = load_engine(engine_settings(starter_pack))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def dev_engine(dev_pack: Pack) -> Iterator[FaceEngine]:
    """Give the development pack at work."""
    engine = load_engine(engine_settings(dev_pack))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def group_picture() -> bytes:
    """Return the file of InsightFace's sample photograph of six people."""
    spec = importlib.util.find_spec("insightface")
    assert spec is not None
    assert spec.origin is not None
    return (Path(spec.origin).parent / "data" / "images" / "t1.jpg").read_bytes()


@pytest.fixture(scope="session")
def sample_people(engine: FaceEngine, group_picture: bytes) -> tuple[bytes, ...]:
    """Return six JPEG pictures, one per person of the sample photograph, from left to right."""
    picture = decode_picture(group_picture, 1 << 24, 1 << 24)
    faces = sorted(engine.detect(picture), key=lambda face: face.box[0])
    assert len(faces) == 6
    return tuple(encode_jpeg(crop_face(picture, face.box, margin=0.5)) for face in faces)


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that the test moves."""
    return ManualClock()


@pytest.fixture(scope="session")
def blank_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a new installation's data directory, to be copied: making one takes longer than most tests."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("blank"))
    lay_out(settings)
    open_store(settings, ManualClock()).close()
    return settings.data_dir


@pytest.fixture
def settings(tmp_path: Path, blank_data: Path) -> Settings:
    """Return the settings of a copy of it."""
    shutil.copytree(blank_data, tmp_path / "data")
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def installation(tmp_path: Path, engine: FaceEngine, starter_pack: Pack, clock: ManualClock) -> Iterator[Installation]:
    """Give a data directory with keyring, database, log, galleries and watchlists, composed as the server does."""
    yield from open_installation(tmp_path, engine, starter_pack, clock)


@pytest.fixture(scope="module")
def module_installation(
    tmp_path_factory: pytest.TempPathFactory, engine: FaceEngine, starter_pack: Pack
) -> Iterator[Installation]:
    """Give one such installation to all tests of a module, with a clock of its own."""
    yield from open_installation(tmp_path_factory.mktemp("installation"), engine, starter_pack, ManualClock())


def open_installation(folder: Path, engine: FaceEngine, pack: Pack, clock: ManualClock) -> Iterator[Installation]:
    """Lay out a data directory, open it, and close it at the end."""
    settings = engine_settings(pack, data_dir=folder / "data")
    lay_out(settings)
    made = Installation(settings, clock, engine)
    made.open()
    yield made
    made.close()
