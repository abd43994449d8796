"""Sources that end: a video file, or a folder of frames in name order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from frs.embed.decoding import encode_jpeg
from frs.embed.video import read_video
from frs.errors import FrsError, Reason
from frs.feed.shots import Shot, Tell, tell_nobody

PICTURES = {".jpg", ".jpeg", ".png"}
MOST_BYTES = 20 * 1024 * 1024
"""Of one frame, as the contract says."""
_STALL_SECONDS = 30.0
_MAX_PIXELS = 50_000_000


class VideoFile:
    """A video, frame by frame; capture times run from ``start`` with the video's own clock."""

    live = False
    total: int | None = None

    def __init__(self, path: Path, fps: float = 0.0, quality: int = 92, start: datetime | None = None) -> None:
        """``fps`` frames are sent per second of video, every one when 0; ``quality`` is of the JPEGs sent."""
        if not path.is_file():
            raise FrsError(Reason.VIDEO_UNREADABLE, f"{path} is not a file")
        self._path = path
        self._fps = fps
        self._quality = quality
        self._start = start
        self._closed = threading.Event()

    def shots(self) -> Iterator[Shot]:
        """Yield the frames; raises VIDEO_UNREADABLE or VIDEO_STALLED."""
        start = self._start or datetime.now(UTC)
        for frame in read_video(self._path, self._fps, _STALL_SECONDS, _MAX_PIXELS):
            if self._closed.is_set():
                return
            data = encode_jpeg(frame.picture, self._quality)
            yield Shot(data, start + timedelta(milliseconds=frame.time_ms))

    def close(self) -> None:
        """End after the frame that is being read."""
        self._closed.set()

    def troubles(self) -> list[str]:
        """Return nothing: a file is read or it fails."""
        return []


class FrameFolder:
    """A folder of JPEG or PNG files, sent as they are, ``fps`` of them to a second of capture time."""

    live = False

    def __init__(self, path: Path, fps: float = 0.0, start: datetime | None = None, tell: Tell = tell_nobody) -> None:
        self._files = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURES and p.is_file())
        if not self._files:
            raise FrsError(Reason.VIDEO_UNREADABLE, f"{path} holds no JPEG or PNG file")
        self._step = timedelta(seconds=1.0 / (fps or 10.0))
        self._start = start
        self._tell = tell
        self._closed = threading.Event()
        self.total: int | None = len(self._files)
        self._troubles: list[str] = []

    def shots(self) -> Iterator[Shot]:
        """Yield the files' bytes in name order; one that cannot be read or sent is passed over and told."""
        start = self._start or datetime.now(UTC)
        for number, file in enumerate(self._files):
            if self._closed.is_set():
                return
            try:
                data = file.read_bytes()
            except OSError as error:
                self._pass_over(file, str(error.strerror))
                continue
            if len(data) > MOST_BYTES:
                self._pass_over(file, "larger than 20 MiB")
                continue
            yield Shot(data, start + number * self._step)

    def close(self) -> None:
        """End after the frame that is being read."""
        self._closed.set()

    def troubles(self) -> list[str]:
        """Return the files that were passed over."""
        return list(self._troubles)

    def _pass_over(self, file: Path, why: str) -> None:
        self._troubles.append(f"{file.name} is passed over: {why}")
        self._tell(self._troubles[-1])
