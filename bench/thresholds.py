"""Measures what thresholds mean: for single photographs and for live tracks, with the starter pack and the dev-pack.

    python -m bench.thresholds [--pack starter --pack dev-pack] [--shared ../shared] [--out FILE] [--fresh]

Writes ``bench/results/thresholds.json`` and prints the tables of ``docs/thresholds.md``. LFW's templates are kept
under ``.cache/`` (ignored by git) for the next run; ``--fresh`` makes them anew, which a change of the code between
pixels and templates calls for. Random choices have a fixed seed. Takes five to ten minutes, then two to four.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.report import write
from bench.thresholds_clips import (
    COLUMNS,
    MOSAIC_SCALES,
    ROWS,
    SAMPLE_SCALES,
    Floats,
    cut_references,
    film,
    mosaic,
    sample_picture,
)
from bench.thresholds_curve import single_curve, track_curve
from bench.thresholds_lfw import SEED, SPLITS, Scores, Templates, embed_all, rates, search_splits, threshold_at, wilson
from frs.clock import SystemClock
from frs.embed.adding import Choice, add_folder
from frs.embed.engine import FaceEngine
from frs.embed.loading import load_engine
from frs.embed.shelf import Shelf
from frs.embed.starter import ensure_starter
from frs.settings import EmbedSettings, Settings

CACHE = Path(".cache/thresholds")
LIVE_SIZE = 1000
TARGETS = (0.01, 0.001)
FRAMES = 16
SAMPLE_CLIPS = 20
MOSAICS_MATED, MOSAICS_STRANGERS = 11, 28
Grid = npt.NDArray[np.float64]
GRID: dict[str, Grid] = {"starter": np.arange(0.90, 0.9801, 0.005), "dev-pack": np.arange(0.25, 0.6501, 0.025)}


@dataclass(frozen=True, slots=True, eq=False)
class Live:
    """Best scores of tracks; see :mod:`thresholds_clips`."""

    genuine: Floats
    """(clips, 6): the people of the sample picture against their own reference."""
    others: Floats
    """(clips, 6): the same tracks against the best of the other five references."""
    passers: Floats
    """(people,): LFW people against the best of the six references."""
    mated: Floats
    """(people, enrolled): LFW people in another photograph than the one enrolled; entry i is that of person i."""
    non_mated: Floats
    """(people, enrolled): LFW people who are not enrolled."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", action="append", choices=("starter", "dev-pack"))
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--fresh", action="store_true")
    options = parser.parse_args()
    photographs = options.shared / "data/lfw-view1/images"
    if not photographs.is_dir():
        parser.error(f"{photographs} is not there: these figures need LFW's development view")
    packs: dict[str, Any] = {}
    for pack in options.pack or ("starter", "dev-pack"):
        begin = time.monotonic()
        settings = _settings(pack, options.shared)
        engine = load_engine(settings)
        try:
            cache = CACHE / f"lfw-{engine.model.id}-{engine.model.profile}.npz"
            if options.fresh:
                cache.unlink(missing_ok=True)
            templates = embed_all(engine, photographs, settings.quality.min_face_enrol, cache)
            live = _live(engine, settings, photographs, templates)
            measured = {
                "model": engine.model.id,
                "profile": engine.model.profile,
                "single": [_single(search_splits(templates, size), GRID[pack]) for size in SPLITS],
                "live": _describe_live(live, GRID[pack]),
                "curves": [single_curve(templates, pack), track_curve(live.mated, live.non_mated, pack)],
                "photographs": len(templates.people),
                "without_usable_face": int((~templates.usable).sum()),
                "seconds": round(time.monotonic() - begin),
            }
        finally:
            engine.close()
        packs[pack] = measured
        print(_tables(pack, measured), flush=True)
    write("thresholds", {"seed": SEED, "splits": SPLITS, "packs": packs}, options.out)


def _settings(pack: str, shared: Path) -> Settings:
    embed = EmbedSettings(pack=pack, threads=1, batch_wait_ms=0)
    settings = Settings(data_dir=CACHE, embed=embed)
    shelf = Shelf(settings.models_path)
    if pack == "starter":
        ensure_starter(shelf, SystemClock())
    elif pack not in shelf.names():
        add_folder(shared / "models" / pack, shelf, SystemClock(), Choice())
    return settings


def _single(scores: Scores, grid: Grid) -> dict[str, Any]:
    targets = []
    for target in TARGETS:
        threshold = threshold_at(scores, target)
        targets.append({"target": target} | _row(scores, threshold))
    return {
        "enrolled": scores.size,
        "photographs_mated": scores.photographs_mated,
        "photographs_non_mated": scores.photographs_non_mated,
        "targets": targets,
        "grid": [_row(scores, round(float(threshold), 4)) for threshold in grid],
    }


def _row(scores: Scores, threshold: float) -> dict[str, Any]:
    fpir, fnir = rates(scores, threshold)
    return {
        "threshold": threshold,
        "fpir": fpir,
        "fpir_95": wilson(fpir, scores.photographs_non_mated),
        "fnir": fnir,
        "fnir_95": wilson(fnir, scores.photographs_mated),
    }


