"""Videos are decoded in a process of their own, from memory, and never outlive their reader."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from frs.embed.video import VideoFrame, read_video
from frs.errors import FrsError, Reason

PIXELS = 10_000_000
STALL = 20.0


def clip(seconds: float = 2.0, rate: int = 20, container: str = "mp4", codec: str = "mpeg4", side: int = 64) -> bytes:
    """Draw a clip that starts black, grows brighter by the frame, and is red in its left half."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = side * 2, side, "yuv420p"
        stream.bit_rate = 2_000_000
        count = int(seconds * rate)
        for index in range(count):
            picture = np.full((side, side * 2, 3), 200 * index // count, np.uint8)
            picture[:, :side] = (200, 20, 20)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode(None))
    return buffer.getvalue()


CLIP = clip()


def frames(data: bytes | Path | list[bytes], fps: float = 5.0, max_pixels: int = PIXELS) -> list[VideoFrame]:
    return list(read_video(data, fps, STALL, max_pixels))


def reason_of(act: Callable[[], object]) -> Reason:
    with pytest.raises(FrsError) as caught:
        act()
    return caught.value.reason


def children() -> set[int]:
    """Return the processes that this one started and that still run."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found


@pytest.mark.parametrize(
    ("container", "codec"), [("mp4", "mpeg4"), ("matroska", "mpeg4"), ("avi", "mpeg4"), ("mpegts", "mpeg2video")]
)
def test_frames_come_at_their_times(container: str, codec: str) -> None:
    """Frames are taken at the rate asked for, in the video's own time, as upright RGB."""
    found = frames(clip(container=container, codec=codec, rate=25), fps=5)
    assert [frame.time_ms for frame in found] == pytest.approx(range(0, 2000, 200), abs=45)
    assert [frame.index for frame in found] == pytest.approx(range(0, 50, 5), abs=1)
    for frame in found:
        assert (frame.picture.shape, frame.picture.dtype) == ((64, 128, 3), np.dtype(np.uint8))
        assert np.abs(frame.picture[30, 10].astype(int) - [200, 20, 20]).max() < 25
    brightness = [int(frame.picture[30, 120].mean()) for frame in found]
    assert brightness == sorted(brightness)


def test_every_frame_when_no_rate_is_given() -> None:
    """A rate of 0 yields all frames."""
    assert [frame.index for frame in frames(CLIP, fps=0)] == list(range(40))


def test_length_is_told_for_progress() -> None:
    """Each frame carries the length of the whole video where the file says it."""
    assert frames(CLIP)[0].duration_ms == pytest.approx(2000, abs=60)


def test_bytes_path_and_parts_are_the_same_video(tmp_path: Path) -> None:
    """A video may come as bytes, as a file or in parts."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(CLIP)
    whole = frames(CLIP)
    for other in (frames(path), frames([CLIP[:1000], b"", CLIP[1000:]])):
        assert [frame.index for frame in other] == [frame.index for frame in whole]
        assert all(np.array_equal(a.picture, b.picture) for a, b in zip(whole, other, strict=True))


def test_animated_gif_is_a_video() -> None:
    """Frames of a GIF come with their delays."""
    pictures = [Image.new("RGB", (40, 30), (shade, 0, 99)) for shade in (0, 80, 160, 240)]
    buffer = io.BytesIO()
    pictures[0].save(buffer, "GIF", save_all=True, append_images=pictures[1:], duration=500)
    assert [frame.time_ms for frame in frames(buffer.getvalue(), fps=0)] == [0, 500, 1000, 1500]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello" * 100,
        CLIP[:40],
        b"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile '/etc/hostname'\n",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    ],
)
def test_what_is_no_video_is_unreadable(data: bytes) -> None:
    """Other bytes, and playlists that name other files or hosts, are refused."""
    assert reason_of(lambda: frames(data)) is Reason.VIDEO_UNREADABLE


def test_playlist_cannot_reach_a_file(tmp_path: Path) -> None:
    """A playlist that names a real video yields none of its frames."""
    (tmp_path / "clip.ts").write_bytes(clip(container="mpegts", codec="mpeg2video"))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{tmp_path}/clip.ts\n#EXT-X-ENDLIST\n"
    assert reason_of(lambda: frames(playlist.encode())) is Reason.VIDEO_UNREADABLE


def test_sound_alone_is_no_video() -> None:
    """A file without pictures is refused."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="wav") as file:
        stream = file.add_stream("pcm_s16le", rate=8000)
        assert isinstance(stream, av.AudioStream)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        silence.sample_rate = 8000
        file.mux(stream.encode(silence))
    assert reason_of(lambda: frames(buffer.getvalue())) is Reason.VIDEO_UNREADABLE


