"""Tracks follow faces by place and time alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frs.match.tracking import Step, Tracker


def square(x: float, y: float, size: float = 60.0) -> list[float]:
    return [x - size / 2, y - size / 2, x + size / 2, y + size / 2]


def boxes(*rows: list[float]) -> npt.NDArray[np.float64]:
    return np.array(rows, np.float64).reshape(-1, 4)


def test_a_walking_face_keeps_its_track() -> None:
    """A face that moves a third of its size from picture to picture is one track."""
    tracker = Tracker(2.0)
    steps = [tracker.update(i / 5, boxes(square(100 + 20 * i, 80))) for i in range(20)]
    assert {step.numbers for step in steps} == {(1,)}
    assert steps[0].begun == (1,)
    assert all(not step.begun and not step.ended for step in steps[1:])


def test_a_pan_moves_everybody_and_keeps_every_track() -> None:
    """Under a pan of one and a half face sizes a picture, tracks follow once the velocity is known."""
    tracker = Tracker(2.0)
    people = [(100.0, 100.0), (400.0, 120.0), (700.0, 90.0)]
    expected = tracker.update(0.0, boxes(*(square(x, y) for x, y in people))).numbers
    shift = 0.0
    for i in range(1, 15):
        shift += min(20 * i, 90)  # a pan gathers speed
        step = tracker.update(i / 10, boxes(*(square(x + shift, y) for x, y in people)))
        assert step.numbers == expected


def test_a_new_face_borrows_the_velocity_of_the_pan() -> None:
    """A face first seen in the middle of a pan is followed from its second picture on."""
    tracker = Tracker(2.0)
    for i in range(5):
        tracker.update(i / 10, boxes(square(800 - 55 * i, 100), square(600 - 55 * i, 300)))
    late = tracker.update(0.5, boxes(square(525, 100), square(325, 300), square(900, 200)))
    after = tracker.update(0.6, boxes(square(470, 100), square(270, 300), square(845, 200)))
    assert after.numbers == late.numbers


def test_crossing_faces_keep_their_tracks() -> None:
    """Two people who walk past one another are told apart by where they were going."""
    tracker = Tracker(2.0)
    first = tracker.update(0.0, boxes(square(0, 100), square(300, 130))).numbers
    for i in range(1, 13):
        step = tracker.update(i / 10, boxes(square(25 * i, 100), square(300 - 25 * i, 130)))
        assert step.numbers == first


def test_who_leaves_does_not_shift_the_others() -> None:
    """In a row of faces, when one leaves on the left and one comes on the right, the rest keep their tracks."""
    tracker = Tracker(2.0)
    tracker.update(0.0, boxes(*(square(70 * i, 100) for i in range(1, 6))))
    step = tracker.update(0.2, boxes(*(square(70 * i, 100) for i in range(2, 7))))
    assert step.numbers == (2, 3, 4, 5, 6)


def test_a_face_hidden_for_a_moment_resumes_its_track() -> None:
    """Unseen for less than the limit, a walking face resumes its track where it must be by then."""
    tracker = Tracker(2.0)
    for i in range(5):
        tracker.update(i / 10, boxes(square(100 + 15 * i, 80)))
    for i in range(5, 9):
        assert tracker.update(i / 10, boxes()).ended == ()
    assert tracker.update(0.9, boxes(square(100 + 15 * 9, 80))).numbers == (1,)


def test_a_face_unseen_for_too_long_has_ended() -> None:
    """A track ends after lost_seconds of capture time, and its number is not given again."""
    tracker = Tracker(2.0)
    tracker.update(0.0, boxes(square(100, 100)))
    assert tracker.update(2.0, boxes()).ended == ()
    step = tracker.update(2.1, boxes(square(100, 100)))
    assert (step.ended, step.numbers, step.begun) == ((1,), (2,), (2,))
    assert tracker.finish() == (2,)
    assert tracker.active == ()


def test_a_face_elsewhere_is_another_track() -> None:
    """A face several sizes away, or of quite another size, is not the same track."""
    tracker = Tracker(2.0)
    tracker.update(0.0, boxes(square(100, 100)))
    assert tracker.update(0.1, boxes(square(400, 100))).begun == (2,)
    assert tracker.update(0.2, boxes(square(100, 100, 200))).begun == (3,)


def test_two_pictures_of_one_instant_are_accepted() -> None:
    """Equal capture times are allowed and leave the velocity as it was."""
    tracker = Tracker(2.0)
    for at in (0.0, 0.0, 0.1, 0.1):
        assert tracker.update(at, boxes(square(100 + 100 * at, 100))).numbers == (1,)


def test_time_does_not_go_back() -> None:
    """A picture from before the last one is refused."""
    tracker = Tracker(2.0)
    tracker.update(1.0, boxes())
    with pytest.raises(ValueError, match="went back"):
        tracker.update(0.9, boxes())


faces = st.lists(
    st.tuples(st.floats(-50, 2000), st.floats(-50, 1200), st.floats(0, 400)).map(lambda f: square(*f)), max_size=8
)
films = st.lists(st.tuples(st.sampled_from([0.0, 0.04, 0.2, 1.0, 2.5]), faces), max_size=12)


@settings(max_examples=80, deadline=None)
@given(films)
def test_invariants_of_any_film(film: list[tuple[float, list[list[float]]]]) -> None:
    """Each face has one track of its own; a number begins once, ends once, is not seen after its end."""
    tracker, at = Tracker(2.0), 0.0
    last_seen: dict[int, float] = {}
    ended: set[int] = set()
    for gap, rows in film:
        at += gap
        step: Step = tracker.update(at, boxes(*rows))
        assert len(step.numbers) == len(set(step.numbers)) == len(rows)
        assert all(at - last_seen[number] > 2.0 for number in step.ended)
        assert not ended & set(step.ended)
        ended |= set(step.ended)
        assert not ended & set(step.numbers)
        assert set(step.begun) == set(step.numbers) - set(last_seen)
        last_seen.update(dict.fromkeys(step.numbers, at))
        assert set(tracker.active) == set(last_seen) - ended
    assert set(tracker.finish()) == set(last_seen) - ended


@given(st.permutations(range(5)))
@settings(max_examples=20, deadline=None)
def test_the_order_of_faces_in_a_picture_means_nothing(order: list[int]) -> None:
    """A face keeps its track whatever place it has among the detections."""
    people = [square(100, 100), square(250, 90, 80), square(400, 150), square(100, 300, 50), square(500, 300)]
    tracker = Tracker(2.0)
    first = tracker.update(0.0, boxes(*people)).numbers
    second = tracker.update(0.1, boxes(*(people[i] for i in order))).numbers
    assert second == tuple(first[i] for i in order)
