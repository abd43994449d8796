"""How long the fuzzers run, from which seed, and where what they find is kept.

In the suite they run for seconds from a fixed seed: the same inputs each time. ``make fuzz`` runs them for minutes from
a new seed and keeps each input that was not answered as it should be under ``tests/fuzz/corpus``: commit it with the
repair, and every later run of the suite tries it first.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def seconds(usual: float) -> float:
    """Return how long to run: as FRS_FUZZ_SECONDS says, else ``usual``."""
    return float(os.environ.get("FRS_FUZZ_SECONDS", usual))


def chance(name: str) -> random.Random:
    """Return the source of randomness of one fuzzer: fixed in the suite, new at each ``make fuzz``."""
    return random.Random(f"{name} {time.time_ns()}" if "FRS_FUZZ_SECONDS" in os.environ else name)


def rounds(usual_seconds: float, usual_rounds: int) -> Iterator[int]:
    """Yield numbers until the time is over; in the suite also no more than ``usual_rounds``."""
    until = time.monotonic() + seconds(usual_seconds)
    number = 0
    while time.monotonic() < until and ("FRS_FUZZ_SECONDS" in os.environ or number < usual_rounds):
        yield number
        number += 1


def kept(name: str) -> list[bytes]:
    """Return the inputs that were kept for a fuzzer."""
    folder = CORPUS / name
    return [path.read_bytes() for path in sorted(folder.glob("*.bin"))] if folder.is_dir() else []


def keep(name: str, data: bytes) -> Path:
    """Keep an input; only ``make fuzz`` writes into the checkout."""
    if "FRS_FUZZ_SECONDS" not in os.environ:
        return Path("(run `make fuzz` to keep it)")
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{len(list(folder.glob('*.bin'))):04d}.bin"
    path.write_bytes(data)
    return path
