"""Video bytes -> frames, decoded in a process of their own.

The file reaches the decoder through a descriptor of anonymous memory and never touches a disk. A decoder that
yields nothing for the stall time is killed; so is one whose reader stops.

Promises: any bytes give frames or ``FrsError`` (``VIDEO_UNREADABLE``, ``VIDEO_STALLED``,
``PICTURE_TOO_MANY_PIXELS``). A damaged video gives the frames that can be decoded. Containers: MP4 and MOV,
Matroska and WebM, AVI, MPEG, GIF and others that are single files.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from frs.embed import video_worker
from frs.errors import FrsError, Reason
from frs.types import Picture

_ROOT = Path(__file__).resolve().parents[2]
_PIPE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """One frame of a video."""

    time_ms: int
    """Time from the start of the video, milliseconds."""
    index: int
    """Number of the frame in the video, counting from 0 and counting the frames that were passed over."""
    picture: Picture
    duration_ms: int | None
    """Length of the whole video, milliseconds; None where the file does not say."""


def read_video(
    data: bytes | Path | Iterable[bytes], fps: float, stall_seconds: float, max_pixels: int
) -> Iterator[VideoFrame]:
    """Yield about ``fps`` frames per second of a video's time, upright RGB; every frame when ``fps`` is 0.

    ``data`` is the file, its path, or its bytes in parts. Closing the iterator ends the decoder.
    """
    source = _descriptor(data)
    try:
        decoder = _start(source, fps, max_pixels)
    finally:
        os.close(source)
    try:
        yield from _receive(decoder, stall_seconds)
    finally:
        decoder.kill()
        decoder.wait()
        assert decoder.stdout is not None
        decoder.stdout.close()


def _descriptor(data: bytes | Path | Iterable[bytes]) -> int:
    """Return a descriptor from which the file can be read from its start."""
    if isinstance(data, Path):
        try:
            return os.open(data, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise FrsError(Reason.VIDEO_UNREADABLE, f"the video {data} cannot be opened: {error.strerror}") from error
    memory = os.memfd_create("frs-video", os.MFD_CLOEXEC)
    try:
        for part in (data,) if isinstance(data, bytes) else data:
            view = memoryview(part)
            while view:
                view = view[os.write(memory, view) :]
        os.lseek(memory, 0, os.SEEK_SET)
    except BaseException:
        os.close(memory)
        raise
    return memory


def _start(source: int, fps: float, max_pixels: int) -> subprocess.Popen[bytes]:
    # The decoder inherits nothing of the service's environment but what finds its libraries.
    environment = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    environment |= {"PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    decoder = subprocess.Popen(  # noqa: S603  # our own interpreter and module; the arguments are numbers
        [sys.executable, "-P", "-m", video_worker.__name__, str(source), repr(float(fps)), str(int(max_pixels))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=(source,),
        env=environment,
    )
    assert decoder.stdout is not None
    with contextlib.suppress(OSError):  # a larger pipe only saves switching; the limit may be lower for this user
        fcntl.fcntl(decoder.stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return decoder


def _receive(decoder: subprocess.Popen[bytes], stall_seconds: float) -> Iterator[VideoFrame]:
    assert decoder.stdout is not None
    pipe = decoder.stdout.fileno()
    while True:
        kind = bytes(_read(pipe, 1, stall_seconds))
        if kind == video_worker.FRAME:
            header = _read(pipe, video_worker.HEADER.size, stall_seconds)
            time_ms, index, duration, width, height = video_worker.HEADER.unpack(header)
            picture = np.frombuffer(_read(pipe, width * height * 3, stall_seconds), np.uint8)
            yield VideoFrame(time_ms, index, picture.reshape(height, width, 3), duration if duration >= 0 else None)
        elif kind == video_worker.END:
            return
        elif kind == video_worker.FAILED:
            if bytes(_read(pipe, 1, stall_seconds)) == video_worker.TOO_MANY_PIXELS:
                raise FrsError(Reason.PICTURE_TOO_MANY_PIXELS, "the video's frames have more pixels than are taken")
            raise _unreadable()
        elif kind != video_worker.TICK:
            raise _unreadable()


def _read(pipe: int, size: int, stall_seconds: float) -> bytearray:
    """Read exactly ``size`` bytes, waiting at most ``stall_seconds`` for the next of them."""
    buffer = bytearray(size)
    view = memoryview(buffer)
    waiting = select.poll()
    waiting.register(pipe, select.POLLIN)
    latest = time.monotonic() + stall_seconds
    while view:
        left = latest - time.monotonic()
        if left <= 0 or not waiting.poll(left * 1000):
            raise FrsError(Reason.VIDEO_STALLED, f"the video gave no frame for {stall_seconds:g} seconds")
        count = os.readv(pipe, [view])
        if count == 0:
            raise _unreadable()
        view = view[count:]
        latest = time.monotonic() + stall_seconds
    return buffer


def _unreadable() -> FrsError:
    return FrsError(Reason.VIDEO_UNREADABLE, "the file is no video that can be decoded")
