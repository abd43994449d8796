"""Faces are cut out by the least-squares similarity transform, at any size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from insightface.utils.face_align import norm_crop
from skimage.transform import SimilarityTransform

from frs.embed.alignment import ARCFACE_POINTS, DLIB_POINTS, align, similarity
from frs.types import Picture

angles = st.floats(-np.pi, np.pi)
scales = st.floats(0.05, 20)
shifts = st.floats(-2000, 2000)


@settings(max_examples=100, deadline=None)
@given(angles, scales, shifts, shifts)
def test_known_transform_is_recovered(angle: float, scale: float, across: float, down: float) -> None:
    """Landmarks that are a rotated, scaled and shifted template come back onto it."""
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = (ARCFACE_POINTS @ turn.T + [across, down])[None].astype(np.float32)
    found = similarity(landmarks, ARCFACE_POINTS)[0]
    assert np.allclose(landmarks[0] @ found[:, :2].T + found[:, 2], ARCFACE_POINTS, atol=0.05)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0, 500)), min_size=5, max_size=5, unique=True))
def test_agrees_with_umeyama(points: list[tuple[float, float]]) -> None:
    """For any five points the transform fits as well as scikit-image's Umeyama, and never mirrors."""
    landmarks = np.array(points, dtype=np.float32)
    theirs = SimilarityTransform.from_estimate(landmarks, DLIB_POINTS)
    if not theirs:  # points too close to each other for scikit-image
        return

    def residual(matrix: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        return float(((landmarks @ matrix[:2, :2].T + matrix[:2, 2] - DLIB_POINTS) ** 2).sum())

    ours = similarity(landmarks[None], DLIB_POINTS)[0]
    assert residual(ours) <= residual(theirs.params) + 1e-3
    assert np.linalg.det(ours[:, :2]) >= 0


def test_all_faces_at_once_as_one_by_one(noise: np.random.Generator) -> None:
    """Each face's transform is its own, however many there are; none at all give none."""
    landmarks = (ARCFACE_POINTS * 3 + noise.normal(0, 9, (20, 5, 2))).astype(np.float32)
    together = similarity(landmarks, ARCFACE_POINTS)
    assert np.allclose(together, np.concatenate([similarity(face[None], ARCFACE_POINTS) for face in landmarks]))
    assert similarity(landmarks[:0], ARCFACE_POINTS).shape == (0, 2, 3)


def test_coinciding_landmarks_give_no_numbers_that_are_none() -> None:
    """Landmarks that fall on one point give a finite transform and a black face, not a failure."""
    landmarks = np.full((1, 5, 2), 40, np.float32)
    assert np.isfinite(similarity(landmarks, ARCFACE_POINTS)).all()
    assert align(np.full((80, 80, 3), 200, np.uint8), landmarks, ARCFACE_POINTS, 112).shape == (1, 112, 112, 3)


@pytest.mark.filterwarnings("ignore:.*estimate.*:FutureWarning")  # InsightFace calls scikit-image by an old name
@pytest.mark.parametrize("roll", [0, 30, -100])
def test_equals_insightface_crop(sample: Picture, roll: float) -> None:
    """A face of moderate size comes out as InsightFace's own crop of it."""
    turn = cv2.getRotationMatrix2D((0, 0), roll, 0.8)
    landmarks = (ARCFACE_POINTS @ turn[:, :2].T + [520, 320]).astype(np.float32)
    ours = align(sample, landmarks[None], ARCFACE_POINTS, 112)[0]
    theirs = norm_crop(sample, landmarks)
    assert np.abs(ours.astype(int) - theirs).max() <= 2


def test_outside_the_picture_is_black() -> None:
    """Where a face reaches over the edge there is black, as recognisers were trained."""
    picture = np.full((100, 100, 3), 255, np.uint8)
    face = align(picture, (ARCFACE_POINTS - [56, 0])[None].astype(np.float32), ARCFACE_POINTS, 112)[0]
    assert (face[:, :50] == 0).all()
    assert (face[:90, 60:] == 255).all()


@pytest.mark.parametrize("factor", [3, 6.5, 12])
def test_large_faces_are_averaged_down(sample: Picture, factor: float) -> None:
    """A face photographed much larger aligns to what it would have been at the recogniser's size."""
    small = sample[250:430, 440:600]
    landmarks = (ARCFACE_POINTS + np.float32(20))[None]
    expected = align(small, landmarks, ARCFACE_POINTS, 112)[0].astype(float)
    size = (round(160 * factor), round(180 * factor))
    grain = np.random.default_rng(1).normal(0, 60, (size[1], size[0], 3))
    large = np.clip(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC) + grain, 0, 255).astype(np.uint8)
    places = ((landmarks + 0.5) * factor - 0.5).astype(np.float32)
    ours = np.abs(align(large, places, ARCFACE_POINTS, 112)[0] - expected).mean()
    sampled = cv2.warpAffine(large, similarity(places, ARCFACE_POINTS)[0], (112, 112))
    assert ours < 0.6 * np.abs(sampled - expected).mean()
