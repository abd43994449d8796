"""The frame of an alert: kept as it came and sealed, shown with everybody hidden but the one it is about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from frs.embed.decoding import decode_picture, encode_jpeg
from frs.embed.engine import FaceEngine
from frs.embed.pack import Pack
from frs.errors import FrsError, Reason
from frs.match.frames import FrameKeeping, Scene
from frs.review.pictures import blurred
from frs.review.unblurring import Unblurring
from frs.settings import ReviewSettings
from frs.types import Picture
from tests.conftest import open_installation
from tests.manual_clock import ManualClock
from tests.match.film import WIDTH
from tests.match.stage import details
from tests.review.picture_desk import CHIEF, ELSEWHERE, PictureDesk, open_desk

STRANGERS = 0.945
"""What nobody else reaches on the pack that the tests use."""


@pytest.fixture(scope="module")
def desk(
    tmp_path_factory: pytest.TempPathFactory, engine: FaceEngine, starter_pack: Pack, sample_people: tuple[bytes, ...]
) -> Iterator[PictureDesk]:
    for place in open_installation(tmp_path_factory.mktemp("pictures"), engine, starter_pack, ManualClock()):
        yield open_desk(place, sample_people)


def read(jpeg: bytes) -> Picture:
    return decode_picture(jpeg, 1 << 24, 1 << 24)


def likeness(engine: FaceEngine, jpeg: bytes, person: bytes) -> float:
    """Return how much the likest face of a picture is like a person; -1 without a face."""
    (face,) = engine.detect(read(person))
    found = engine.detect(read(jpeg))
    return float((engine.embed(found) @ engine.embed([face])[0]).max()) if found else -1.0


def held(desk: PictureDesk) -> bytes:
    """Open the frame as it is sealed."""
    with desk.stage.installation.store.database.read() as connection:
        return desk.pictures.unblurred(connection, desk.case)


def test_the_frame_hides_everybody_but_the_alerted_face(
    desk: PictureDesk, engine: FaceEngine, sample_people: tuple[bytes, ...]
) -> None:
    """In the frame that is sent the listed person is recognised and their neighbour is not; in the sealed one both."""
    with desk.stage.installation.store.database.read() as connection:
        pictures = desk.pictures.of(connection, desk.case)
    listed, neighbour = sample_people[:2]
    assert likeness(engine, held(desk), listed) > 0.95
    assert likeness(engine, held(desk), neighbour) > 0.95
    assert likeness(engine, pictures.frame, listed) > 0.95
    assert likeness(engine, pictures.frame, neighbour) < STRANGERS
    assert likeness(engine, pictures.probe, listed) > 0.95
    assert likeness(engine, pictures.probe, neighbour) < STRANGERS
    assert set(pictures.references) == {desk.row.reference_id}


def test_the_frame_is_kept_at_the_size_that_the_policy_says(desk: PictureDesk) -> None:
    """It is scaled to review.frame_pixels with the faces' places in its own pixels, the alerted one first."""
    frame, faces = read(held(desk)), desk.row.frame_faces
    assert max(frame.shape[:2]) == 512 < WIDTH
    assert len(faces) >= 2
    for x1, y1, x2, y2 in faces[:2]:
        assert 0 <= x1 < x2 <= 513
        assert 0 <= y1 < y2 <= frame.shape[0] + 1
    assert faces[0][0] < faces[1][0]  # the listed person stands to the left
    assert desk.row.seen_seconds == pytest.approx(0.4)  # decided on the third frame at 5 a second
    assert desk.row.gallery_size == 3


