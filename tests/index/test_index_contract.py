"""What every gallery index must do; run on each implementation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from frs.index.flat import FlatIndex

IMPLEMENTATIONS = [FlatIndex]
Make = Callable[[int], FlatIndex]
Floats = npt.NDArray[np.float32]


def unit(count: int, dimension: int, seed: int) -> Floats:
    rows = np.random.default_rng(seed).standard_normal((count, dimension), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def brute_force(
    keys: npt.NDArray[np.int64], rows: Floats, queries: Floats, k: int
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Apply the definition: double precision products rounded to float32, ties to the lower key, padded."""
    scores = np.full((len(queries), k), -np.inf, np.float32)
    found = np.full((len(queries), k), -1, np.int64)
    for place, query in enumerate(queries.astype(np.float64)):
        every = np.array([np.einsum("i,i->", row, query) for row in rows.astype(np.float64)]).astype(np.float32)
        order = np.lexsort((keys, -every))[:k]
        scores[place, : len(order)], found[place, : len(order)] = every[order], keys[order]
    return scores, found


@pytest.fixture(params=IMPLEMENTATIONS)
def make(request: pytest.FixtureRequest) -> Make:
    found: Make = request.param
    return found


def test_an_empty_index_finds_nobody(make: Make) -> None:
    """Without rows every place is -1 and minus infinity."""
    scores, keys = make(8).search(unit(3, 8, 1), 4)
    assert keys.tolist() == [[-1] * 4] * 3
    assert np.isneginf(scores).all()


def test_no_query_gives_no_row(make: Make) -> None:
    """A batch of no queries is answered with none."""
    index = make(8)
    index.add(np.arange(3), unit(3, 8, 1))
    scores, keys = index.search(np.empty((0, 8), np.float32), 2)
    assert scores.shape == keys.shape == (0, 2)


@pytest.mark.parametrize(("rows", "queries", "k"), [(7, 3, 10), (500, 5, 10), (3000, 9, 40), (12000, 70, 3)])
def test_search_is_exact(make: Make, rows: int, queries: int, k: int) -> None:
    """Scores and keys are those of the definition, for small and large work alike."""
    vectors, probes = unit(rows, 24, 2), unit(queries, 24, 3)
    keys = np.random.default_rng(4).permutation(rows * 3)[:rows].astype(np.int64)
    index = make(24)
    index.add(keys, vectors)
    scores, found = index.search(probes, k)
    wanted_scores, wanted = brute_force(keys, vectors, probes[:4], k)
    np.testing.assert_array_equal(found[:4], wanted)
    np.testing.assert_array_equal(scores[:4], wanted_scores)


def test_a_batch_answers_as_one_query_does(make: Make) -> None:
    """A score is the same to the last bit whatever else is in the batch."""
    index = make(128)
    index.add(np.arange(9000), unit(9000, 128, 5))
    probes = unit(33, 128, 6)
    together = index.search(probes, 5)
    for place, probe in enumerate(probes):
        alone = index.search(probe[None], 5)
        np.testing.assert_array_equal(alone[0][0], together[0][place])
        np.testing.assert_array_equal(alone[1][0], together[1][place])


@pytest.mark.parametrize("rows", [100, 12000])
def test_a_mean_of_several_templates_is_searched_exactly(make: Make, rows: int) -> None:
    """A query shorter than one, the mean of a track's templates, scores the mean of their scores."""
    vectors, keys = unit(rows, 24, 2), np.arange(rows)
    index = make(24)
    index.add(keys, vectors)
    means = np.stack([vectors[:5].mean(axis=0), np.zeros(24, np.float32), unit(30, 24, 8).mean(axis=0)])
    scores, found = index.search(means, 10)
    wanted_scores, wanted = brute_force(keys, vectors, means, 10)
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(scores, wanted_scores)


def test_the_order_of_adding_does_not_matter(make: Make) -> None:
    """Rows added in another order, or after removals, give the same answer."""
    vectors, probes, keys = unit(400, 16, 7), unit(6, 16, 8), np.arange(400)
    vectors[300:320] = vectors[5]  # twenty copies: their order is by key
    straight, turned = make(16), make(16)
    straight.add(keys, vectors)
    turned.add(keys[::-1].copy(), vectors[::-1].copy())
    extra = np.arange(1000, 1100)
    turned.add(extra, unit(100, 16, 9))
    turned.remove(extra)
    for k in (1, 15, 30):
        for one, other in zip(straight.search(probes, k), turned.search(probes, k), strict=True):
            np.testing.assert_array_equal(one, other)
    assert straight.search(vectors[5][None], 21)[1][0].tolist() == [5, *range(300, 320)]


@pytest.mark.parametrize("rows", [900, 20000])
def test_many_equal_rows_are_told_apart_by_key(make: Make, rows: int) -> None:
    """Where more rows tie than were asked for, the lowest keys win."""
    vectors = np.repeat(unit(1, 8, 10), rows, axis=0)
    index = make(8)
    index.add(np.arange(rows)[::-1].copy(), vectors)
    assert index.search(vectors[:1], 4)[1][0].tolist() == [0, 1, 2, 3]