def _live(engine: FaceEngine, settings: Settings, photographs: Path, templates: Templates) -> Live:
    random = np.random.default_rng(SEED)
    picture, faces = sample_picture(engine)
    six = cut_references(engine, picture, faces)
    centres = [((f.box[0] + f.box[2]) / 2, (f.box[1] + f.box[3]) / 2) for f in faces]
    clips = [
        film(engine, picture, centres, six, SAMPLE_SCALES, FRAMES, random, settings).scores for _ in range(SAMPLE_CLIPS)
    ]
    own = np.eye(len(six), dtype=bool)
    genuine = np.stack([np.diag(clip) for clip in clips])
    others = np.stack([np.where(own, -1, clip).max(axis=1) for clip in clips])

    per_mosaic = COLUMNS * ROWS
    people, first = np.unique(templates.people, return_index=True)
    second = np.minimum(first + 1, len(templates.people) - 1)
    twice = (templates.people[second] == people) & templates.enrollable[first]
    enrolled = random.choice(np.flatnonzero(twice), LIVE_SIZE, replace=False)
    rest = np.setdiff1d(np.arange(len(people)), enrolled)
    strangers = random.choice(rest, MOSAICS_STRANGERS * per_mosaic, replace=False)
    mates = enrolled[: MOSAICS_MATED * per_mosaic]
    references = np.concatenate([six, templates.vectors[first[enrolled]]])
    files = [sorted((photographs / str(person)).glob("*.jpg")) for person in people]
    scores = []
    for start in range(0, len(mates) + len(strangers), per_mosaic):
        chosen = np.concatenate([mates, strangers])[start : start + per_mosaic]
        # Somebody enrolled is filmed from another photograph than the one enrolled.
        shown, places = mosaic([files[p][1 if start < len(mates) else 0] for p in chosen])
        scores.append(film(engine, shown, places, references, MOSAIC_SCALES, FRAMES, random, settings).scores)
    every = np.concatenate(scores)
    against = every[:, len(six) :]
    return Live(
        genuine=genuine,
        others=others,
        passers=every[:, : len(six)].max(axis=1),
        mated=against[: len(mates)],
        non_mated=against[len(mates) :],
    )


def _describe_live(live: Live, grid: Grid) -> dict[str, Any]:
    ripe = live.genuine[live.genuine > -1]
    count = len(live.mated)
    galleries = {}
    for size in (count, LIVE_SIZE):
        mated, best = live.mated[:, :size], live.non_mated[:, :size].max(axis=1)
        galleries[size] = (np.where(mated.argmax(axis=1) == np.arange(count), mated.max(axis=1), -1), best)
    return {
        "frames": FRAMES,
        "tracks": {
            "genuine": live.genuine.size,
            "others": live.others.size,
            "passers": len(live.passers),
            "mated": count,
            "non_mated": len(live.non_mated),
        },
        "genuine": {
            "unripe": int((live.genuine == -1).sum()),
            "least": round(float(ripe.min()), 4),
            "p5": round(float(np.percentile(ripe, 5)), 4),
            "median": round(float(np.median(ripe)), 4),
        },
        "others": {"greatest": round(float(live.others.max()), 4)},
        "passers": {"greatest": round(float(live.passers.max()), 4)},
        "grid": [
            {
                "threshold": round(float(threshold), 4),
                "missed_sample": round(float((live.genuine < threshold).mean()), 5),
                "false_sample": round(float((live.others >= threshold).mean()), 5),
                "false_passers": round(float((live.passers >= threshold).mean()), 5),
                "lfw": [_live_rates(size, *scores, float(threshold)) for size, scores in galleries.items()],
            }
            for threshold in grid
        ],
    }


def _live_rates(size: int, mated: Floats, non_mated: Floats, threshold: float) -> dict[str, Any]:
    fpir, fnir = float((non_mated >= threshold).mean()), float((mated < threshold).mean())
    return {
        "enrolled": size,
        "fpir": round(fpir, 5),
        "fpir_95": wilson(fpir, len(non_mated)),
        "fnir": round(fnir, 5),
        "fnir_95": wilson(fnir, len(mated)),
    }


def _tables(pack: str, measured: dict[str, Any]) -> str:
    lines = [f"\n## {pack} ({measured['model']}, {measured['profile']})\n"]
    lines.append("| enrolled | target FPIR | threshold | FPIR (95%) | FNIR (95%) |\n|---|---|---|---|---|")
    for single in measured["single"]:
        lines += [f"| {single['enrolled']} | {row['target']:.1%} | {_rates(row)} |" for row in single["targets"]]
    for single in measured["single"]:
        lines.append(f"\n{single['enrolled']} enrolled\n\n| threshold | FPIR (95%) | FNIR (95%) |\n|---|---|---|")
        lines += [f"| {_rates(row)} |" for row in single["grid"]]
    live = measured["live"]
    lines.append(f"\nlive: {json.dumps({key: live[key] for key in ('tracks', 'genuine', 'others', 'passers')})}\n")
    sizes = [row["enrolled"] for row in live["grid"][0]["lfw"]]
    columns = ["threshold", "six: missed", "six: false", "passers-by"]
    columns += [f"{rate}, {size} enrolled" for size in sizes for rate in ("FPIR", "FNIR")]
    lines += ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for row in live["grid"]:
        cells = [f"{row['threshold']:.3f}"]
        cells += [f"{row[key]:.1%}" for key in ("missed_sample", "false_sample", "false_passers")]
        for rate in row["lfw"]:
            cells += [_interval(rate["fpir"], rate["fpir_95"]), _interval(rate["fnir"], rate["fnir_95"])]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _rates(row: dict[str, Any]) -> str:
    fpir, fnir = _interval(row["fpir"], row["fpir_95"]), _interval(row["fnir"], row["fnir_95"])
    return f"{row['threshold']:.3f} | {fpir} | {fnir}"


def _interval(share: float, interval: tuple[float, float]) -> str:
    return f"{share:.2%} ({interval[0] * 100:.2f}-{interval[1] * 100:.2f})"


if __name__ == "__main__":
    main()