def test_the_unblurred_frame_is_nowhere_but_sealed(desk: PictureDesk) -> None:
    """No file of the data directory, database and its write-ahead log included, has a piece of the frame's bytes."""
    frame = held(desk)
    pieces = [frame[at : at + 48] for at in range(600, len(frame) - 48, len(frame) // 12)]
    for file in sorted(Path(desk.stage.settings.data_dir).rglob("*")):
        if file.is_file():
            content = file.read_bytes()
            assert not any(piece in content for piece in pieces), file
    assert desk.row.frame_sealed is not None


def test_showing_everybody_takes_a_reason_and_is_logged(desk: PictureDesk) -> None:
    """The unblurred frame is given with a reason alone, to nobody outside their scope, and each time on the record."""
    place = desk.stage.installation
    unblurring = Unblurring(place.store.database, place.audit, desk.pictures)
    before = len(desk.stage.events(alert=desk.alert))
    for who, case, reason, refused in (
        (CHIEF, desk.case, "  ", Reason.INVALID_FIELD),
        (CHIEF, "0" * 32, "is he alone?", Reason.CASE_NOT_FOUND),
        (ELSEWHERE, desk.case, "is he alone?", Reason.CASE_NOT_FOUND),
    ):
        with pytest.raises(FrsError) as caught:
            unblurring.frame(who, case, reason)
        assert caught.value.reason is refused
    assert len(desk.stage.events(alert=desk.alert)) == before
    assert unblurring.frame(CHIEF, desk.case, "is he alone?") == held(desk)
    event = desk.stage.events(alert=desk.alert)[-1]
    assert event.action == "review.unblurred"
    said = details(event)
    assert (said["case"], said["reason"]) == (desk.case, "is he alone?")
    assert len(said["frame_sha256"]) == 64


def test_a_face_too_small_to_be_matched_is_hidden_too(engine: FaceEngine, sample_people: tuple[bytes, ...]) -> None:
    """Where the detector misses a small face in a large frame, which people still know, a kept frame hides it."""
    near, far = (read(person) for person in (sample_people[1], sample_people[0]))
    frame = np.full((720, 1280, 3), 118, np.uint8)
    frame[200 : 200 + near.shape[0], 100 : 100 + near.shape[1]] = near
    place = slice(100, 144), slice(900, 936)
    frame[place] = cv2.resize(far, (36, 44), interpolation=cv2.INTER_AREA)
    seen = engine.look(frame)
    assert len(seen.faces) == 1
    assert not seen.faint
    kept = FrameKeeping(engine, ReviewSettings()).keep(Scene(encode_jpeg(frame, 95), seen.faces[0].box, ()))
    assert kept is not None
    shown = blurred(kept.jpeg, [list(box) for box in kept.faces])
    before, after = (cv2.Laplacian(read(jpeg)[place], cv2.CV_64F).std() for jpeg in (kept.jpeg, shown))
    assert after < before / 3
    assert likeness(engine, shown, sample_people[1]) > 0.95


def test_without_a_frame_nothing_is_shown(desk: PictureDesk, engine: FaceEngine) -> None:
    """review.keep_frame off keeps none, a frame without known faces is not shown, and unblurring says so."""
    keeping = FrameKeeping(engine, ReviewSettings(keep_frame=False))
    assert keeping.keep(Scene(held(desk), (1.0, 1.0, 2.0, 2.0), ())) is None
    row = desk.row
    assert blurred(held(desk), []) == b""
    desk.change(frame_sealed=None, frame_faces=None)
    with desk.stage.installation.store.database.read() as connection:
        assert desk.pictures.of(connection, desk.case).frame == b""
    place = desk.stage.installation
    with pytest.raises(FrsError) as caught:
        Unblurring(place.store.database, place.audit, desk.pictures).frame(CHIEF, desk.case, "is he alone?")
    assert caught.value.reason is Reason.FRAME_NOT_KEPT
    desk.change(probe_sealed=None)
    with pytest.raises(FrsError) as caught, place.store.database.read() as connection:
        desk.pictures.of(connection, desk.case)
    assert caught.value.reason is Reason.ERASED
    desk.change(probe_sealed=row.probe_sealed, frame_sealed=row.frame_sealed, frame_faces=row.frame_faces)
