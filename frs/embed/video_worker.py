"""The process that decodes a video: ``python -m frs.embed.video_worker FD FPS MAX_PIXELS``.

Video files are the most complex input there is, so a decoder that crashes, hangs or is taken over does so here,
with nothing of the service in its memory. It reads the file from the descriptor it was given, opens nothing
else (no playlist's other files, no network), leaves no core dump, and writes messages to its standard output:

    kind, 1 byte ("F" frame, "T" still decoding, "E" end, "X" failed)
    then for a frame: time_ms, index, duration_ms (int64, -1 unknown), width, height (uint32), little-endian,
    and height x width x 3 bytes of RGB; for a failure: one byte ("U" unreadable, "P" too many pixels).
"""

from __future__ import annotations

import os
import resource
import struct
import sys
import time
from collections.abc import Iterator
from typing import BinaryIO, NoReturn

import av
import numpy as np
import numpy.typing as npt
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

HEADER = struct.Struct("<qqqII")
FRAME, TICK, END, FAILED = b"F", b"T", b"E", b"X"
UNREADABLE, TOO_MANY_PIXELS = b"U", b"P"
# Containers of single files. Playlists and capture devices, which name other files, are not among them.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,gif,asf,flv,ogg,mxf,h264,hevc,ivf,dv"
_MOST_DAMAGED = 500  # packets in a row that do not decode
_TICK_SECONDS = 1.0
_MEMORY = 6 << 30  # bytes of address space


class TooManyPixelsError(Exception):
    """A frame is over the limit."""


def main() -> None:
    """Decode the video of the descriptor named on the command line."""
    descriptor, fps, max_pixels = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    av.logging.set_level(av.logging.PANIC)
    with os.fdopen(descriptor, "rb") as source, os.fdopen(1, "wb") as sink:
        try:
            sent = decode(source, sink, fps, max_pixels)
        except TooManyPixelsError:
            sink.write(FAILED + TOO_MANY_PIXELS)
        except (FFmpegError, ValueError, MemoryError, OverflowError):
            sink.write(FAILED + UNREADABLE)
        else:
            sink.write(END if sent else FAILED + UNREADABLE)


def decode(source: BinaryIO, sink: BinaryIO, fps: float, max_pixels: int) -> int:
    """Write the frames that fall due at ``fps`` frames per second and return how many."""
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "none"}
    sent, due, told = 0, 0.0, time.monotonic()
    with av.open(source, mode="r", container_options=options, io_open=_refuse, metadata_errors="ignore") as container:
        stream = next(iter(container.streams.video), None)
        if stream is None:
            raise ValueError("no video stream")
        _check(stream.codec_context.width, stream.codec_context.height, max_pixels)
        duration = _duration_ms(stream, container.duration)
        for index, frame in enumerate(_frames(container.demux(stream))):
            at = _time_ms(frame, index, stream)
            if at + 0.5 >= due:
                _check(frame.width, frame.height, max_pixels)
                picture = upright(frame)
                sink.write(FRAME + HEADER.pack(int(at), index, duration, picture.shape[1], picture.shape[0]))
                sink.write(picture.data)
                sink.flush()
                sent, told = sent + 1, time.monotonic()
                due = max(due + 1000.0 / fps, at + 1.0) if fps > 0 else 0.0
            elif time.monotonic() - told > _TICK_SECONDS:
                sink.write(TICK)
                sink.flush()
                told = time.monotonic()
    return sent


def upright(frame: VideoFrame) -> npt.NDArray[np.uint8]:
    """Return a frame as contiguous RGB, turned as its display matrix says (counter-clockwise degrees)."""
    picture = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90) % 4))


def _frames(packets: Iterator[av.Packet[VideoStream]]) -> Iterator[VideoFrame]:
    """Decode packets, passing over damaged ones; a file that ends early ends here."""
    damaged = 0
    while damaged < _MOST_DAMAGED:
        try:
            packet = next(packets)
        except (StopIteration, FFmpegError):
            return
        try:
            for frame in packet.decode():
                damaged = 0
                yield frame
        except FFmpegError:
            damaged += 1


def _time_ms(frame: VideoFrame, index: int, stream: VideoStream) -> float:
    """Return a frame's time from the start of the video; by the frame rate where it carries none."""
    if frame.pts is not None and stream.time_base is not None:
        return max(0.0, float((frame.pts - (stream.start_time or 0)) * stream.time_base) * 1000.0)
    return index * 1000.0 / float(stream.average_rate or 25)


def _duration_ms(stream: VideoStream, container_duration: int | None) -> int:
    if stream.duration is not None and stream.time_base is not None:
        return int(stream.duration * stream.time_base * 1000)
    return container_duration // 1000 if container_duration is not None and container_duration > 0 else -1


def _check(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise TooManyPixelsError


def _refuse(url: str, *_: object) -> NoReturn:
    raise PermissionError(f"a video may not open {url!r}")


if __name__ == "__main__":
    main()
