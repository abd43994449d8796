"""Sources that end: a video file, or a folder of frames in name order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from frs.embed.decoding import encode_jpeg
from frs.embed.video import read_video
from frs.errors import FrsError, Reason
from frs.feed.shots import Shot

PICTURES = {".jpg", ".jpeg", ".png"}
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

    def shots(self) -> Iterator[Shot]:
        """Yield the frames; raises VIDEO_UNREADABLE or VIDEO_STALLED."""
        start = self._start or datetime.now(UTC)
        for frame in read_video(self._path, self._fps, _STALL_SECONDS, _MAX_PIXELS):
            data = encode_jpeg(frame.picture, self._quality)
            yield Shot(data, start + timedelta(milliseconds=frame.time_ms))

    def troubles(self) -> list[str]:
        """Return nothing: a file is read or it fails."""
        return []


class FrameFolder:
    """A folder of JPEG or PNG files, sent as they are, ``fps`` of them to a second of capture time."""

    live = False

    def __init__(self, path: Path, fps: float = 0.0, start: datetime | None = None) -> None:
        self._files = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURES and p.is_file())
        if not self._files:
            raise FrsError(Reason.VIDEO_UNREADABLE, f"{path} holds no JPEG or PNG file")
        self._step = timedelta(seconds=1.0 / (fps or 10.0))
        self._start = start
        self.total: int | None = len(self._files)
        self._troubles: list[str] = []

    def shots(self) -> Iterator[Shot]:
        """Yield the files' bytes in name order; one that cannot be read is passed over and told."""
        start = self._start or datetime.now(UTC)
        for number, file in enumerate(self._files):
            try:
                data = file.read_bytes()
            except OSError as error:
                self._troubles.append(f"{file.name}: {error.strerror}")
                continue
            yield Shot(data, start + number * self._step)

    def troubles(self) -> list[str]:
        """Return the files that could not be read."""
        return list(self._troubles)
