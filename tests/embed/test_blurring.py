"""Faces that nobody asked about are hidden for good, and the one that was asked about stays."""

from __future__ import annotations

import numpy as np
import pytest

from frs.embed.blurring import Box, bystanders, hide, portrait
from frs.embed.decoding import decode_picture
from frs.embed.engine import Analysis, FaceEngine
from frs.types import Face, Picture


@pytest.fixture(scope="module")
def group(engine: FaceEngine, group_picture: bytes) -> Analysis:
    """Return the sample picture of six people with its faces, from left to right."""
    seen = engine.look(decode_picture(group_picture, 1 << 24, 1 << 24))
    return Analysis(seen.picture, tuple(sorted(seen.faces, key=lambda face: face.box[0])), seen.faint)


def overlap(one: Box, other: Box) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return max(across, 0.0) * max(down, 0.0) / smaller


def likeness(engine: FaceEngine, picture: Picture, face: Face, template: np.ndarray) -> float:
    """Return the score of what is detected where a face was; -1 when nothing is."""
    found = [each for each in engine.detect(picture) if overlap(each.box, face.box) > 0.4]
    return float((engine.embed(found) @ template).max()) if found else -1.0


def test_only_the_shown_face_is_left(engine: FaceEngine, group: Analysis) -> None:
    """Of six people five are no longer recognised, nor anything like them, and the sixth is as well as before."""
    templates = engine.embed(group.faces)
    shown = group.faces[2]
    picture = hide(group.picture, group.others(shown), shown.box)
    for face, template in zip(group.faces, templates, strict=True):
        score = likeness(engine, picture, face, template)
        if face is shown:
            assert score > 0.99
        else:
            assert score < 0.9  # strangers reach 0.938 on the pack that the tests use
    x1, y1, x2, y2 = (round(value) for value in shown.box)
    assert np.array_equal(picture[y1:y2, x1:x2], group.picture[y1:y2, x1:x2])
    assert picture is not group.picture


def test_what_is_hidden_is_a_few_colours(group: Analysis) -> None:
    """Whatever the detail of a face, what is shown in its place is the same as long as its mean colours are."""
    face = group.faces[0]
    other = group.picture.copy()
    x1, y1, x2, y2 = (round(value) for value in face.box)
    inside = other[y1 : y1 + (y2 - y1) // 2 * 2, x1 : x1 + (x2 - x1) // 2 * 2].copy()
    # Pixels change places within blocks of two: all that a recogniser's edges are made of, and no mean.
    shuffled = inside.reshape(inside.shape[0] // 2, 2, inside.shape[1] // 2, 2, 3)[:, ::-1, :, ::-1].reshape(
        inside.shape
    )
    other[y1 : y1 + inside.shape[0], x1 : x1 + inside.shape[1]] = shuffled
    assert not np.array_equal(other, group.picture)
    difference = np.abs(hide(group.picture, [face.box]).astype(int) - hide(other, [face.box]).astype(int))
    assert difference.max() <= 2


def test_a_portrait_shows_nobody_else(engine: FaceEngine, group: Analysis) -> None:
    """Two people cheek by cheek: the portrait of each shows that one alone."""
    left, right = (_cut(group, place) for place in (0, 1))
    height = min(left.shape[0], right.shape[0])
    pair = np.hstack([left[:height], right[:height]])
    seen = engine.look(pair)
    assert len(seen.faces) == 2
    templates = engine.embed(seen.faces)
    for place, face in enumerate(seen.faces):
        assert len(portrait(pair, face.box, [])) > 0
        found = engine.detect(seen.portrait(face))
        scores = engine.embed(found) @ templates.T
        assert scores[:, place].max() > 0.97
        assert scores[:, 1 - place].max() < 0.945


def test_a_face_the_detector_doubts_is_hidden_too(engine: FaceEngine, group: Analysis) -> None:
    """What scores below ``embed.detector_score`` is not matched, but hidden; a part of the shown face is not."""
    shown: Box = (100.0, 100.0, 200.0, 220.0)
    beside, nose = (400.0, 100.0, 440.0, 150.0), (130.0, 140.0, 170.0, 190.0)
    assert bystanders(shown, [shown], [beside, nose]) == (beside,)
    # Far and dark: the sample's people at a size where the detector begins to doubt.
    faint = engine.look(np.asarray(np.clip(group.picture[::9, ::9] * 0.35, 0, 255), np.uint8))
    assert len(faint.faint) > 0


def test_faces_at_the_edge_and_outside(group: Analysis) -> None:
    """Boxes that reach over the edge are hidden as far as the picture goes; one beside it changes nothing."""
    height, width = group.picture.shape[:2]
    hidden = hide(
        group.picture, [(-40.0, -40.0, 60.0, 60.0), (width - 30.0, height - 30.0, width + 50.0, height + 50.0)]
    )
    assert not np.array_equal(hidden[:60, :60], group.picture[:60, :60])
    assert np.array_equal(hide(group.picture, [(-900.0, -900.0, -800.0, -800.0)]), group.picture)


def _cut(group: Analysis, place: int) -> Picture:
    x1, y1, x2, y2 = group.faces[place].box
    wide, tall = x2 - x1, y2 - y1
    return group.picture[
        max(0, round(y1 - 0.5 * tall)) : round(y2 + 0.3 * tall),
        max(0, round(x1 - 0.15 * wide)) : round(x2 + 0.15 * wide),
    ]
