"""Cameras over real RTSP: they die, hang and come back, and the adapter goes on."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from frs.feed.camera import Camera
from tests.feed.films import decoded
from tests.feed.rtsp import RtspServer

# Longer than the reading process takes to start on a busy machine.
SILENCE = 5.0


def take(camera: Camera, frames: int) -> list[bytes]:
    """Return the first frames of a camera and let go of it."""
    shots = camera.shots()
    try:
        return [shot.data for shot in itertools.islice(shots, frames)]
    finally:
        shots.close()  # type: ignore[attr-defined]  # it is a generator


def readers() -> list[bytes]:
    """Return the arguments of this process's children that read cameras."""
    children = [int(c) for path in Path("/proc/self/task").glob("*/children") for c in path.read_text().split()]
    arguments = [Path(f"/proc/{child}/cmdline").read_bytes() for child in children]
    return [line for line in arguments if b"capture_worker" in line]


def until_told(camera: Camera, told: list[str], lines: int, seconds: float = 40.0) -> None:
    """Read a camera until it has told that much."""
    ended = threading.Event()

    def read() -> None:
        for _ in camera.shots():
            pass
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    latest = time.monotonic() + seconds
    while len(told) < lines and time.monotonic() < latest:
        time.sleep(0.05)
    camera.close()
    assert ended.wait(10)


def test_frames_come_from_an_rtsp_camera() -> None:
    """DESCRIBE, SETUP over TCP and PLAY are gone through, and each frame is a JPEG with the time it was taken."""
    with RtspServer() as server:
        camera = Camera(server.address, silence=SILENCE)
        shots = camera.shots()
        seen = list(itertools.islice(shots, 5))
        camera.close()
    assert server.requests[:4] == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]
    assert decoded(seen[0].data).shape == (240, 320, 3)
    assert all(before.captured_at <= after.captured_at for before, after in itertools.pairwise(seen))
    assert datetime.now(UTC) - seen[-1].captured_at < timedelta(seconds=30)


def test_a_camera_that_ends_its_stream_is_connected_again() -> None:
    """Frames go on coming from the next connection, and the loss is told when it happens."""
    told: list[str] = []
    with RtspServer(play_seconds=1.5) as server:
        camera = Camera(server.address, silence=SILENCE, first_wait=0.1, tell=told.append)
        for _ in camera.shots():
            if server.connections >= 2:
                break
        camera.close()
    assert "the stream ended; connecting again" in told[0]
    assert camera.troubles() == told


def test_a_camera_that_falls_silent_is_given_up_and_connected_again() -> None:
    """A connection that stays open and yields nothing ends after the silence, not never."""
    told: list[str] = []
    with RtspServer(play_seconds=1.5, hangs=True) as server:
        camera = Camera(server.address, silence=SILENCE, first_wait=0.1, tell=told.append)
        until_told(camera, told, 1)
    assert "no frame for 5 s" in told[0]


def test_a_camera_that_accepts_and_says_nothing_is_given_up() -> None:
    """Not even an answer to the first request: the same."""
    told: list[str] = []
    with RtspServer(answers=False) as server:
        camera = Camera(server.address, silence=1.0, first_wait=0.1, tell=told.append)
        until_told(camera, told, 2)
    assert camera.connections >= 2
    assert all("no frame for 1 s" in line for line in told)


def test_a_camera_that_is_not_there_is_tried_again_with_growing_waits() -> None:
    """A refused connection is told with its cause and its wait; the password is not in the line."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    told: list[str] = []
    camera = Camera(f"rtsp://guard:s3cret@127.0.0.1:{port}/camera", first_wait=0.05, tell=told.append)
    until_told(camera, told, 3)
    assert f"rtsp://127.0.0.1:{port}/camera: Connection refused; connecting again in 0.1 s" in told[0]
    assert "again in 0.2 s" in told[1]
    assert "again in 0.4 s" in told[2]
    assert "s3cret" not in "".join(told)


def test_a_webcam_that_is_not_there_is_tried_again() -> None:
    """It may be plugged in later."""
    told: list[str] = []
    camera = Camera("/dev/video97", first_wait=0.05, tell=told.append)
    until_told(camera, told, 2)
    assert told[0].startswith("/dev/video97: No such file or directory")


def test_a_cameras_password_is_not_among_the_process_arguments() -> None:
    """Every user of a machine can read the arguments of every process."""
    with RtspServer() as server:
        camera = Camera(server.address, silence=SILENCE)
        shots = camera.shots()
        next(shots)
        arguments = readers()
        camera.close()
    assert len(arguments) == 1
    assert b"s3cret" not in arguments[0]


def test_the_newest_frame_wins() -> None:
    """Who is slow gets the present, and the frames passed over are counted."""
    with RtspServer() as server:
        camera = Camera(server.address, silence=SILENCE)
        shots = camera.shots()
        next(shots)
        time.sleep(1.5)
        late = next(shots)
        assert datetime.now(UTC) - late.captured_at < timedelta(seconds=1)
        camera.close()
    assert camera.dropped >= 5


def test_closing_lets_go_of_the_camera() -> None:
    """The reading process ends with the iterator."""
    with RtspServer() as server:
        camera = Camera(server.address, silence=SILENCE)
        assert len(take(camera, 2)) == 2
        begun = time.monotonic()
        camera.close()
        assert time.monotonic() - begun < 5
    assert not readers()
