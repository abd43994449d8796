"""Pictures that take Pillow: every format but plain JPEG, and the odd JPEG (CMYK).

Pillow opens a file by its header alone, so the limit on pixels is checked before decoding. Its own limits on
text chunks and its bomb check stay in force; its warnings about damaged metadata are silenced here, for they say
nothing about the pixels. Used through :func:`frs.embed.decoding.decode_picture`, which documents the promises.
"""

from __future__ import annotations

import io
import re
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from frs.embed.orientation import UPRIGHT, exif_orientation, turn_upright
from frs.errors import FrsError, Reason
from frs.types import Picture

BACKGROUND = (128, 128, 128)
"""What shows through transparent pixels: mid grey, which neither darkens nor brightens a face's surroundings."""


def decode_still(data: bytes, kind: str, max_pixels: int, orientation: int | None = None) -> Picture:
    """Decode a picture of the named Pillow format; ``orientation`` overrides the one in the file."""
    _check_complete(data, kind)
    _silence_pillow()
    try:
        with Image.open(io.BytesIO(data), formats=(kind,)) as image:
            check_pixels(image.width, image.height, max_pixels)
            image.load()
            check_pixels(image.width, image.height, max_pixels)  # a GIF frame may be larger than its screen
            picture = _to_rgb(image)
            if orientation is None:
                # Pillow turns a TIFF upright by itself: there the orientation is a tag of the file.
                orientation = UPRIGHT if kind == "TIFF" else exif_orientation(_exif_block(image))
    except FrsError:
        raise
    except Image.DecompressionBombError as error:
        raise FrsError(Reason.PICTURE_TOO_MANY_PIXELS, "the picture is far over the limit on pixels") from error
    except Exception as error:  # Pillow's parsers raise nearly every built-in on hostile bytes
        raise _failure(kind, error) from error
    return turn_upright(picture, orientation)


def _check_complete(data: bytes, kind: str) -> None:
    """Raise ``PICTURE_TRUNCATED`` for what a container says is longer than the bytes given."""
    if kind == "WEBP":
        whole = int.from_bytes(data[4:8], "little") + 8 <= len(data)
    elif kind == "PNG":
        whole = _png_has_end(data)
    elif kind == "TIFF":
        order = data[:2] == b"II"
        whole = int.from_bytes(data[4:8], "little" if order else "big") + 2 <= len(data)
    else:
        whole = True
    if not whole:
        raise FrsError(Reason.PICTURE_TRUNCATED, f"the {kind} file is shorter than it says it is")


def _png_has_end(data: bytes) -> bool:
    position = 8
    while position + 12 <= len(data):
        if data[position + 4 : position + 8] == b"IEND":
            return True
        position += 12 + int.from_bytes(data[position : position + 4])
    return False


def _to_rgb(image: Image.Image) -> Picture:
    """Convert any mode to 8-bit RGB."""
    if image.mode.startswith(("I", "F")):
        grey = _to_eight_bits(np.asarray(image))
        return np.ascontiguousarray(np.repeat(grey[:, :, None], 3, axis=2))
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        front = image.convert("RGBA")
        ground = Image.new("RGBA", front.size, (*BACKGROUND, 255))
        return np.array(Image.alpha_composite(ground, front).convert("RGB"))
    return np.array(image.convert("RGB"))


def _to_eight_bits(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Scale grey levels to 0..255 by the narrowest of the usual ranges (1, 8, 16, 32 bits) that holds them."""
    if values.dtype == np.uint16:
        high: npt.NDArray[np.uint8] = (values >> 8).astype(np.uint8)
        return high
    levels = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0).clip(min=0.0)
    most = float(levels.max(initial=0.0))
    fraction = values.dtype.kind == "f" and most <= 1.0
    top = next((t for t in (1.0 if fraction else 255.0, 255.0, 65535.0, 4294967295.0) if most <= t), most)
    return np.round(levels * (255.0 / top)).astype(np.uint8)


def _exif_block(image: Image.Image) -> bytes:
    block = image.info.get("exif", b"")
    if not isinstance(block, bytes):
        return b""
    return block[6:] if block.startswith(b"Exif\x00\x00") else block


def _failure(kind: str, error: Exception) -> FrsError:
    text = str(error).lower()
    if "truncated" in text or isinstance(error, EOFError):
        return FrsError(Reason.PICTURE_TRUNCATED, f"the {kind} picture ends before its last pixel")
    return FrsError(Reason.PICTURE_UNREADABLE, f"the {kind} picture cannot be decoded")


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Raise ``PICTURE_TOO_MANY_PIXELS`` when a picture of this size is over the limit."""
    if width * height > max_pixels:
        message = f"the picture is {width}x{height}; at most {max_pixels / 1e6:g} megapixels are taken"
        raise FrsError(Reason.PICTURE_TOO_MANY_PIXELS, message)


def _silence_pillow() -> None:
    """Put a filter that ignores Pillow's warnings first, for the life of the process.

    ``warnings.catch_warnings`` swaps the process's whole filter list and is not safe in threads: two that overlap
    can leave the filters changed for good.
    """
    if warnings.filters[:1] != [_PILLOW_FILTER]:
        warnings.filterwarnings("ignore", module=_PILLOW_MODULES)


_PILLOW_MODULES = r"PIL\."
_PILLOW_FILTER = ("ignore", None, Warning, re.compile(_PILLOW_MODULES), 0)
