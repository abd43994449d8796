"""Recordings for feed tests, without faces."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt


def picture(number: int, width: int = 320, height: int = 240) -> npt.NDArray[np.uint8]:
    """Return a grey picture whose brightness tells its number."""
    return np.full((height, width, 3), 10 + 8 * (number % 25), np.uint8)


def number_of(data: bytes) -> int:
    """Return the number of a picture as it came out of an encoder."""
    return round((float(decoded(data).mean()) - 10) / 8)


def decoded(data: bytes) -> npt.NDArray[np.uint8]:
    """Return a JPEG's or PNG's pixels."""
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), dtype=np.uint8)


def write_video(path: Path, frames: int, fps: int = 10) -> Path:
    """Write a video of numbered pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
        container.mux(stream.encode())
    return path


def write_folder(path: Path, names: list[str]) -> Path:
    """Write numbered pictures under these names."""
    path.mkdir()
    for number, name in enumerate(names):
        cv2.imwrite(str(path / name), picture(number))
    return path
