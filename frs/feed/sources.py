"""From what a person types to a source: a video file, a folder of frames, a webcam or a camera's address."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from frs.errors import FrsError, Reason
from frs.feed.camera import Camera
from frs.feed.files import FrameFolder, VideoFile
from frs.feed.shots import Source, Tell, tell_nobody


def open_source(
    given: str, fps: float = 0.0, quality: int = 92, start: datetime | None = None, tell: Tell = tell_nobody
) -> Source:
    """Return the source: ``scheme://…`` and ``/dev/video*`` are cameras, ``webcam:N`` is ``/dev/videoN``.

    ``start`` is the capture time of a recording's first frame; now when it is not known. ``tell`` hears of what went
    wrong and is got over.
    """
    if given.startswith("webcam:"):
        given = f"/dev/video{given.removeprefix('webcam:')}"
    if "://" in given or given.startswith("/dev/"):
        return Camera(given, fps, quality, tell)
    path = Path(given)
    if path.is_dir():
        return FrameFolder(path, fps, start, tell)
    if path.is_file():
        return VideoFile(path, fps, quality, start)
    raise FrsError(Reason.VIDEO_UNREADABLE, f"{given} is no file, folder, webcam (webcam:0) or address (rtsp://…)")
