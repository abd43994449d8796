"""Exact search: the best rows of a matrix for several queries at once.

Two ways of finding them, chosen by how much there is to multiply, because that is what was measured (two cores,
128 and 512 dimensions): :func:`faiss.knn` for small work, where its fixed cost is the lowest; a blocked matrix
product with a running floor for large work, where FAISS reads all rows once per query and the product reads each block
once for all of them, on all cores. (A single query on a single core stays with FAISS.)

Promise: both give the same answer to the last bit, whatever other queries are in the batch and in whatever order the
rows lie. A score is the inner product in double precision rounded to float32, and equal scores go to the lower key.
Single precision only proposes contenders, with a slack above its greatest error for vectors no longer than one.
"""

from __future__ import annotations

from typing import TypeAlias

import faiss
import numpy as np
import numpy.typing as npt

Floats: TypeAlias = "npt.NDArray[np.float32]"
Keys: TypeAlias = "npt.NDArray[np.int64]"

NONE = -1
"""The key that stands where there are fewer rows than were asked for; its score is minus infinity."""
SMALL_WORK = 1 << 15
"""Queries times rows up to which FAISS is the faster one."""
_SPARE = 4
"""Rows FAISS is asked for beyond k, to see whether the k-th place is contested."""
_QUERIES_AT_ONCE = 64
_FIRST_BLOCK, _BLOCK = 1024, 8192


def best_rows(rows: Floats, keys: Keys, queries: Floats, k: int) -> tuple[Floats, Keys]:
    """Return the k greatest inner products of each query, descending, and the keys of their rows: two (q, k) arrays.

    ``rows`` (n, d) are contiguous and of unit length, ``queries`` (q, d) too or shorter (a mean of unit vectors);
    ``keys`` (n,) are unique and not negative.
    """
    scores = np.full((len(queries), k), -np.inf, np.float32)
    found = np.full((len(queries), k), NONE, np.int64)
    wanted = min(k, len(rows))
    if wanted == 0:
        return scores, found
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        part = slice(start, start + _QUERIES_AT_ONCE)
        best = _by_faiss(rows, keys, queries[part], wanted) or _by_product(rows, keys, queries[part], wanted)
        scores[part, :wanted], found[part, :wanted] = best
    return scores, found


def _slack(dimension: int) -> np.float32:
    # Rounding of a float32 inner product is below d * 2**-24 for vectors no longer than one (Higham, Accuracy and
    # Stability, 3.1); two rows are compared, and the exact scores are rounded once more.
    return np.float32(dimension * 2.0**-22)


def _by_faiss(rows: Floats, keys: Keys, queries: Floats, k: int) -> tuple[Floats, Keys] | None:
    """Return the best k, or None when it is not the way: too much work, or so many rows alike that k is not settled."""
    alone = len(queries) == 1 and faiss.omp_get_max_threads() == 1  # one core: the product has nothing to gain
    if len(queries) * len(rows) > SMALL_WORK and not alone:
        return None
    fetched = min(len(rows), k + _SPARE)
    rough, row = faiss.knn(queries, rows, fetched, metric=faiss.METRIC_INNER_PRODUCT)
    if fetched < len(rows) and bool((rough[:, -1] >= rough[:, k - 1] - _slack(rows.shape[1])).any()):
        return None
    exact = np.einsum("qkd,qd->qk", rows[row].astype(np.float64), queries.astype(np.float64)).astype(np.float32)
    key = keys[row]
    by_key = key.argsort(axis=1)
    query = np.arange(len(queries))[:, None]
    order = by_key[query, (-exact[query, by_key]).argsort(axis=1, kind="stable")][:, :k]
    return exact[query, order], key[query, order]


def _by_product(rows: Floats, keys: Keys, queries: Floats, k: int) -> tuple[Floats, Keys]:
    query, row = _contenders(rows, queries, k)
    exact = np.einsum("id,id->i", rows[row].astype(np.float64), queries[query].astype(np.float64)).astype(np.float32)
    order = np.lexsort((keys[row], -exact, query))
    first = np.searchsorted(query[order], np.arange(len(queries)))
    best = order[first[:, None] + np.arange(k)]
    return exact[best], keys[row[best]]


def _contenders(rows: Floats, queries: Floats, k: int) -> tuple[Keys, Keys]:
    """Return (query, row) pairs among which are the best k rows of every query, at least k for each."""
    count, slack = len(queries), _slack(rows.shape[1])
    first = min(len(rows), max(_FIRST_BLOCK, k))
    scores = queries @ rows[:first].T
    floor = np.partition(scores, first - k, axis=1)[:, first - k] - slack
    query, row = np.nonzero(scores >= floor[:, None])
    kept = [(query, row, scores[query, row])]
    size, allowed = len(query), 4 * count * k + 256
    for start in range(first, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        # (rows, queries) is the layout in which BLAS multiplies a tall block by few queries fastest
        flat = (block @ queries.T if count > 1 else block @ queries[0]).ravel()
        # one comparison with the lowest floor is far cheaper than one per query, and lets little more through
        place = np.flatnonzero(flat >= floor.min())
        if not len(place):
            continue
        row, query = np.divmod(place, count)
        score = flat[place]
        above = score >= floor[query]
        kept.append((query[above], row[above] + start, score[above]))
        size += int(above.sum())
        if size > allowed:
            query, row, score, floor = _raise_floor(kept, count, k, slack)
            kept, size = [(query, row, score)], len(query)
            allowed = max(allowed, 2 * size)  # many equal rows: none of them may be dropped
    query, row, score, floor = _raise_floor(kept, count, k, slack)
    return query, row


def _raise_floor(
    kept: list[tuple[Keys, Keys, Floats]], count: int, k: int, slack: np.float32
) -> tuple[Keys, Keys, Floats, Floats]:
    """Drop what can no longer be among the best k of its query."""
    query, row, score = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    order = np.lexsort((-score, query))
    query, row, score = query[order], row[order], score[order]
    floor = score[np.searchsorted(query, np.arange(count)) + k - 1] - slack
    stays = score >= floor[query]
    return query[stays], row[stays], score[stays], floor
