"""Search: queries per second at 1k to 1M templates, against plain FAISS called one query at a time.

``python -m bench.search [--sizes N ...] [--dimensions D ...] [--rounds N] [--threads N] [--json FILE]``

Ours is :class:`frs.index.flat.FlatIndex` with the queries of a batch in one call, and :class:`Galleries` on top of it
(best subjects, one reference in five a second one of a subject, hits made). The baseline is
``faiss.IndexFlatIP.search`` called once per query; FAISS with the whole batch in one call is shown beside it. All sides
have the same rows, the same k and the same number of threads (OpenMP for FAISS, OpenBLAS for NumPy). Rounds alternate
between the sides and medians are reported; scores of both are compared before anything is timed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

K = 10
BATCHES = (1, 32)
ROUND_SECONDS = 0.3
MEMORY_PART = 0.4
"""Sizes whose rows would take more than this part of the free memory, twice, are left out and said."""
Side = Callable[[], object]


def main() -> None:
    """Run the benchmark and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--dimensions", type=int, nargs="+", default=[128, 512])
    parser.add_argument("--rounds", type=int, default=7)
    # One each: a service searches for many callers at once, and threads of one search that wait for those of another
    # cost both sides more than they bring.
    parser.add_argument("--threads", type=int, default=1, help="of each side")
    parser.add_argument("--json", type=Path, default=None, help="where the result goes; bench/results/search.json")
    options = parser.parse_args()
    if os.environ.get("OPENBLAS_NUM_THREADS") != str(options.threads):
        # both libraries read their number of threads when they are loaded
        threads = str(options.threads)
        os.environ |= {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        os.execv(sys.executable, [sys.executable, "-m", "bench.search", *sys.argv[1:]])  # the same program

    from bench import report

    machine, rows, left_out = report.machine(), [], []
    for dimension in options.dimensions:
        for size in options.sizes:
            if 2 * size * dimension * 4 > MEMORY_PART * _free_bytes():
                left_out.append({"dimension": dimension, "templates": size, "why": "memory"})
                continue
            rows += measure(dimension, size, options.rounds)
    result = {
        "machine": machine,
        "k": K,
        "rounds": options.rounds,
        "threads": {"ours": options.threads, "faiss": options.threads},
        "searches": rows,
        "left_out": left_out,
    }
    print(report.write("search", result, options.json))


def measure(dimension: int, size: int, rounds: int) -> list[dict[str, Any]]:
    """Time all sides at one size, in queries per second."""
    import faiss
    import numpy as np

    from frs.index.flat import FlatIndex
    from frs.index.galleries import Galleries, GalleryRow

    rng = np.random.default_rng(size + dimension)
    rows = rng.standard_normal((size, dimension), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    plain = faiss.IndexFlatIP(dimension)
    plain.add(rows)
    ours = FlatIndex(dimension, size)
    ours.add(np.arange(size), rows)
    galleries = None
    if size <= 100_000:  # a million Python objects say nothing more
        galleries = Galleries(dimension)
        people = (GalleryRow(i, f"s{i - (i % 5 == 1)}", f"r{i}", row) for i, row in enumerate(rows))
        galleries.load("list", 0, people)
    found = []
    for batch in BATCHES:
        queries = rows[rng.choice(size, batch)] + 0.5 / np.sqrt(dimension) * rng.standard_normal((batch, dimension))
        queries = (queries / np.linalg.norm(queries, axis=1, keepdims=True)).astype(np.float32)
        np.testing.assert_allclose(ours.search(queries, K)[0], plain.search(queries, K)[0], atol=1e-5)
        sides: dict[str, Side] = {
            "ours": partial(ours.search, queries, K),
            "faiss_one_by_one": partial(_one_by_one, plain, queries),
            "faiss_batch": partial(plain.search, queries, K),
        }
        if galleries is not None:
            sides["galleries"] = partial(galleries.search, queries, ["list"], K)
        speeds = {name: batch / seconds for name, seconds in _alternate(sides, rounds).items()}
        row = {
            "dimension": dimension,
            "templates": size,
            "batch": batch,
            "queries_per_second": {name: round(speed, 1) for name, speed in speeds.items()},
            "ratio": round(speeds["ours"] / speeds["faiss_one_by_one"], 2),
        }
        shown = "  ".join(f"{name} {speed:9.1f}/s" for name, speed in speeds.items())
        print(f"{dimension:4d} x {size:8d}, batch {batch:2d}: {shown}  ratio {row['ratio']:6.2f}", flush=True)
        found.append(row)
    return found


def _one_by_one(index: Any, queries: Any) -> None:
    for place in range(len(queries)):
        index.search(queries[place : place + 1], K)


def _alternate(sides: dict[str, Side], rounds: int) -> dict[str, float]:
    """Return each side's median seconds per call over rounds in which every side has its turn."""
    repeats = {}
    for name, side in sides.items():
        start = time.perf_counter()
        side()
        repeats[name] = max(1, int(ROUND_SECONDS / (time.perf_counter() - start)))
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                side()
            times[name].append((time.perf_counter() - start) / repeats[name])
    return {name: statistics.median(taken) for name, taken in times.items()}


def _free_bytes() -> int:
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