def test_removal_leaves_no_byte_of_the_row(make: Make) -> None:
    """After removal the row's bytes are nowhere in the index's memory; the others still are."""
    index, vectors = make(32), unit(100, 32, 11)
    index.add(np.arange(100), vectors)
    index.remove(np.array([3, 99, 50]))
    memory = bytes(index.buffer())
    for key in range(100):
        assert (vectors[key].tobytes() in memory) == (key not in {3, 99, 50})


def test_the_old_buffer_is_overwritten_when_the_index_grows(make: Make) -> None:
    """Memory that is let go holds no template."""
    index, vectors = make(32), unit(4, 32, 12)
    index.add(np.arange(4), vectors)
    old = index.buffer()
    index.add(np.arange(4, 300), unit(296, 32, 13))
    assert not any(bytes(old))
    assert vectors[0].tobytes() in bytes(index.buffer())


def test_clearing_overwrites_everything(make: Make) -> None:
    """A cleared index is empty and its memory is zeros."""
    index = make(8)
    index.add(np.arange(20), unit(20, 8, 14))
    memory = index.buffer()
    index.clear()
    assert len(index) == 0
    assert not any(bytes(memory))


@pytest.mark.parametrize(
    ("keys", "vectors"),
    [
        ([1, 1], unit(2, 4, 1)),
        ([7, 2], unit(2, 4, 1)),
        ([-1, 2], unit(2, 4, 1)),
        ([1], unit(2, 4, 1)),
        ([1, 2], unit(2, 5, 1)),
        ([1, 2], unit(2, 4, 1) * np.float32(1.1)),
        ([1, 2], np.full((2, 4), np.nan, np.float32)),
        ([1, 2], np.zeros((2, 4), np.float32)),
        ([1, 2], unit(2, 4, 1).astype(np.float64)),
    ],
)
def test_wrong_rows_are_refused_and_nothing_is_added(make: Make, keys: list[int], vectors: Floats) -> None:
    """Keys used before or twice, other shapes and vectors that are not of unit length are refused whole."""
    index = make(4)
    index.add(np.array([7]), unit(1, 4, 2))
    with pytest.raises(ValueError, match=r"keys|vectors"):
        index.add(np.array(keys, np.int64), vectors)
    assert len(index) == 1


def test_removing_what_is_not_there_removes_nothing(make: Make) -> None:
    """An unknown key fails and leaves the known ones."""
    index = make(4)
    index.add(np.arange(2), unit(2, 4, 1))
    with pytest.raises(KeyError, match="5"):
        index.remove(np.array([1, 5]))
    assert len(index) == 2


def test_wrong_queries_are_refused(make: Make) -> None:
    """Another dimension and a k below one are the caller's mistakes."""
    index = make(4)
    with pytest.raises(ValueError, match="queries"):
        index.search(unit(1, 5, 1), 1)
    with pytest.raises(ValueError, match="k must"):
        index.search(unit(1, 4, 1), 0)


class IndexMachine(RuleBasedStateMachine):
    """Adds, removes and searches in any order, beside a dictionary searched by brute force."""

    make: Make

    @initialize(dimension=st.integers(1, 9))
    def start(self, dimension: int) -> None:
        self.index, self.dimension = self.make(dimension), dimension
        self.model: dict[int, Floats] = {}
        self.gone: list[Floats] = []

    @rule(count=st.integers(1, 40), seed=st.integers(0, 2**32 - 1), copies=st.booleans())
    def add(self, count: int, seed: int, copies: bool) -> None:
        keys = np.random.default_rng(seed).permutation(100_000)[:count].astype(np.int64)
        keys = np.array([key for key in keys.tolist() if key not in self.model], np.int64)
        vectors = unit(len(keys), self.dimension, seed)
        if copies:
            vectors[:] = vectors[:1]
        self.index.add(keys, vectors)
        self.model |= dict(zip(keys.tolist(), vectors, strict=True))

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        if self.model:
            keys = data.draw(st.lists(st.sampled_from(sorted(self.model)), unique=True, max_size=20))
            self.index.remove(np.array(keys, np.int64))
            self.gone += [self.model.pop(key) for key in keys]

    @rule(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 12), queries=st.integers(1, 4))
    def search(self, seed: int, k: int, queries: int) -> None:
        probes = unit(queries, self.dimension, seed)
        keys = np.array(list(self.model), np.int64)
        rows = np.array(list(self.model.values()), np.float32).reshape(len(keys), self.dimension)
        for given, wanted in zip(self.index.search(probes, k), brute_force(keys, rows, probes, k), strict=True):
            np.testing.assert_array_equal(given, wanted)

    @invariant()
    def holds_what_was_added_and_nothing_else(self) -> None:
        if not hasattr(self, "index"):
            return
        assert sorted(self.index.keys().tolist()) == sorted(self.model)
        rows = np.frombuffer(self.index.buffer(), np.float32).reshape(-1, self.dimension)
        held = sorted(row.tobytes() for row in rows if row.any())
        assert held == sorted(row.tobytes() for row in self.model.values())


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_any_history_gives_the_answers_of_brute_force(implementation: Make) -> None:
    """Whatever was added and removed, searches are exact and memory holds the present rows alone."""
    machine = type("Machine", (IndexMachine,), {"make": staticmethod(implementation)})
    limits = settings(max_examples=30, stateful_step_count=25, deadline=None)
    run_state_machine_as_test(machine, settings=limits)
