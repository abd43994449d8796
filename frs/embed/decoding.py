"""Hostile bytes -> an upright RGB picture, and back to JPEG.

Formats: JPEG, PNG, WebP, BMP, TIFF and GIF; of animated and many-paged files the first picture. The limits on
bytes and on pixels are checked before a pixel is decoded. EXIF orientation is applied. Grey, palette, CMYK and
16-bit pictures become 8-bit RGB; what is transparent is laid over mid grey.

Promises: any bytes give a :data:`frs.types.Picture` or ``FrsError`` (``PICTURE_EMPTY``, ``PICTURE_TOO_LARGE``,
``PICTURE_TOO_MANY_PIXELS``, ``PICTURE_TRUNCATED``, ``PICTURE_UNREADABLE``), never a warning. Safe in threads.
"""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

from frs.embed.jpeg import read_jpeg
from frs.embed.orientation import turn_upright
from frs.embed.stills import check_pixels, decode_still
from frs.errors import FrsError, Reason
from frs.types import Picture

# How each format starts; WebP is a RIFF file and is told by its form type as well.
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"BM", "BMP"),
)

CROP_MARGIN = 0.35
"""Of a face's sides, what is cut around it."""
CROP_SIDE = 640
"""Pixels, at most, of the longer side of a face's crop."""


def decode_picture(data: bytes, max_bytes: int, max_pixels: int) -> Picture:
    """Decode a picture file. ``max_pixels`` is width times height."""
    if not data:
        raise FrsError(Reason.PICTURE_EMPTY, "the picture has no bytes")
    if len(data) > max_bytes:
        raise FrsError(Reason.PICTURE_TOO_LARGE, f"the picture has {len(data)} bytes; at most {max_bytes} are taken")
    kind = picture_format(data)
    if kind is None:
        raise FrsError(Reason.PICTURE_UNREADABLE, "the bytes are no JPEG, PNG, WebP, BMP, TIFF or GIF picture")
    return _decode_jpeg(data, max_pixels) if kind == "JPEG" else decode_still(data, kind, max_pixels)


def picture_format(data: bytes) -> str | None:
    """Return the name of the format that the bytes start like, or None for any that is not taken."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return next((name for signature, name in _SIGNATURES if data.startswith(signature)), None)


def _decode_jpeg(data: bytes, max_pixels: int) -> Picture:
    header = read_jpeg(data)
    check_pixels(header.width, header.height, max_pixels)
    if header.components not in {1, 3} or header.precision != 8:
        return decode_still(data, "JPEG", max_pixels, orientation=header.orientation)
    # OpenCV's decoder gives the same pixels as Pillow's (both are libjpeg-turbo) in half the time. It is told to
    # leave the orientation alone because it was read above, by the same code as for every other format.
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise FrsError(Reason.PICTURE_UNREADABLE, "the JPEG cannot be decoded") from error
    if picture is None:
        raise FrsError(Reason.PICTURE_UNREADABLE, "the JPEG cannot be decoded")
    return turn_upright(picture, header.orientation)


def encode_jpeg(picture: Picture, quality: int = 92) -> bytes:
    """Encode an RGB picture as JPEG; ``quality`` is 1 to 100."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise FrsError(Reason.INTERNAL, f"a picture of shape {picture.shape} cannot be encoded")
    return bytes(data.tobytes())


def crop_face(picture: Picture, box: tuple[float, float, float, float], margin: float = CROP_MARGIN) -> Picture:
    """Return a copy of the box with ``margin`` of its sides around it, cut at the picture's edges.

    It is for people to look at: its longer side is scaled down to :data:`CROP_SIDE` pixels, so that as JPEG it stays
    well below the 1 MiB that the contract promises, whatever the picture.
    """
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = box
    across, down = (x2 - x1) * margin, (y2 - y1) * margin
    left, top = max(0, int(x1 - across)), max(0, int(y1 - down))
    right, bottom = min(width, int(np.ceil(x2 + across))), min(height, int(np.ceil(y2 + down)))
    if right <= left or bottom <= top:
        raise FrsError(Reason.INVALID_FIELD, f"the face box {box} lies outside the {width}x{height} picture")
    return _bounded(picture[top:bottom, left:right])


def _bounded(crop: Picture) -> Picture:
    """Return a copy of at most :data:`CROP_SIDE` pixels on its longer side."""
    height, width = crop.shape[:2]
    scale = CROP_SIDE / max(height, width)
    if scale >= 1:
        return crop.copy()
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cast(Picture, cv2.resize(crop, size, interpolation=cv2.INTER_AREA))
