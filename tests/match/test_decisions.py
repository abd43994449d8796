"""Hits become candidates at their own list's threshold, with the margin to the next other person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frs.match.decisions import best_person, decide
from frs.match.depth import search_deep
from frs.types import Hit, Mode, ModelInfo, Quality, Threshold
from frs.watchlist.searchable import Described, SearchableList

QUALITY = Quality(90.0, 200.0, 0.1, 120.0, 0.9)
WORSE = Quality(40.0, 20.0, 0.5, 80.0, 0.7)
MODEL = ModelInfo("pack", "0123456789ab", 128, "mirror", "CPUExecutionProvider", "weak")
EXPIRY = datetime(2030, 1, 1, tzinfo=UTC)


def searched(name: str, score: float, version: int = 1) -> SearchableList:
    return SearchableList(name, version, Threshold(Mode.LIVE, score, MODEL.id, "mirror", "explicit"), EXPIRY)


def described(**nominals: str) -> dict[str, Described]:
    """Tell of references by the nominal each belongs to."""
    return {reference: Described(nominal, "red", WORSE, lambda: b"") for reference, nominal in nominals.items()}


def hit(watchlist: str, reference: str, score: float) -> Hit:
    return Hit(watchlist, f"subject of {reference}", reference, score)


class Ranking:
    """An index whose answer to a query is known by the query's first number; notes what it was asked."""

    def __init__(self, answers: dict[float, list[Hit]]) -> None:
        self.answers, self.asked = answers, list[tuple[int, int]]()

    def search(self, queries: npt.NDArray[np.float32], watchlists: Sequence[str], k: int) -> list[list[Hit]]:
        assert list(watchlists) == ["wanted", "missing"]
        self.asked.append((len(queries), k))
        return [self.answers[float(query[0])][:k] for query in queries]


LISTS = (searched("wanted", 0.9, 4), searched("missing", 0.8, 7))


def test_a_candidate_carries_what_explains_it() -> None:
    """Score, threshold, list version, model, profile, notice, both qualities, frames: all are with the candidate."""
    about = described(r1="N-1")
    (candidate,) = decide([hit("wanted", "r1", 0.95)], LISTS, about, QUALITY, MODEL, 5, frames=6)
    assert (candidate.rank, candidate.nominal, candidate.subject) == (1, "N-1", "subject of r1")
    assert (candidate.watchlist, candidate.watchlist_version, candidate.reference) == ("wanted", 4, "r1")
    assert (candidate.score, candidate.threshold, candidate.margin) == (0.95, 0.9, None)
    assert (candidate.model, candidate.profile, candidate.notice) == (MODEL.id, "mirror", "weak")
    assert (candidate.probe_quality, candidate.reference_quality, candidate.frames) == (QUALITY, WORSE, 6)


def test_each_list_has_its_own_threshold() -> None:
    """The same score is a candidate of one list and none of another; ranks have no gaps."""
    about = described(r1="N-1", r2="N-2", r3="N-3")
    hits = [hit("wanted", "r1", 0.85), hit("missing", "r2", 0.84), hit("missing", "r3", 0.80)]
    found = decide(hits, LISTS, about, QUALITY, MODEL, 5)
    assert [(c.rank, c.nominal) for c in found] == [(1, "N-2"), (2, "N-3")]


def test_the_margin_is_to_the_next_other_person() -> None:
    """A second entry of the same nominal is not somebody else; a hit below its threshold still counts as one."""
    about = described(r1="N-1", r2="N-1", r3="N-2")
    hits = [hit("wanted", "r1", 0.95), hit("missing", "r2", 0.94), hit("wanted", "r3", 0.5)]
    found = decide(hits, LISTS, about, QUALITY, MODEL, 5)
    assert [c.nominal for c in found] == ["N-1", "N-1"]
    assert [c.margin for c in found] == [pytest.approx(0.45), pytest.approx(0.44)]


def test_who_was_withdrawn_since_the_search_is_nobody() -> None:
    """A hit that cannot be described, or of a list no longer searched, is no candidate and no margin."""
    about = described(r1="N-1", r3="N-3")
    hits = [hit("wanted", "gone", 0.99), hit("wanted", "r1", 0.95), hit("retired", "r3", 0.94)]
    (candidate,) = decide(hits, LISTS, about, QUALITY, MODEL, 5)
    assert (candidate.nominal, candidate.margin) == ("N-1", None)


