"""Pictures for journeys: frames drawn from the sample people, and pictures that no decoder should take."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]


def pixels(data: bytes) -> Pixels:
    """Decode a JPEG."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def jpeg(picture: Pixels, quality: int = 90) -> bytes:
    """Encode a JPEG."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=quality)
    return out.getvalue()


def frames(people: Sequence[bytes], count: int, width: int = 640, height: int = 360) -> Iterator[bytes]:
    """Draw people who walk slowly across a grey wall, side by side, as a camera's JPEG frames."""
    faces = [cv2.resize(pixels(person), (150, 180), interpolation=cv2.INTER_AREA) for person in people]
    for number in range(count):
        wall = np.full((height, width, 3), 118, np.uint8)
        for place, face in enumerate(faces):
            x = 20 + place * 200 + number * 2
            y = 60 + (number % 3)
            wall[y : y + 180, x : x + 150] = face
        yield jpeg(wall)


def empty_frame(width: int = 640, height: int = 360) -> bytes:
    """Return a frame with nobody in it."""
    return jpeg(np.full((height, width, 3), 118, np.uint8))


def sixty_megapixels() -> bytes:
    """Return a JPEG of 10,000 by 6,000 pixels."""
    return jpeg(np.zeros((6000, 10000, 3), np.uint8), 30)


def bomb() -> bytes:
    """Return a PNG of a few kilobytes that would decode to 90,000 by 90,000 pixels."""
    side = 90_000

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    header = side.to_bytes(4, "big") * 2 + bytes([1, 0, 0, 0, 0])
    body = zlib.compress(b"\0" * 1_000_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
