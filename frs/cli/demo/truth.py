"""What really happened: which person of the clip an alert's picture shows, found without any face model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np

from frs.cli.demo.clip import FPS, Presence
from frs.embed.decoding import decode_picture
from frs.embed.video import read_video
from frs.types import Picture

_MAX_PIXELS = 4_000_000


@dataclass(frozen=True, slots=True)
class Shown:
    """An alert's picture, decoded, and when it was taken."""

    alert: str
    captured_at: datetime
    probe: Picture


def load_probe(alert: str, captured_at: datetime, path: Path) -> Shown:
    """Read an alert's picture as the reviewer got it."""
    return Shown(alert, captured_at, decode_picture(path.read_bytes(), 1 << 24, _MAX_PIXELS))


def who_is_shown(
    shown: Iterable[Shown], clip: Path, start: datetime, truth: list[list[Presence]]
) -> dict[str, Presence | None]:
    """Find each picture in the frame it was taken from, pixel against pixel, and tell who was drawn there."""
    wanted: dict[int, list[Shown]] = {}
    for item in shown:
        number = round((item.captured_at - start).total_seconds() * FPS)
        wanted.setdefault(min(max(number, 0), len(truth) - 1), []).append(item)
    answers: dict[str, Presence | None] = {}
    for frame in read_video(clip, 0.0, 30.0, _MAX_PIXELS):
        for item in wanted.get(frame.index, []):
            answers[item.alert] = _nearest(frame.picture, item.probe, truth[frame.index])
    return answers


def _nearest(picture: Picture, probe: Picture, present: list[Presence]) -> Presence | None:
    match = cv2.matchTemplate(picture, probe, cv2.TM_CCOEFF_NORMED)
    _, _, _, (left, top) = cv2.minMaxLoc(match)
    x, y = left + probe.shape[1] / 2, top + probe.shape[0] / 2
    near = min(present, key=lambda p: np.hypot(p.x - x, p.y - y), default=None)
    return near if near is not None and np.hypot(near.x - x, near.y - y) < near.size else None
