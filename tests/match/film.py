"""Draws what a camera would show: people of the sample photograph walking over a textured background."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import numpy.typing as npt

from frs.embed.decoding import decode_picture, encode_jpeg
from frs.match.live import LiveFrame

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
HEIGHT, WIDTH = 360, 640


def background(seed: int = 0) -> npt.NDArray[np.uint8]:
    """Return a blurred noise picture, (HEIGHT, WIDTH, 3), in which no detector finds a face."""
    noise = np.random.default_rng(seed).integers(60, 180, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)


def film(
    people: Sequence[bytes],
    frames: int,
    *,
    start: datetime = START,
    fps: float = 5.0,
    first_sequence: int = 1,
    height: int = 200,
    step: float = 6.0,
) -> list[LiveFrame]:
    """Return JPEG frames in which the people (JPEG portraits) stand in a row and walk to the right.

    ``height`` is the portraits' height in pixels and ``step`` how far they move from frame to frame. Each frame has
    noise of its own, a little blur that changes, and compression.
    """
    portraits = [_scaled(decode_picture(person, 1 << 24, 1 << 24), height) for person in people]
    shot = []
    for number in range(frames):
        canvas = background()
        left = 10 + round(step * number)
        for portrait in portraits:
            shown = canvas[60 : 60 + portrait.shape[0], left : left + portrait.shape[1]]
            shown[:] = portrait[:, : shown.shape[1]]
            left += portrait.shape[1] + 40
        shot.append(
            LiveFrame(
                data=encode_jpeg(_weathered(canvas, number), 85),
                captured_at=start + timedelta(seconds=number / fps),
                sequence=first_sequence + number,
            )
        )
    return shot


def _scaled(picture: npt.NDArray[np.uint8], height: int) -> npt.NDArray[np.uint8]:
    width = round(picture.shape[1] * height / picture.shape[0])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _weathered(picture: npt.NDArray[np.uint8], number: int) -> npt.NDArray[np.uint8]:
    soft = cv2.GaussianBlur(picture, (0, 0), 0.4 + 0.2 * (number % 3))
    noise = np.random.default_rng(1000 + number).normal(0.0, 3.0, picture.shape)
    return np.clip(np.asarray(soft, np.float64) + noise, 0, 255).astype(np.uint8)
