"""The structure of a JPEG stream (ITU-T T.81), read before anything decodes it.

Decoders fill what is missing of a truncated JPEG with grey and say nothing. This walk over the markers, up to
the end-of-image marker, tells a whole stream from a truncated one, and gives the size, the number of components
and the EXIF orientation without decoding a pixel.

Promises: any bytes give a :class:`JpegHeader` or ``FrsError`` (``PICTURE_TRUNCATED``, ``PICTURE_UNREADABLE``),
in time linear in the length of the data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from frs.embed.orientation import UPRIGHT, exif_orientation
from frs.errors import FrsError, Reason

# A byte of value FF inside entropy-coded data is stuffed (FF 00), a restart marker (FF D0..D7) or a fill byte.
_MARKER_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SOI, _EOI, _SOS, _APP1, _TEM = 0xD8, 0xD9, 0xDA, 0xE1, 0x01
_RESTARTS = range(0xD0, 0xD8)
# Start-of-frame markers are C0..CF without DHT (C4), JPG (C8) and DAC (CC).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# A progressive file has about ten scans; thousands of them over a large picture are an attack on the decoder.
_MAX_SCANS = 100


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What the frame header says."""

    width: int
    height: int
    components: int
    """1 grey, 3 colour, 4 CMYK."""
    precision: int
    """Bits per sample."""
    orientation: int
    """EXIF orientation, 1 to 8; 1 when there is none."""


def read_jpeg(data: bytes) -> JpegHeader:
    """Walk the markers of a JPEG stream to its end of image and return its header."""
    orientation = UPRIGHT
    frame: tuple[int, int, int, int] | None = None
    scans = 0
    position = 2  # the caller saw the start-of-image marker
    while True:
        marker, position = _next_marker(data, position)
        if marker == _EOI:
            break
        if marker in _RESTARTS or marker in {_TEM, _SOI}:
            continue
        segment, position = _segment(data, position)
        if marker in _FRAMES and frame is None:
            frame = _frame(segment)
        elif marker == _APP1 and orientation == UPRIGHT and segment[:6] == b"Exif\x00\x00":
            orientation = exif_orientation(segment[6:])
        elif marker == _SOS:
            scans += 1
            if frame is None or scans > _MAX_SCANS:
                raise FrsError(Reason.PICTURE_UNREADABLE, "the JPEG has no frame before its scan, or too many scans")
            position = _after_scan(data, position)
    if frame is None or scans == 0:
        raise FrsError(Reason.PICTURE_UNREADABLE, "the JPEG holds no picture")
    precision, height, width, components = frame
    return JpegHeader(width, height, components, precision, orientation)


def _next_marker(data: bytes, position: int) -> tuple[int, int]:
    """Return the marker at or after ``position`` (stray bytes are skipped, as decoders do) and what follows it."""
    position = data.find(b"\xff", position)
    while 0 <= position < len(data) - 1:
        if data[position + 1] == 0xFF:
            position += 1
        elif data[position + 1] == 0x00:
            position = data.find(b"\xff", position + 2)
        else:
            return data[position + 1], position + 2
    raise _truncated()


def _segment(data: bytes, position: int) -> tuple[bytes, int]:
    length = int.from_bytes(data[position : position + 2])
    if position + 2 > len(data) or position + length > len(data):
        raise _truncated()
    if length < 2:
        raise FrsError(Reason.PICTURE_UNREADABLE, "the JPEG has a segment of impossible length")
    return data[position + 2 : position + length], position + length


def _frame(segment: bytes) -> tuple[int, int, int, int]:
    """Return precision, height, width and components of a start-of-frame segment."""
    if len(segment) < 6:
        raise FrsError(Reason.PICTURE_UNREADABLE, "the JPEG's frame header is too short")
    height, width = int.from_bytes(segment[1:3]), int.from_bytes(segment[3:5])
    if not height or not width:
        raise FrsError(Reason.PICTURE_UNREADABLE, "the JPEG has no size")
    return segment[0], height, width, segment[5]


def _after_scan(data: bytes, position: int) -> int:
    found = _MARKER_AFTER_SCAN.search(data, position)
    if found is None:
        raise _truncated()
    return found.start()


def _truncated() -> FrsError:
    return FrsError(Reason.PICTURE_TRUNCATED, "the JPEG ends before its end-of-image marker")
