"""The process that reads a camera: RTSP and other addresses, or a webcam, through FFmpeg.

A camera library may hang for ever in a read, so it runs apart and is killed by its parent when it falls silent.
Frames go to standard output as ``<length><microseconds since the epoch><JPEG>``, both big-endian 64-bit integers.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from typing import BinaryIO

import av
import numpy as np

from frs.embed.decoding import encode_jpeg

HEADER = struct.Struct(">QQ")
OPEN_SECONDS = 10.0
READ_SECONDS = 10.0


def main() -> None:
    """Read ``ADDRESS QUALITY FPS`` from the command line and write frames until the source ends."""
    address, quality, fps = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    sink = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # a library that prints must not spoil the frames
    try:
        capture(address, quality, fps, sink)
    except BrokenPipeError:
        sys.exit(0)
    except (av.FFmpegError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)


def capture(address: str, quality: int, fps: float, sink: BinaryIO) -> None:
    """Write the frames of an address; ``fps`` above 0 passes over frames that come faster."""
    is_webcam = address.startswith("/dev/")
    options = {"rtsp_transport": "tcp"} if address.startswith("rtsp") else {}
    with av.open(
        address,
        format="v4l2" if is_webcam else None,
        options=options,
        timeout=None if is_webcam else (OPEN_SECONDS, READ_SECONDS),
    ) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        due = 0.0
        for frame in container.decode(stream):
            now = time.time()
            if fps > 0 and now < due:
                continue
            due = now + 0.9 / fps if fps > 0 else 0.0
            data = encode_jpeg(frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False), quality)
            sink.write(HEADER.pack(len(data), int(now * 1e6)) + data)


if __name__ == "__main__":
    main()
