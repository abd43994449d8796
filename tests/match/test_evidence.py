"""A track's score is the mean of its best frames' scores, whatever the order and number of its frames."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frs.match.evidence import TrackEvidence, queries, worth
from frs.match.frames import Scene
from frs.types import Quality

GOOD = Quality(size=100.0, sharpness=300.0, pose=0.1, brightness=120.0, detector_score=0.95)


def quality(size: float, sharpness: float = 300.0) -> Quality:
    return Quality(size=size, sharpness=sharpness, pose=0.1, brightness=120.0, detector_score=0.95)


def unit(seed: int, dimension: int = 16) -> npt.NDArray[np.float32]:
    vector = np.random.default_rng(seed).standard_normal(dimension).astype(np.float32)
    return vector / np.float32(np.linalg.norm(vector))


def portrait(value: int = 7) -> npt.NDArray[np.uint8]:
    return np.full((4, 4, 3), value, np.uint8)


@pytest.mark.parametrize(
    "worse",
    [
        Quality(40.0, 300.0, 0.1, 120.0, 0.95),
        Quality(100.0, 30.0, 0.1, 120.0, 0.95),
        Quality(100.0, 300.0, 0.7, 120.0, 0.95),
        Quality(100.0, 300.0, 0.1, 30.0, 0.95),
        Quality(100.0, 300.0, 0.1, 235.0, 0.95),
        Quality(100.0, 300.0, 0.1, 120.0, 0.6),
    ],
)
def test_each_property_of_quality_counts(worse: Quality) -> None:
    """A smaller, softer, turned, dark, glaring or doubtful face is worth less than a good one."""
    assert 0.0 <= worth(worse) < worth(GOOD) <= 1.0


def test_the_best_frames_are_kept() -> None:
    """Only the best max_frames stay; a worse face is counted and not embedded."""
    evidence = TrackEvidence(1, max_frames=2)
    assert evidence.see(1.0, quality(50))
    evidence.add(1.0, quality(50), unit(1), portrait)
    assert evidence.see(2.0, quality(70))
    evidence.add(2.0, quality(70), unit(2), portrait)
    assert not evidence.see(3.0, quality(40))
    assert evidence.see(4.0, quality(90))
    evidence.add(4.0, quality(90), unit(3), portrait)
    assert [shot.at for shot in evidence.shots] == [4.0, 2.0]
    assert (evidence.usable, evidence.frames, evidence.first_at, evidence.last_at) == (4, 2, 1.0, 4.0)


def test_the_portrait_is_the_best_shots_own_copy() -> None:
    """The portrait belongs to the best shot and does not keep the picture it was cut from."""
    evidence = TrackEvidence(1, max_frames=3)
    picture = np.full((100, 100, 3), 5, np.uint8)
    evidence.add(1.0, quality(80), unit(1), lambda: picture[10:20, 10:20])
    evidence.add(2.0, quality(60), unit(2), lambda: pytest.fail("a worse shot needs no portrait"))
    assert evidence.portrait is not None
    assert evidence.portrait.shape == (10, 10, 3)
    assert evidence.portrait.base is None
    assert evidence.best.at == 1.0


def test_the_best_shots_frame_is_kept_by_reference() -> None:
    """A track refers to the encoded frame of its best shot and to nothing decoded, and lets go of it when it ends."""
    evidence = TrackEvidence(1, max_frames=3)
    scenes = [Scene(bytes(100), (1.0, 1.0, 9.0, 9.0), ()) for _ in range(3)]
    for at, (size, scene) in enumerate(zip((60, 80, 70), scenes, strict=True)):
        evidence.add(float(at), quality(size), unit(at), portrait, scene)
    assert evidence.scene is scenes[1]
    evidence.forget()
    assert evidence.scene is None


def test_nothing_is_decided_before_enough_frames() -> None:
    """A track is ripe once min_frames usable faces were seen."""
    evidence = TrackEvidence(1, max_frames=10)
    ripe = []
    for i in range(3):
        evidence.see(float(i), GOOD)
        evidence.add(float(i), GOOD, unit(i), portrait)
        ripe.append(evidence.ripe(3))
    assert ripe == [False, False, True]


def test_what_a_track_held_is_overwritten_when_it_ends() -> None:
    """Templates and portrait of an ended track are zeroed, not only dropped."""
    evidence = TrackEvidence(1, max_frames=3)
    template = unit(1)
    evidence.add(1.0, GOOD, template, portrait)
    kept = evidence.portrait
    evidence.forget()
    assert kept is not None
    assert not kept.any()
    assert not template.any()
    assert evidence.frames == 0
    assert evidence.portrait is None


shots = st.lists(st.tuples(st.floats(20, 200), st.floats(1, 500), st.integers(0, 10_000)), min_size=1, max_size=20)


@settings(max_examples=100, deadline=None)
@given(shots, st.integers(1, 10))
def test_one_search_of_the_query_is_the_mean_of_the_scores(
    film: list[tuple[float, float, int]], max_frames: int
) -> None:
    """Against every reference, the query scores exactly the mean of the best frames' cosines."""
    evidence = TrackEvidence(1, max_frames)
    taken: list[tuple[float, int]] = []
    for at, (size, sharpness, seed) in enumerate(film):
        record = quality(size, sharpness)
        taken.append((worth(record), seed))
        if evidence.see(float(at), record):
            evidence.add(float(at), record, unit(seed), portrait)
    best = sorted(range(len(taken)), key=lambda i: -taken[i][0])[:max_frames]  # stable: of equals the earlier
    references = np.stack([unit(20_000 + i) for i in range(5)])
    expected = np.mean([references @ unit(taken[i][1]) for i in best], axis=0)
    np.testing.assert_allclose(queries([evidence])[0] @ references.T, expected, atol=1e-6)
    assert evidence.frames == min(max_frames, len(film))
    assert evidence.usable == len(film)
