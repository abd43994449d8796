"""Galleries: the best subjects over several watchlists, revisions, and searches beside changes."""

from __future__ import annotations

import threading
import time
from collections import defaultdict

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frs.errors import FrsError, Reason
from frs.index.exact import SMALL_WORK, best_rows
from frs.index.galleries import Galleries, GalleryRow
from frs.index.turns import Turns

DIMENSION = 6
Floats = npt.NDArray[np.float32]


def unit(count: int, seed: int, dimension: int = DIMENSION) -> Floats:
    rows = np.random.default_rng(seed).standard_normal((count, dimension), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def rows_of(subjects: list[str], seed: int, first_key: int = 0) -> list[GalleryRow]:
    vectors = unit(len(subjects), seed)
    return [GalleryRow(first_key + i, s, f"r{first_key + i}", vectors[i]) for i, s in enumerate(subjects)]


@given(
    lists=st.lists(st.lists(st.integers(0, 9), max_size=60), min_size=1, max_size=3),
    excluded=st.sets(st.integers(0, 9), max_size=4),
    k=st.integers(1, 14),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=80)
def test_the_best_k_subjects_are_exact(lists: list[list[int]], excluded: set[int], k: int, seed: int) -> None:
    """However many references a subject has, the k best subjects come back, each once per list, by its best one."""
    galleries, names, every = Galleries(DIMENSION), [], []
    for number, owners in enumerate(lists):
        rows = rows_of([f"{number}-{owner}" for owner in owners], seed + number, number * 1000)
        galleries.load(f"list{number}", 0, rows)
        names.append(f"list{number}")
        every += rows
    barred = frozenset(f"{number}-{owner}" for number in range(len(lists)) for owner in excluded)
    queries = unit(3, seed + 77)
    for query, hits in zip(queries, galleries.search(queries, names, k, barred), strict=True):
        best: dict[str, tuple[np.float32, str]] = defaultdict(lambda: (np.float32(-9), ""))
        for row in every:
            score = np.float32(np.einsum("i,i->", row.template.astype(float), query.astype(float)))
            if row.subject not in barred and score > best[row.subject][0]:
                best[row.subject] = (score, row.reference)
        wanted = sorted(best.items(), key=lambda item: -item[1][0])[:k]
        assert [(h.subject, h.reference, h.score) for h in hits] == [(s, r, float(score)) for s, (score, r) in wanted]
        assert all(hit.watchlist == f"list{hit.subject[0]}" for hit in hits)


def test_one_subject_with_most_references_does_not_hide_the_others() -> None:
    """The search widens until it has met enough different people."""
    galleries, near = Galleries(DIMENSION), unit(1, 1)
    rows = [GalleryRow(key, "crowd", f"r{key}", near[0]) for key in range(500)]
    rows += [GalleryRow(1000 + i, f"s{i}", f"o{i}", -unit(1, 1)[0]) for i in range(5)]
    galleries.load("list", 3, rows)
    (hits,) = galleries.search(near, ["list"], 4)
    assert [hit.subject for hit in hits] == ["crowd", "s0", "s1", "s2"]
    assert hits[0].reference == "r0"


def test_a_list_named_twice_is_searched_once() -> None:
    """Repetition among the watchlists does not repeat hits."""
    galleries = Galleries(DIMENSION)
    galleries.load("list", 0, rows_of(["a", "b"], 1))
    (hits,) = galleries.search(unit(1, 2), ["list", "list"], 5)
    assert sorted(hit.subject for hit in hits) == ["a", "b"]


def test_changes_follow_revisions() -> None:
    """Adding and removing move the revision by one each, and searches see them at once."""
    galleries, probe = Galleries(DIMENSION), unit(1, 9)
    galleries.load("list", 4, rows_of(["a", "b"], 1))
    galleries.add("list", 5, rows_of(["c", "a"], 2, 10))
    assert {hit.subject for hit in galleries.search(probe, ["list"], 9)[0]} == {"a", "b", "c"}
    galleries.remove_reference("list", 6, "r10")
    galleries.remove_subject("list", 7, "b")
    (hits,) = galleries.search(probe, ["list"], 9)
    assert [hit.subject for hit in hits] == ["a"]
    assert (galleries.revision("list"), galleries.templates, galleries.stale()) == (7, 2, ())


@pytest.mark.parametrize("revision", [4, 6, 0])
def test_a_missed_change_makes_the_gallery_refuse(revision: int) -> None:
    """A change that is not the next one leaves the gallery stale until it is loaded again."""
    galleries = Galleries(DIMENSION)
    galleries.load("list", 4, rows_of(["a"], 1))
    galleries.add("list", revision, rows_of(["b"], 2, 10))
    assert galleries.stale() == ("list",)
    assert galleries.revision("list") is None
    with pytest.raises(FrsError, match="does not agree") as caught:
        galleries.search(unit(1, 1), ["list"], 1)
    assert caught.value.reason is Reason.INDEX_UNAVAILABLE
    galleries.add("list", 5, rows_of(["b"], 2, 10))
    assert galleries.stale() == ("list",)
    galleries.load("list", 6, rows_of(["a"], 1))
    assert galleries.revision("list") == 6


def test_a_change_that_fails_makes_the_gallery_refuse() -> None:
    """Rows the index cannot hold are an error, and the gallery is not trusted afterwards."""
    galleries = Galleries(DIMENSION)
    galleries.load("list", 0, rows_of(["a"], 1))
    with pytest.raises(ValueError, match="keys"):
        galleries.add("list", 1, rows_of(["b"], 2))  # the same key
    assert galleries.stale() == ("list",)


def test_an_absent_gallery_is_not_an_empty_one() -> None:
    """A watchlist that was never loaded or was dropped refuses; a change to it does not make it whole."""
    galleries = Galleries(DIMENSION)
    galleries.load("list", 0, rows_of(["a"], 1))
    galleries.drop("list")
    galleries.add("other", 1, rows_of(["a"], 1))
    for name in ("list", "other", "third"):
        with pytest.raises(FrsError) as caught:
            galleries.search(unit(1, 1), [name], 1)
        assert caught.value.reason is Reason.INDEX_UNAVAILABLE
        assert galleries.revision(name) is None


def test_an_empty_gallery_finds_nobody() -> None:
    """A loaded gallery without rows is searched and gives no hit."""
    galleries = Galleries(DIMENSION)
    galleries.load("list", 0, [])
    assert galleries.search(unit(2, 1), ["list"], 3) == [[], []]
    assert galleries.search(unit(2, 1), [], 3) == [[], []]


def test_no_template_stays_in_memory_after_removal_drop_or_load() -> None:
    """Whatever way a template leaves the galleries, the memory it lay in is overwritten."""
    galleries, rows = Galleries(DIMENSION), rows_of(["a", "b", "c", "d"], 1)
    galleries.load("list", 0, rows)
    (memory,) = galleries.buffers()
    galleries.remove_subject("list", 1, "a")
    galleries.remove_reference("list", 2, "r1")
    for row, there in zip(rows, (False, False, True, True), strict=True):
        assert (row.template.tobytes() in bytes(memory)) is there
    galleries.load("list", 3, rows[2:3])
    assert not any(bytes(memory))
    (memory,) = galleries.buffers()
    galleries.drop("list")
    assert not any(bytes(memory))


def test_searches_and_changes_at_once_see_whole_revisions() -> None:
    """Two references that are added and removed together are found together or not at all."""
    galleries = Galleries(DIMENSION)
    galleries.load("list", 0, rows_of(["rest"] * 50, 1))
    pair = [GalleryRow(900 + i, f"p{i}", f"p{i}", unit(1, 5)[0]) for i in range(2)]
    stop, wrong, searches = threading.Event(), [], [0]

    def look() -> None:
        while not stop.is_set():
            (hits,) = galleries.search(unit(1, 5), ["list"], 3)
            found = sum(hit.subject.startswith("p") for hit in hits)
            searches[0] += 1
            if found not in {0, 2}:
                wrong.append(found)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    revision, until = 0, time.monotonic() + 1.0
    while time.monotonic() < until:
        galleries.add("list", revision + 1, pair)
        galleries.load("list", revision + 2, rows_of(["rest"] * 50, 1))
        revision += 2
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert searches[0] > 10
    assert revision > 10


def test_searches_share_a_turn_and_a_waiting_change_goes_first() -> None:
    """Two searches hold turns together; a change waits for them and is served before a later search."""
    turns, order = Turns(), []
    inside, release = threading.Barrier(3), threading.Event()

    def search() -> None:
        with turns.searching():
            inside.wait(5)  # only passes when both are inside at once
            release.wait(5)

    def change() -> None:
        with turns.changing():
            order.append("change")

    def late() -> None:
        with turns.searching():
            order.append("late")

    early = [threading.Thread(target=search) for _ in range(2)]
    for thread in early:
        thread.start()
    inside.wait(5)
    changer = threading.Thread(target=change)
    changer.start()
    while not turns._waiting:
        time.sleep(0.001)
    later = threading.Thread(target=late)
    later.start()
    time.sleep(0.02)
    assert order == []
    release.set()
    for thread in (*early, changer, later):
        thread.join(5)
    assert order == ["change", "late"]


@pytest.mark.parametrize("rows", [SMALL_WORK // 4, SMALL_WORK // 4 + 1])
def test_both_ways_of_searching_give_the_same_bits(rows: int) -> None:
    """On either side of the switch from FAISS to the product the answers agree with each other."""
    vectors, queries, keys = unit(rows, 3, 32), unit(4, 4, 32), np.arange(rows)
    whole = best_rows(vectors, keys, queries, 10)
    for place in range(4):
        alone = best_rows(vectors, keys, queries[place : place + 1], 10)  # small work: FAISS
        np.testing.assert_array_equal(alone[0][0], whole[0][place])
        np.testing.assert_array_equal(alone[1][0], whole[1][place])
