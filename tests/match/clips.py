"""Pictures and clips drawn from the sample people: who is seen when, and moving."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import av
import cv2
import numpy as np
from PIL import Image

from frs.embed.decoding import decode_picture, encode_jpeg
from frs.types import Picture

WIDTH, HEIGHT = 640, 400
FPS = 10
GREY = 110


@dataclass(frozen=True, slots=True)
class Walk:
    """A person who crosses the picture from one second to another."""

    portrait: bytes
    begins: float
    ends: float
    left: int = 20
    """Where they begin, pixels from the left edge."""


def read(picture: bytes) -> Picture:
    """Decode a test picture."""
    return decode_picture(picture, 1 << 24, 1 << 24)


def blank() -> bytes:
    """Return a picture without a face."""
    return encode_jpeg(np.full((HEIGHT, WIDTH, 3), GREY, np.uint8))


def side_by_side(*pictures: Picture) -> bytes:
    """Put pictures beside one another on a grey ground."""
    height = max(each.shape[0] for each in pictures)
    padded = [
        cv2.copyMakeBorder(each, 0, height - each.shape[0], 10, 10, cv2.BORDER_CONSTANT, value=(GREY, GREY, GREY))
        for each in pictures
    ]
    return encode_jpeg(np.hstack(padded))


def scaled(picture: bytes, factor: float) -> Picture:
    """Return the picture at another size."""
    return np.asarray(cv2.resize(read(picture), None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)


def blurred(picture: bytes) -> bytes:
    """Return the picture out of focus, beyond use."""
    return encode_jpeg(np.asarray(cv2.GaussianBlur(read(picture), (0, 0), 6), np.uint8))


def retaken(picture: bytes) -> bytes:
    """Return the same face as another file: a little smaller, lighter and more compressed."""
    lighter = cv2.convertScaleAbs(scaled(picture, 0.9), alpha=1.05, beta=6)
    return encode_jpeg(np.asarray(lighter, np.uint8), quality=75)


def frames(seconds: float, walks: Sequence[Walk]) -> list[Picture]:
    """Draw the frames of a clip."""
    portraits = [read(walk.portrait) for walk in walks]
    drawn = []
    for number in range(round(seconds * FPS)):
        at = number / FPS
        canvas = np.full((HEIGHT, WIDTH, 3), GREY, np.uint8)
        for walk, portrait in zip(walks, portraits, strict=True):
            if walk.begins <= at < walk.ends:
                left = walk.left + round(25 * (at - walk.begins))
                top = 60 + round(10 * np.sin(at * 3))
                height, width = portrait.shape[:2]
                canvas[top : top + height, left : left + width] = portrait[: HEIGHT - top, : WIDTH - left]
        drawn.append(canvas)
    return drawn


def mp4(seconds: float, *walks: Walk) -> bytes:
    """Draw a clip and encode it."""
    return _encoded("mp4", seconds, walks)


def mkv(seconds: float, *walks: Walk) -> bytes:
    """Draw a clip and encode it into a container that can be read from a part of it."""
    return _encoded("matroska", seconds, walks)


def _encoded(container_format: str, seconds: float, walks: Sequence[Walk]) -> bytes:
    sink = io.BytesIO()
    with av.open(sink, "w", format=container_format) as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = WIDTH, HEIGHT, "yuv420p", 6_000_000
        for picture in frames(seconds, walks):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return sink.getvalue()


def gif(seconds: float, *walks: Walk) -> bytes:
    """Draw a clip as an animated GIF."""
    first, *rest = (Image.fromarray(picture) for picture in frames(seconds, walks))
    sink = io.BytesIO()
    first.save(sink, "GIF", save_all=True, append_images=rest, duration=1000 // FPS, loop=0)
    return sink.getvalue()
