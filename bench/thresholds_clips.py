"""Live matching on drawn clips: degraded moving copies of photographs, scored as the live mode scores a track.

A clip moves one picture before a camera: its scale drifts, it turns by up to 8 degrees, light
changes by a fifth, and each frame has its own blur, noise and JPEG quality (30 to 80). Each person's faces feed a
:class:`frs.match.evidence.TrackEvidence`; what is kept is the best score the track ever had against each reference,
from its third usable frame on, because that is what would have raised an alert.

Two pictures are moved: InsightFace's sample picture of six people, whose references are cut from the same photograph
(an easy task for the people in it), and mosaics of LFW photographs.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from frs.embed.decoding import crop_face, encode_jpeg
from frs.embed.engine import FaceEngine
from frs.match.evidence import TrackEvidence
from frs.settings import Settings
from frs.types import Face, Picture

Floats = npt.NDArray[np.float32]
CELL = 150
"""Side of the photographs of LFW's development view here, pixels."""
COLUMNS = ROWS = 3
SAMPLE_SCALES, MOSAIC_SCALES = (0.35, 1.0), (0.55, 1.0)
"""Faces come out 30 to 140 pixels wide in the one and 40 to 75 in the other."""
_NO_FACE = np.zeros((1, 1, 3), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """The best score each person's track reached against each reference; -1 where it never ripened."""

    scores: Floats
    """(people, references)"""
    usable: npt.NDArray[np.int64]
    """(people,): usable frames."""


def sample_picture(engine: FaceEngine) -> tuple[Picture, tuple[Face, ...]]:
    """Return InsightFace's sample picture and its six faces, from left to right."""
    spec = importlib.util.find_spec("insightface")
    assert spec is not None
    assert spec.origin is not None
    analysis = engine.analyse((Path(spec.origin).parent / "data/images/t1.jpg").read_bytes())
    return analysis.picture, tuple(sorted(analysis.faces[:6], key=lambda face: face.box[0]))


def cut_references(engine: FaceEngine, picture: Picture, faces: Sequence[Face]) -> Floats:
    """Return templates of the faces as they would be enrolled: each cut out with a margin, as a picture of its own."""
    templates = []
    for face in faces:
        crop = crop_face(picture, face.box, margin=0.5)
        (found,) = engine.analyse(encode_jpeg(crop)).faces[:1]
        templates.append(engine.embed([found])[0])
    return np.stack(templates)


def mosaic(files: Sequence[Path]) -> tuple[Picture, list[tuple[float, float]]]:
    """Lay up to 9 LFW photographs side by side; return the picture and where each person's face is."""
    picture = np.zeros((ROWS * CELL, COLUMNS * CELL, 3), np.uint8)
    centres = []
    for place, file in enumerate(files):
        row, column = divmod(place, COLUMNS)
        read = cv2.imread(str(file))
        assert read is not None
        picture[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = read[:, :, ::-1]
        centres.append(((column + 0.5) * CELL, (row + 0.5) * CELL))
    return picture, centres


def film(
    engine: FaceEngine,
    picture: Picture,
    centres: Sequence[tuple[float, float]],
    references: Floats,
    scales: tuple[float, float],
    frames: int,
    random: np.random.Generator,
    settings: Settings,
) -> Tracks:
    """Move one picture before the camera and score each person's track against the references."""
    evidence = [TrackEvidence(number, settings.live.max_frames) for number in range(len(centres))]
    best = np.full((len(centres), len(references)), -1, np.float32)
    drift = np.linspace(random.uniform(*scales), random.uniform(*scales), frames)
    turns = np.linspace(random.uniform(-8, 8), random.uniform(-8, 8), frames)
    for at, (scale, turn) in enumerate(zip(drift, turns, strict=True)):
        data, moved = _frame(picture, float(scale), float(turn), random)
        faces = [face for face in engine.analyse(data).faces if face.quality.usable]
        places = np.array(centres) @ moved[:, :2].T + moved[:, 2]
        wanted = []
        for number, place in enumerate(places):
            face = _face_at(faces, place)
            if face is not None and evidence[number].see(float(at), face.quality):
                wanted.append((number, face))
        templates = engine.embed([face for _, face in wanted])
        for (number, face), template in zip(wanted, templates, strict=True):
            evidence[number].add(float(at), face.quality, template, lambda: _NO_FACE)
            if evidence[number].ripe(settings.live.min_frames):
                best[number] = np.maximum(best[number], references @ evidence[number].query())
    return Tracks(best, np.array([track.usable for track in evidence]))


def _frame(
    picture: Picture, scale: float, turn: float, random: np.random.Generator
) -> tuple[bytes, npt.NDArray[np.float64]]:
    """Return an encoded frame and the transform (2, 3) that brought the picture's pixels into it."""
    height, width = picture.shape[:2]
    columns, rows = round(width * scale), round(height * scale)
    moved = cv2.getRotationMatrix2D((width / 2, height / 2), turn, scale)
    moved[:, 2] += np.array([columns - width, rows - height]) / 2 + random.uniform(-4, 4, 2)
    frame = cv2.warpAffine(picture, moved, (columns, rows), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT)
    if (blur := random.uniform(0, 1.5)) > 0.2:
        frame = cv2.GaussianBlur(frame, (0, 0), blur)
    light = random.uniform(0.8, 1.2)
    noise = random.normal(0, random.uniform(0, 12), frame.shape)
    frame = np.clip(frame * light + noise, 0, 255).astype(np.uint8)
    return encode_jpeg(frame, quality=int(random.integers(30, 81))), moved


def _face_at(faces: Sequence[Face], place: npt.NDArray[np.float64]) -> Face | None:
    """Return the face that covers a place of the frame, nearest first."""
    near = []
    for face in faces:
        x1, y1, x2, y2 = face.box
        if x1 <= place[0] <= x2 and y1 <= place[1] <= y2:
            near.append((float(np.hypot((x1 + x2) / 2 - place[0], (y1 + y2) / 2 - place[1])), face))
    return min(near, key=lambda pair: pair[0])[1] if near else None