def test_truncated_video_gives_what_it_holds() -> None:
    """Of a recording that ends early the frames that are there are yielded."""
    whole = clip(container="matroska")
    part = frames(whole[: len(whole) // 2], fps=0)
    assert 0 < len(part) < 40


def test_damage_is_passed_over() -> None:
    """Frames around a damaged stretch are still yielded."""
    data = bytearray(clip(container="mpegts", codec="mpeg2video", seconds=4))
    middle = len(data) // 2 // 188 * 188
    data[middle + 4 : middle + 150] = os.urandom(146)
    assert len(frames(bytes(data), fps=0)) > 60


def test_limit_on_pixels() -> None:
    """Frames over the limit are refused before they are decoded."""
    assert reason_of(lambda: frames(CLIP, max_pixels=128 * 64 - 1)) is Reason.PICTURE_TOO_MANY_PIXELS
    assert frames(CLIP, max_pixels=128 * 64)


def test_missing_file_is_unreadable(tmp_path: Path) -> None:
    """A path that is not there is an error of the catalogue."""
    assert reason_of(lambda: frames(tmp_path / "none.mp4")) is Reason.VIDEO_UNREADABLE


def test_stalled_decoder_is_killed(tmp_path: Path) -> None:
    """A video that yields nothing for the stall time is given up, and its process is gone."""
    before = children()
    path = tmp_path / "endless"
    os.mkfifo(path)
    done = threading.Event()

    def feed() -> None:
        with path.open("wb") as pipe:
            pipe.write(clip(container="mpegts", codec="mpeg2video")[:3000])
            pipe.flush()
            done.wait(30)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        assert reason_of(lambda: list(read_video(path, 0, 1.0, PIXELS))) is Reason.VIDEO_STALLED
        assert children() == before
    finally:
        done.set()
        feeder.join()


def test_slow_reader_is_no_stall() -> None:
    """Only the decoder's silence counts, not the time the reader takes."""
    reader = read_video(clip(side=128, seconds=3), 0, 3.0, PIXELS)
    next(reader)
    threading.Event().wait(3.5)
    assert len(list(reader)) == 59


def test_closing_ends_the_process_and_the_video_was_never_on_disk() -> None:
    """The decoder reads anonymous memory; when its reader stops it is gone at once."""
    before = children()
    reader = read_video(CLIP, 0, STALL, PIXELS)
    next(reader)
    (decoder,) = children() - before
    links = [str(link.readlink()) for link in Path(f"/proc/{decoder}/fd").iterdir()]
    assert any(link.startswith("/memfd:frs-video") for link in links)
    assert isinstance(reader, Iterator)
    reader.close()  # type: ignore[attr-defined]  # a generator, announced as an iterator
    assert children() == before


def test_source_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """When the parts of a video cannot be read to the end, no process and no descriptor is left."""
    descriptors = len(list(Path("/proc/self/fd").iterdir()))

    def parts() -> Iterator[bytes]:
        yield CLIP[:1000]
        raise FrsError(Reason.KEY_MISSING, "the upload was destroyed")

    before = children()
    assert reason_of(lambda: list(read_video(parts(), 0, STALL, PIXELS))) is Reason.KEY_MISSING
    assert children() == before
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


@settings(max_examples=5, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=30))
def test_mutated_videos_raise_only_catalogue_errors(changes: list[tuple[int, int]]) -> None:
    """A video with changed bytes gives frames or an error of the catalogue."""
    data = bytearray(CLIP)
    for place, value in changes:
        data[place % len(data)] = value
    expected = {Reason.VIDEO_UNREADABLE, Reason.PICTURE_TOO_MANY_PIXELS}
    try:
        found = frames(bytes(data), fps=2, max_pixels=1_000_000)
    except FrsError as error:
        assert error.reason in expected  # noqa: PT017  # raising is one of two good outcomes
    else:
        assert all(frame.picture.ndim == 3 for frame in found)


@pytest.mark.shared
def test_recorded_videos(shared: Path) -> None:
    """Real recordings decode at the rate asked for."""
    found = frames(shared / "data" / "video" / "help.mkv", fps=5)
    assert [frame.time_ms for frame in found] == list(range(0, 1801, 200))
    assert found[0].picture.shape == (480, 640, 3)
