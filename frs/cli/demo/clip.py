"""The CCTV clip: drawn frame by frame, with pans, scale, rotation, blur, noise and compression, and the truth kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from frs.cli.demo.cast import Person
from frs.types import Picture

WIDTH, HEIGHT = 960, 540
FPS = 8


@dataclass(frozen=True, slots=True)
class Presence:
    """Where a person is in a frame."""

    person: Person
    x: float
    y: float
    size: float
    """Centre and height of the face, pixels."""


@dataclass(frozen=True, slots=True)
class Scene:
    """People who cross the picture together."""

    people: tuple[Person, ...]
    seconds: float
    size: tuple[float, float]
    """Face height at the beginning and at the end, pixels."""


def scenes(cast: list[Person], seconds: float) -> list[Scene]:
    """Return the script: listed people beside strangers, strangers alone, then all six together."""
    listed = [p for p in cast if p.listed]
    strangers = [p for p in cast if not p.listed]
    six = listed + strangers[: len(listed)]
    pairs = [Scene((a, b), seconds, (70.0, 130.0)) for a, b in zip(listed, strangers, strict=False)]
    alone = [Scene((person,), seconds / 2, (90.0, 140.0)) for person in strangers[len(listed) :]]
    return [*pairs, *alone, Scene(tuple(six), seconds, (62.0, 82.0))]


def frames(script: list[Scene], seed: int = 7) -> Iterator[tuple[Picture, list[Presence]]]:
    """Draw the frames, each with who is where."""
    random = np.random.default_rng(seed)
    wall = _wall(random)
    grain = random.normal(0.0, 4.0, (HEIGHT + 64, WIDTH + 64, 1)).astype(np.float32)
    number = 0
    for scene in script:
        count = max(int(scene.seconds * FPS), 1)
        for step in range(count):
            progress = step / count
            pan = int(60 + 60 * np.sin(number / 25))
            picture = wall[:, pan : pan + WIDTH].astype(np.float32)
            present = []
            for place, person in enumerate(scene.people):
                presence = _presence(scene, person, place, progress)
                _draw(picture, presence, 4.0 * np.sin(number / 6 + place))
                present.append(presence)
            yield _degrade(picture, grain, number), present
            number += 1


def write_clip(path: Path, script: list[Scene]) -> list[list[Presence]]:
    """Write the clip as MPEG-4 video; returns who is where, frame by frame."""
    truth = []
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = 3_000_000
        for picture, present in frames(script):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            truth.append(present)
        container.mux(stream.encode())
    return truth


def _presence(scene: Scene, person: Person, place: int, progress: float) -> Presence:
    count = len(scene.people)
    size = scene.size[0] + (scene.size[1] - scene.size[0]) * progress
    lane = WIDTH * (place + 0.5) / count
    x = lane + WIDTH * 0.22 / count * np.sin(2.2 * (progress - 0.5) + place)
    y = HEIGHT * (0.42 + 0.1 * progress) + 12 * np.sin(9 * progress + 2 * place)
    return Presence(person, float(x), float(y), float(size))


def _wall(random: np.random.Generator) -> Picture:
    """Return a street without a face: shaded blocks, wider than the picture so that it can be panned over."""
    small = random.integers(80, 130, (9, 18, 1)) * np.array([0.95, 1.0, 1.08])
    return np.asarray(cv2.resize(small.astype(np.uint8), (WIDTH + 200, HEIGHT), interpolation=cv2.INTER_CUBIC))


def _draw(picture: npt.NDArray[np.float32], presence: Presence, angle: float) -> None:
    """Blend a person into the picture in place, scaled and turned by ``angle`` degrees."""
    person = presence.person
    scale = presence.size / person.face
    height, width = person.alpha.shape
    half = int(0.75 * max(height, width) * scale) + 2
    left, top = int(presence.x) - half, int(presence.y) - half
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
    matrix[:, 2] += (presence.x - left - width / 2, presence.y - top - height / 2)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    patch = cv2.warpAffine(person.patch, matrix, (2 * half, 2 * half), flags=interpolation)
    alpha = cv2.warpAffine(person.alpha, matrix, (2 * half, 2 * half), flags=cv2.INTER_LINEAR)[..., None]
    # What lies outside the picture is cut off.
    rows = slice(max(top, 0), min(top + 2 * half, picture.shape[0]))
    columns = slice(max(left, 0), min(left + 2 * half, picture.shape[1]))
    inner = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
    picture[rows, columns] *= 1 - alpha[inner]
    picture[rows, columns] += patch[inner] * alpha[inner]


def _degrade(picture: npt.NDArray[np.float32], grain: npt.NDArray[np.float32], number: int) -> Picture:
    """Return the picture as a modest camera would give it: a little blur and sensor noise."""
    blurred = cv2.GaussianBlur(picture, (0, 0), 0.5 + 0.5 * abs(np.sin(number / 17)))
    down, right = (number * 37) % 64, (number * 23) % 64  # the same noise never lies on the same pixels twice running
    noisy = blurred + grain[down : down + HEIGHT, right : right + WIDTH]
    return np.asarray(np.clip(noisy, 0, 255), dtype=np.uint8)
