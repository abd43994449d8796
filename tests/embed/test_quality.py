"""Each face carries a quality record, and the reason when it is not used."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from frs.embed.engine import FaceEngine
from frs.embed.quality import cut_off, pose
from frs.types import Picture, QualityReason

# A head in millimetres: eyes, nose tip, mouth corners; x to the viewer's right, y down, z towards the viewer.
HEAD = np.array([[-31, -30, 0], [31, -30, 0], [0, 7, 28], [-25, 35, 0], [25, 35, 0]], dtype=float)


def turned(
    yaw: float = 0, pitch: float = 0, roll: float = 0, scale: float = 1
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return the landmarks of the head turned by these degrees, as a camera far away sees them."""
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    seen: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = (
        (HEAD @ (about_z @ about_x @ about_y).T)[:, :2] * scale + 500
    ).astype(np.float32)
    return seen


@pytest.mark.parametrize("roll", [0, 45, 90, 180, -120])
def test_roll_and_size_do_not_count_as_pose(roll: float) -> None:
    """A frontal face stays frontal upside down and at any size."""
    assert pose(turned(roll=roll)[None])[0] < 0.05
    assert pose(turned(roll=roll, scale=7)[None])[0] == pytest.approx(pose(turned(roll=roll)[None])[0], abs=1e-3)


def test_pose_is_about_the_share_of_a_right_angle() -> None:
    """Turning the head to either side raises the deviation with the angle, up to 1 in profile."""
    for sign in (-1, 1):
        deviations = pose(np.stack([turned(yaw=sign * angle) for angle in (0, 15, 30, 45, 60, 75, 88)]))
        assert (np.diff(deviations) > 0).all()
        assert deviations == pytest.approx(np.array([0, 15, 30, 45, 60, 75, 88]) / 90, abs=0.05)


def test_nodding_counts_as_pose() -> None:
    """Looking up or down deviates from frontal as well."""
    level, up, down = pose(np.stack([turned(), turned(pitch=40), turned(pitch=-40)]))
    assert level < 0.05
    assert min(up, down) > 0.3


def test_no_faces_have_no_pose() -> None:
    """An empty set is not a failure."""
    assert pose(np.empty((0, 5, 2), np.float32)).shape == (0,)


@pytest.mark.parametrize("roll", [0, 37, 90])
def test_cut_off_is_the_share_of_the_face_outside(roll: float) -> None:
    """A face well inside is whole, one over the edge is cut by as much as lies outside, on each side."""
    face = turned(roll=roll)
    centre = face.mean(axis=0)

    def share(x: float, y: float) -> float:
        return float(cut_off((face - centre + [x, y])[None].astype(np.float32), (400, 600))[0])

    assert share(300, 200) == 0
    assert share(-300, 200) == share(300, 900) == 1
    for place in ((0, 200), (600, 200), (300, 0), (300, 400)):
        assert 0.35 < share(*place) < 0.65


def reasons(engine: FaceEngine, picture: Picture) -> set[QualityReason]:
    faces = engine.detect(np.ascontiguousarray(picture))
    assert faces, "the change must leave the faces to be found"
    return {reason for face in faces for reason in face.quality.reasons}


def test_good_faces_are_usable(starter: FaceEngine, sample: Picture) -> None:
    """All six people of the sample photograph can be matched."""
    assert reasons(starter, sample) == set()


def test_small_faces_are_refused(starter: FaceEngine, sample: Picture) -> None:
    """Faces of about 20 pixels are too small."""
    small = cv2.resize(sample, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA)
    assert reasons(starter, small) >= {QualityReason.TOO_SMALL}


def test_blurred_faces_are_refused(starter: FaceEngine, sample: Picture) -> None:
    """Faces out of focus are too blurred, whatever their size."""
    assert reasons(starter, cv2.GaussianBlur(sample, (0, 0), 7)) >= {QualityReason.TOO_BLURRED}


def test_dark_faces_are_refused(starter: FaceEngine, sample: Picture) -> None:
    """Faces in the dark are too dark."""
    assert reasons(starter, (sample * 0.1).astype(np.uint8)) >= {QualityReason.TOO_DARK}


def test_bright_faces_are_refused(starter: FaceEngine, sample: Picture) -> None:
    """Overexposed faces are too bright."""
    bright = np.clip(255 - (255 - sample.astype(float)) * 0.12, 0, 255).astype(np.uint8)
    assert reasons(starter, bright) >= {QualityReason.TOO_BRIGHT}


def test_faces_cut_by_the_edge_are_refused(starter: FaceEngine, sample: Picture) -> None:
    """A face of which the picture holds three quarters is cut off."""
    x1, _, x2, _ = max(starter.detect(sample), key=lambda face: face.box[2]).box
    assert reasons(starter, sample[:, : int(x1 + 0.72 * (x2 - x1))]) >= {QualityReason.CUT_OFF}


@pytest.mark.shared
@pytest.mark.parametrize("name", ["starter", "dev"])
def test_ordinary_portraits_are_usable(name: str, request: pytest.FixtureRequest, portraits: list[Picture]) -> None:
    """Of press photographs with one person in the middle at least 97 in 100 can be matched, with either detector."""
    engine = request.getfixturevalue(name)
    usable = 0
    for picture in portraits:
        height, width = picture.shape[:2]
        for face in engine.detect(picture):
            x1, y1, x2, y2 = face.box
            usable += bool(x1 < width / 2 < x2 and y1 < height / 2 < y2 and face.quality.usable)
    assert usable >= 0.97 * len(portraits)
