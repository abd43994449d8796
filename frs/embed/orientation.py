"""EXIF orientation: read from a TIFF block (EXIF 2.32, tag 0x0112), applied to pixels.

Only this one tag is read, so that a damaged EXIF block never costs the picture: it then counts as upright.
"""

from __future__ import annotations

import cv2
import numpy as np

from frs.types import Picture

UPRIGHT = 1
_TAG = 0x0112
_SHORT = 3


def exif_orientation(block: bytes) -> int:
    """Return the orientation, 1 to 8, that an EXIF block (starting with its TIFF header) states; else 1."""
    order = {b"II": "little", b"MM": "big"}.get(block[:2])
    if order is None:
        return UPRIGHT

    def number(start: int, size: int) -> int:
        return int.from_bytes(block[start : start + size], "little" if order == "little" else "big")

    if number(2, 2) != 42:
        return UPRIGHT
    directory = number(4, 4)
    for entry in range(min(number(directory, 2), 512)):
        start = directory + 2 + 12 * entry
        if start + 12 > len(block):
            break
        if number(start, 2) == _TAG and number(start + 2, 2) == _SHORT:
            value = number(start + 8, 2)
            return value if 1 <= value <= 8 else UPRIGHT
    return UPRIGHT


def turn_upright(picture: Picture, orientation: int) -> Picture:
    """Return the picture as it is to be looked at, given the orientation it was stored in."""
    if orientation == UPRIGHT:
        return picture
    if orientation in {5, 7}:  # stored transposed: mirrored along a diagonal
        picture = cv2.transpose(picture)
        return np.ascontiguousarray(picture if orientation == 5 else cv2.rotate(picture, cv2.ROTATE_180))
    turned = {
        2: lambda: cv2.flip(picture, 1),
        3: lambda: cv2.rotate(picture, cv2.ROTATE_180),
        4: lambda: cv2.flip(picture, 0),
        6: lambda: cv2.rotate(picture, cv2.ROTATE_90_CLOCKWISE),
        8: lambda: cv2.rotate(picture, cv2.ROTATE_90_COUNTERCLOCKWISE),
    }
    return np.ascontiguousarray(turned[orientation]())
