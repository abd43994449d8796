"""The process that reads a camera: RTSP and other addresses, or a webcam, through FFmpeg.

A camera library may hang for ever in a read, so it runs apart and is killed by its parent when it falls silent. The
address comes on standard input, because arguments are visible to every user of the machine and an address may carry a
password. Frames go to standard output as ``<length><microseconds since the epoch><JPEG>``, both big-endian 64-bit
integers; why the source ended goes to standard error as one line.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from typing import BinaryIO

import av

from frs.embed.decoding import encode_jpeg
from frs.embed.video_worker import upright

HEADER = struct.Struct(">QQ")
OPEN_SECONDS = 10.0
READ_SECONDS = 10.0


def main() -> None:
    """Read ``QUALITY FPS`` from the command line and the address from standard input; write frames to the end."""
    quality, fps = int(sys.argv[1]), float(sys.argv[2])
    address = sys.stdin.readline().strip()
    sink = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # a library that prints must not spoil the frames
    av.logging.set_level(av.logging.PANIC)
    try:
        capture(address, quality, fps, sink)
    except BrokenPipeError:
        sys.exit(0)
    except (av.FFmpegError, OSError) as error:
        # The library's text repeats the address, which may carry a password; the parent names the camera.
        sys.stderr.write(f"{error.strerror or type(error).__name__}\n")
        sys.exit(1)


def capture(address: str, quality: int, fps: float, sink: BinaryIO) -> None:
    """Write the frames of an address; ``fps`` above 0 passes over frames that come faster."""
    is_webcam = address.startswith("/dev/")
    options = {"analyzeduration": "1000000"}  # what the camera carries is found out in one second instead of five
    if address.startswith("rtsp"):
        options["rtsp_transport"] = "tcp"
    with av.open(
        address,
        format="v4l2" if is_webcam else None,
        options={} if is_webcam else options,
        timeout=None if is_webcam else (OPEN_SECONDS, READ_SECONDS),
    ) as container:
        stream = next(iter(container.streams.video), None)
        if stream is None:
            raise OSError(0, "the address carries no video")
        stream.thread_type = "SLICE"  # threads by frame would each hold one back
        due = 0.0
        for frame in container.decode(stream):
            now = time.time()
            if fps > 0 and now < due:
                continue
            due = now + 0.9 / fps if fps > 0 else 0.0
            data = encode_jpeg(upright(frame), quality)
            sink.write(HEADER.pack(len(data), int(now * 1e6)) + data)


if __name__ == "__main__":
    main()