def test_the_best_person_must_reach_a_threshold() -> None:
    """When somebody who misses a stricter list's threshold looks more alike, nobody is alerted for."""
    about = described(r1="N-1", r2="N-2")
    hits = [hit("wanted", "r1", 0.89), hit("missing", "r2", 0.85)]
    candidates = decide(hits, LISTS, about, QUALITY, MODEL, 5)
    assert [c.nominal for c in candidates] == ["N-2"]
    assert best_person(hits, about, candidates) is None


def test_the_best_person_may_reach_it_in_another_list() -> None:
    """Who stands in two lists is alerted for by the list whose threshold is reached."""
    about = described(r1="N-1", r2="N-1")
    hits = [hit("wanted", "r1", 0.89), hit("missing", "r2", 0.85)]
    best = best_person(hits, about, decide(hits, LISTS, about, QUALITY, MODEL, 5))
    assert best is not None
    assert (best.nominal, best.watchlist) == ("N-1", "missing")


@st.composite
def galleries(draw: st.DrawFn) -> tuple[list[Hit], dict[str, Described]]:
    """Hits as the index gives them: one for each subject, descending; a nominal at most once in a list."""
    entries = draw(st.lists(st.tuples(st.sampled_from(["wanted", "missing"]), st.integers(0, 5)), unique=True))
    scores = sorted(draw(st.lists(st.floats(0.5, 1.0), min_size=len(entries), max_size=len(entries))), reverse=True)
    hits = [Hit(name, f"{name}-{n}", f"{name}-{n}", score) for (name, n), score in zip(entries, scores, strict=True)]
    return hits, {f"{name}-{n}": Described(f"N-{n}", "red", WORSE, lambda: b"") for name, n in entries}


@given(galleries(), st.sampled_from([1, 2, 3, None]))
def test_searching_no_deeper_than_needed_changes_no_candidate(
    gallery: tuple[list[Hit], dict[str, Described]], limit: int | None
) -> None:
    """The hits of search_deep give the candidates, margins and best person that all subjects would give."""
    hits, about = gallery
    (few,) = search_deep(Ranking({1.0: hits}), np.ones((1, 2), np.float32), LISTS, limit)
    some = decide(few, LISTS, about, QUALITY, MODEL, limit or len(hits))
    every = decide(hits, LISTS, about, QUALITY, MODEL, limit or len(hits))
    assert some == every
    assert best_person(few, about, some) == best_person(hits, about, every)


def test_a_strict_list_does_not_crowd_out_a_lenient_one() -> None:
    """Who reaches their list's threshold is found behind any number of people who miss a stricter list's."""
    crowd = [hit("wanted", f"r{n}", 0.89) for n in range(40)]
    hits = [*crowd, hit("missing", "lost", 0.85), hit("wanted", "far", 0.3)]
    ranking = Ranking({0.0: hits[-1:], 1.0: hits})
    found = search_deep(ranking, np.array([[0, 1], [1, 0]], np.float32), LISTS, 1)
    assert found[0] == hits[-1:]
    about = described(lost="N-1", far="N-2", **{entry.reference: entry.reference for entry in crowd})
    (candidate,) = decide(found[1], LISTS, about, QUALITY, MODEL, 1)
    assert candidate.nominal == "N-1"
    assert candidate.margin == pytest.approx(0.55)
    assert ranking.asked == [(2, 3), (1, 12), (1, 48)]  # the face that the first search settled is not searched again


@given(galleries(), st.integers(1, 4))
def test_invariants_of_candidates(gallery: tuple[list[Hit], dict[str, Described]], limit: int) -> None:
    """Candidates are descending, ranked from 1, at or above threshold, no more than asked for."""
    hits, about = gallery
    found = decide(hits, LISTS, about, QUALITY, MODEL, limit)
    assert [c.rank for c in found] == list(range(1, len(found) + 1))
    assert [c.score for c in found] == sorted((c.score for c in found), reverse=True)
    assert all(c.score >= c.threshold for c in found)
    assert len(found) == min(limit, sum(h.score >= {"wanted": 0.9, "missing": 0.8}[h.watchlist] for h in hits))
    assert all(c.margin is None or c.margin >= 0 for c in found)
    best = best_person(hits, about, found)
    assert best is None or best.nominal == about[hits[0].reference].nominal
