"""Pictures in a terminal: by kitty's graphics protocol, by iTerm2's inline images, or as coloured half blocks."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import cv2
import numpy as np

from frs.cli.picture_looks import Look, look_of
from frs.embed.decoding import decode_picture, encode_jpeg
from frs.types import Picture

__all__ = ["Look", "beside", "drawn", "look_of"]

_MOST_BYTES, _MOST_PIXELS = 32 << 20, 64_000_000
_PIECE = 4096  # base64 characters in one kitty command
_CELL_PIXELS = 16  # across a cell where the terminal draws the picture itself
_GAP = 0.04  # between pictures, of their height
_BACKGROUND = 24


def beside(pictures: Sequence[bytes], columns: int, rows: int) -> Picture:
    """Return pictures beside each other, equally high, in a canvas that fits ``columns`` by ``rows`` cells.

    RGB, 16 by 32 pixels a cell. Raises FrsError for bytes that are no picture.
    """
    height = rows * 2 * _CELL_PIXELS
    gap = max(1, int(height * _GAP))
    scaled = [_as_high(decode_picture(each, _MOST_BYTES, _MOST_PIXELS), height) for each in pictures]
    width = sum(each.shape[1] for each in scaled) + gap * (len(scaled) - 1)
    canvas = np.full((height, width, 3), _BACKGROUND, np.uint8)
    left = 0
    for each in scaled:
        canvas[:, left : left + each.shape[1]] = each
        left += each.shape[1] + gap
    most = columns * _CELL_PIXELS
    if width <= most:
        return canvas
    size = (most, max(1, height * most // width))
    return np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), np.uint8)


def _as_high(picture: Picture, height: int) -> Picture:
    size = (max(1, round(picture.shape[1] * height / picture.shape[0])), height)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def drawn(canvas: Picture, look: Look) -> str:
    """Return what draws a canvas of :func:`beside` at the cursor and ends the line; empty for files."""
    rows, columns = -(-canvas.shape[0] // (2 * _CELL_PIXELS)), -(-canvas.shape[1] // _CELL_PIXELS)
    match look:
        case Look.KITTY:
            return _kitty(canvas, columns, rows)
        case Look.ITERM:
            data = base64.b64encode(encode_jpeg(canvas)).decode()
            return f"\x1b]1337;File=inline=1;width={columns};height={rows}:{data}\a\n"
        case Look.BLOCKS:
            return _blocks(canvas, columns, rows)
        case _:
            return ""


def _kitty(canvas: Picture, columns: int, rows: int) -> str:
    _, png = cv2.imencode(".png", canvas[:, :, ::-1])
    data = base64.b64encode(png.tobytes()).decode()
    pieces = [data[start : start + _PIECE] for start in range(0, len(data), _PIECE)]
    said = []
    for number, piece in enumerate(pieces):
        first = f"a=T,f=100,q=2,c={columns},r={rows}," if number == 0 else ""
        said.append(f"\x1b_G{first}m={int(number + 1 < len(pieces))};{piece}\x1b\\")
    return "".join(said) + "\n"


def _blocks(canvas: Picture, columns: int, rows: int) -> str:
    """Draw two pixels a cell: an upper half block in the colour of one on the colour of the other."""
    small = np.asarray(cv2.resize(canvas, (columns, 2 * rows), interpolation=cv2.INTER_AREA), np.uint8)
    lines = []
    for top, bottom in zip(small[0::2].tolist(), small[1::2].tolist(), strict=True):
        line, before = [], None
        for upper, lower in zip(top, bottom, strict=True):
            if (upper, lower) != before:
                line.append("\x1b[38;2;{};{};{};48;2;{};{};{}m".format(*upper, *lower))
                before = (upper, lower)
            line.append("\u2580")
        lines.append("".join(line) + "\x1b[0m\n")
    return "".join(lines)
