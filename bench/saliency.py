"""Measures how long the map of the regions that drive a match takes, with the starter pack.

    python -m bench.saliency [--threads 2] [--grid 7] [--out FILE]

Writes ``bench/results/saliency.json``. Each face of InsightFace's sample picture is compared with itself at half its
size; the baseline is the same two portraits looked at and embedded once, without a map.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from bench.report import write
from bench.thresholds_clips import sample_picture
from frs.clock import SystemClock
from frs.embed.decoding import crop_face, encode_jpeg
from frs.embed.engine import FaceEngine
from frs.embed.loading import load_engine
from frs.embed.shelf import Shelf
from frs.embed.starter import ensure_starter
from frs.review.saliency import saliency_of
from frs.settings import EmbedSettings, Settings

CACHE = Path(".cache/thresholds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--grid", type=int, default=7)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    settings = Settings(data_dir=CACHE, embed=EmbedSettings(threads=options.threads, batch_wait_ms=0))
    ensure_starter(Shelf(settings.models_path), SystemClock())
    engine = load_engine(settings)
    try:
        picture, faces = sample_picture(engine)
        half = np.asarray(cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
        pairs = []
        for face in faces:
            x1, y1, x2, y2 = face.box
            small = crop_face(half, (x1 / 2, y1 / 2, x2 / 2, y2 / 2))
            pairs.append((encode_jpeg(crop_face(picture, face.box)), encode_jpeg(small)))
        saliency_of(engine, *pairs[0], options.grid)
        maps = [_seconds(partial(saliency_of, engine, *pair, options.grid)) for pair in pairs]
        plain = [_seconds(partial(_compare, engine, *pair)) for pair in pairs]
    finally:
        engine.close()
    result = {
        "model": engine.model.id,
        "profile": engine.model.profile,
        "threads": options.threads,
        "grid": options.grid,
        "faces_covered": 2 * options.grid**2,
        "map_seconds": _spread(wall for wall, _ in maps),
        "map_processor_seconds": _spread(busy for _, busy in maps),
        "comparison_seconds": _spread(wall for wall, _ in plain),
    }
    print(result)
    write("saliency", result, options.out)


def _compare(engine: FaceEngine, probe: bytes, reference: bytes) -> None:
    engine.embed([engine.analyse(probe).faces[0], engine.analyse(reference).faces[0]])


def _seconds(act: Callable[[], object]) -> tuple[float, float]:
    """Return the time by the wall's clock and the processors' together, which a loaded machine changes less."""
    begin, busy = time.perf_counter(), time.process_time()
    act()
    return time.perf_counter() - begin, time.process_time() - busy


def _spread(seconds: Iterable[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {"median": round(median(ordered), 3), "least": round(ordered[0], 3), "most": round(ordered[-1], 3)}


if __name__ == "__main__":
    main()
