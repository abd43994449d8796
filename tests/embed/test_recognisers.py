"""Three recognisers, each prepared as the code its network was published with prepares it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from insightface.model_zoo.arcface_onnx import ArcFaceONNX
from onnx import TensorProto, helper, numpy_helper

from frs.embed.alignment import ARCFACE_POINTS, align
from frs.embed.engine import FaceEngine
from frs.embed.pack import Pack
from frs.embed.recognisers.arcface import ArcFace
from frs.embed.recognisers.sface import SFace
from frs.embed.scoring import unit, with_profile
from frs.embed.sessions import open_rows_network
from frs.errors import FrsError, Reason
from frs.types import Picture
from tests.embed.conftest import embed_settings


def small_network(path: Path, rows: int | str, side: int = 112, *, normalises: bool = False) -> Path:
    """Write a graph with a recogniser's contract: (rows, 3, side, side) -> (rows, 128), each channel seen apart."""
    rng = np.random.default_rng(5)
    kernel = numpy_helper.from_array(rng.normal(size=(16, 3, 16, 16)).astype(np.float32) / 100, "kernel")
    cells = (side // 16) ** 2 * 16
    weight = numpy_helper.from_array(rng.normal(size=(cells, 128)).astype(np.float32) / 10, "weight")
    mean = numpy_helper.from_array(np.float32(127.5).reshape(1), "mean")
    factor = numpy_helper.from_array(np.float32(1 / 128).reshape(1), "factor")
    nodes = [
        helper.make_node("Sub", ["data", "mean"], ["centred"], name="_minusscalar0"),
        helper.make_node("Mul", ["centred", "factor"], ["scaled"], name="_mulscalar0"),
    ]
    nodes += [
        helper.make_node("Conv", ["scaled" if normalises else "data", "kernel"], ["maps"], strides=[16, 16]),
        helper.make_node("Relu", ["maps"], ["active"]),
        helper.make_node("Flatten", ["active"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weight"], ["fc1"]),
    ]
    made = helper.make_graph(
        nodes if normalises else nodes[2:],
        "recogniser",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [rows, 3, side, side])],
        [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [rows, 128])],
        [kernel, weight, *([mean, factor] if normalises else [])],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def crops(sample: Picture, starter: FaceEngine) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Cut the sample's six faces as ArcFace and SFace take them."""
    landmarks = np.stack([face.landmarks for face in starter.detect(sample)])
    return align(sample, landmarks, ARCFACE_POINTS, 112)


def test_sface_aligns_and_prepares_as_opencv(tmp_path: Path, sample: Picture, starter: FaceEngine) -> None:
    """With the same network, crops and features are those of ``cv2.FaceRecognizerSF``, which takes one face a time.

    SFace's weights are not on this machine: a small network with its input contract stands in for them.
    """
    path = small_network(tmp_path / "sface.onnx", 1)
    theirs = cv2.FaceRecognizerSF.create(str(path), "")
    ours = SFace(open_rows_network(path, embed_settings()))
    bgr = np.ascontiguousarray(sample[:, :, ::-1])
    faces = starter.detect(sample)
    landmarks = np.stack([face.landmarks for face in faces])
    aligned = align(sample, landmarks, ours.points, ours.size)
    features = ours.embed(aligned)
    for face, crop, feature in zip(faces, aligned, features, strict=True):
        x1, y1, x2, y2 = face.box
        row = np.array([[x1, y1, x2 - x1, y2 - y1, *face.landmarks.reshape(-1), 0.9]], np.float32)
        their_crop = theirs.alignCrop(bgr, row)
        assert np.abs(their_crop[:, :, ::-1].astype(int) - crop).mean() < 1.5
        assert np.allclose(theirs.feature(np.ascontiguousarray(crop[:, :, ::-1]))[0], feature, rtol=1e-3, atol=1e-2)
        assert float(unit(feature[None])[0] @ unit(theirs.feature(their_crop))[0]) > 0.999


@pytest.mark.shared
def test_arcface_agrees_with_insightface(
    dev_pack: Pack, crops: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> None:
    """Embeddings are those of InsightFace's own class, to rounding."""
    network = open_rows_network(dev_pack.recogniser_path, embed_settings())
    theirs = ArcFaceONNX(model_file=str(dev_pack.recogniser_path), session=network.session)
    expected = theirs.get_feat([crop[:, :, ::-1] for crop in crops])
    assert np.allclose(ArcFace(network, dev_pack.recogniser_path).embed(crops), expected, atol=1e-4)


@pytest.mark.parametrize("normalises", [False, True])
def test_arcface_takes_the_constants_of_the_graph(
    tmp_path: Path, crops: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], normalises: bool
) -> None:
    """Early exports normalise pixels themselves; those get them as they are, the others from -1 to 1."""
    path = small_network(tmp_path / "arcface.onnx", "n", normalises=normalises)
    network = open_rows_network(path, embed_settings())
    theirs = ArcFaceONNX(model_file=str(path), session=network.session)
    expected = theirs.get_feat([crop[:, :, ::-1] for crop in crops])
    assert theirs.input_mean == (0.0 if normalises else 127.5)
    assert np.allclose(ArcFace(network, path).embed(crops), expected, rtol=1e-4, atol=1e-4)


def test_arcface_of_another_size_scales_its_points(tmp_path: Path) -> None:
    """Sides that are multiples of 112 scale the template; others follow InsightFace's 128-pixel one."""
    double = small_network(tmp_path / "224.onnx", "n", 224)
    assert np.allclose(ArcFace(open_rows_network(double, embed_settings()), double).points, ARCFACE_POINTS * 2)
    other = small_network(tmp_path / "128.onnx", "n", 128)
    shifted = ARCFACE_POINTS + np.array([8, 0])
    assert np.allclose(ArcFace(open_rows_network(other, embed_settings()), other).points, shifted)


def test_arcface_refuses_a_detector(starter_pack: Pack) -> None:
    """A graph of several outputs is no recogniser."""
    with pytest.raises(FrsError) as caught:
        ArcFace(open_rows_network(starter_pack.detector_path, embed_settings()), starter_pack.detector_path)
    assert caught.value.reason is Reason.MODEL_INVALID


def test_plain_profile_gives_unit_rows(noise: np.random.Generator) -> None:
    """A template has unit length, whatever the network's numbers."""
    rows = noise.normal(size=(5, 8)).astype(np.float32) * 1000
    templates = with_profile(lambda faces: rows[: len(faces)], "plain")(np.zeros((5, 4, 4, 3), np.uint8))
    assert np.allclose(np.linalg.norm(templates, axis=1), 1, atol=1e-6)
    assert np.isfinite(unit(np.zeros((1, 4), np.float32))).all()


def test_mirror_profile_is_the_mean_of_face_and_mirror_image(noise: np.random.Generator) -> None:
    """The mirrored template averages both unit embeddings in one call, and is the same for a mirrored face."""
    faces = noise.integers(0, 255, (4, 6, 6, 3), dtype=np.uint8)
    weight = noise.normal(size=(108, 8)).astype(np.float32)
    calls: list[int] = []

    def embed(
        batch: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        calls.append(len(batch))
        return (batch.reshape(len(batch), -1).astype(np.float32) - 127) @ weight

    mirror = with_profile(embed, "mirror")
    templates = mirror(faces)
    assert calls == [8]
    assert np.allclose(templates, unit(unit(embed(faces)) + unit(embed(faces[:, :, ::-1]))), atol=1e-6)
    assert np.allclose(templates, mirror(np.ascontiguousarray(faces[:, :, ::-1])), atol=1e-6)
    assert np.allclose(np.linalg.norm(templates, axis=1), 1, atol=1e-6)
