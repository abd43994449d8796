"""Recordings: folders in name order, videos by their own clock, and the ways they are played."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from frs.errors import FrsError, Reason
from frs.feed.camera import Camera, without_password
from frs.feed.files import MOST_BYTES, FrameFolder, VideoFile
from frs.feed.pacing import Limited, Looped, Paced
from frs.feed.sources import open_source
from tests.feed.films import number_of, write_folder, write_video

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("film") / "clip.mp4", 20)


def test_a_folder_is_sent_in_name_order_byte_for_byte(tmp_path: Path) -> None:
    """Frames leave as the files are, sorted by name, a tenth of a second apart unless a rate is given."""
    folder = write_folder(tmp_path / "frames", ["b.png", "a.jpg", "c.jpeg"])
    shots = list(FrameFolder(folder, start=START).shots())
    assert [shot.data for shot in shots] == [(folder / name).read_bytes() for name in ("a.jpg", "b.png", "c.jpeg")]
    assert [shot.captured_at - START for shot in shots] == [timedelta(seconds=n / 10) for n in range(3)]
    rated = list(FrameFolder(folder, fps=4, start=START).shots())
    assert rated[-1].captured_at - START == timedelta(seconds=0.5)


def test_what_is_no_picture_is_not_sent(tmp_path: Path) -> None:
    """Other files and sub-folders of the folder are left alone."""
    folder = write_folder(tmp_path / "frames", ["1.jpg"])
    (folder / "notes.txt").write_text("not a frame")
    (folder / "2.jpg").mkdir()
    assert len(list(FrameFolder(folder).shots())) == 1


def test_a_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    """Nothing to play is not a success."""
    with pytest.raises(FrsError, match="holds no JPEG or PNG") as caught:
        FrameFolder(tmp_path)
    assert caught.value.reason is Reason.VIDEO_UNREADABLE


def test_a_frame_that_cannot_be_sent_is_passed_over_and_told(tmp_path: Path) -> None:
    """One bad file stops no other: a broken link and a file over 20 MiB are named."""
    folder = write_folder(tmp_path / "frames", ["1.jpg", "4.jpg"])
    with (folder / "2.jpg").open("wb") as large:
        large.truncate(MOST_BYTES + 1)
    (folder / "3.jpg").write_bytes(b"here when the folder was read")
    told: list[str] = []
    source = FrameFolder(folder, tell=told.append)
    (folder / "3.jpg").unlink()
    assert len(list(source.shots())) == 2
    assert told == source.troubles()
    assert [line.split(" ", 1)[0] for line in told] == ["2.jpg", "3.jpg"]


def test_a_video_is_played_by_its_own_clock(video: Path) -> None:
    """Every frame comes, as a JPEG, with a capture time that runs from the recording's start."""
    shots = list(VideoFile(video, start=START).shots())
    assert [number_of(shot.data) for shot in shots] == list(range(20))
    assert [round((s.captured_at - START).total_seconds(), 3) for s in shots] == [n / 10 for n in range(20)]


def test_a_video_can_be_sampled(video: Path) -> None:
    """A rate below the video's own passes frames over."""
    assert len(list(VideoFile(video, fps=5).shots())) == 10


def test_a_file_that_is_no_video_is_an_error(tmp_path: Path) -> None:
    """It is told when it is read, not played as nothing."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"no video at all" * 100)
    with pytest.raises(FrsError) as caught:
        list(VideoFile(path).shots())
    assert caught.value.reason is Reason.VIDEO_UNREADABLE


@pytest.mark.parametrize("given", ["rtsp://camera/stream", "http://camera/mjpeg", "/dev/video0", "webcam:1"])
def test_addresses_and_webcams_are_cameras(given: str) -> None:
    """They are live: nobody waits for the adapter."""
    source = open_source(given)
    assert isinstance(source, Camera)
    assert source.live


def test_what_does_not_exist_is_an_error(tmp_path: Path) -> None:
    """A misspelt path is refused before anything is connected."""
    with pytest.raises(FrsError, match="no file, folder, webcam"):
        open_source(str(tmp_path / "nothing.mp4"))


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://guard:s3cret@10.0.0.7:554/s?x=1", "rtsp://10.0.0.7:554/s?x=1"),
        ("rtsp://guard:p@ss@10.0.0.7/s", "rtsp://10.0.0.7/s"),
        ("rtsp://10.0.0.7/s@2", "rtsp://10.0.0.7/s@2"),
        ("/dev/video0", "/dev/video0"),
    ],
)
def test_a_cameras_password_is_never_shown(address: str, shown: str) -> None:
    """Messages name the camera by its address without who may open it."""
    assert without_password(address) == shown


def test_real_time_is_the_pace_at_which_frames_were_taken(tmp_path: Path) -> None:
    """Six frames a tenth of a second apart take half a second, and the source counts as a camera."""
    folder = write_folder(tmp_path / "frames", [f"{n}.jpg" for n in range(6)])
    paced = Paced(FrameFolder(folder))
    assert paced.live
    begun = time.monotonic()
    assert len(list(paced.shots())) == 6
    assert time.monotonic() - begun >= 0.5


def test_closing_ends_a_wait_for_the_next_frame(tmp_path: Path) -> None:
    """A feed at real time stops at once, not at the next frame a minute later."""
    folder = write_folder(tmp_path / "frames", ["1.jpg", "2.jpg"])
    paced = Paced(FrameFolder(folder, fps=1 / 60))
    threading.Timer(0.2, paced.close).start()
    begun = time.monotonic()
    assert len(list(paced.shots())) == 1
    assert time.monotonic() - begun < 10


def test_a_looped_recording_goes_on_in_time(video: Path) -> None:
    """The second round follows the first: capture times never go back, and the frames begin again."""
    looped = Looped(VideoFile(video, start=START))
    shots = [shot for shot, _ in zip(looped.shots(), range(45), strict=False)]
    looped.close()
    assert [number_of(shot.data) for shot in shots] == [n % 20 for n in range(45)]
    seconds = [round((shot.captured_at - START).total_seconds(), 3) for shot in shots]
    assert seconds == [n / 10 for n in range(45)]


def test_a_limited_source_ends_after_its_frames(tmp_path: Path) -> None:
    """The number given is the most that is sent, and what a progress bar counts to."""
    folder = write_folder(tmp_path / "frames", [f"{n}.jpg" for n in range(6)])
    limited = Limited(FrameFolder(folder), 4)
    assert limited.total == 4
    assert len(list(limited.shots())) == 4
    assert Limited(FrameFolder(folder), 9).total == 6
