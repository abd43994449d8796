"""Pictures to templates: images per second against InsightFace, and faces per second against dlib.

``python -m bench.embedding [--pictures N] [--rounds N] [--cores N] [--json FILE]``

1. Our pipeline (decode, detect, align, embed) with several pictures in flight and one ONNX Runtime thread a run,
   against ``insightface.app.FaceAnalysis`` (detection and recognition only), which takes one picture at a time
   and gets one ONNX Runtime thread per core. Both start from the same encoded bytes, with the same pack, on the
   same cores. Photographs of LFW are 150x150: at the detector size both ship with (640) InsightFace enlarges them
   and we do not, so the comparison is made once as shipped and once with InsightFace told the size we use.
2. The starter's recogniser against dlib's own binding, on the same aligned faces.

Rounds alternate between the two sides; medians are reported. Needs ``../shared`` and the development requirements.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import dlib
import insightface
import numpy as np
import numpy.typing as npt
import onnxruntime
from insightface.app import FaceAnalysis

from bench import report
from frs.clock import SystemClock
from frs.embed.adding import Choice, add_folder
from frs.embed.engine import FaceEngine
from frs.embed.loading import load_engine
from frs.embed.pack import Pack
from frs.embed.shelf import Shelf
from frs.embed.starter import make_starter, starter_sources
from frs.settings import Settings

SHARED = Path(__file__).resolve().parents[2] / "shared"
IN_FLIGHT_PER_CORE = 2
DETECTOR_SIZE = 640
Side = Callable[[], int]
Times = tuple[list[tuple[float, float]], list[tuple[float, float]]]


def main() -> None:
    """Run the benchmark and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=200, help="photographs of LFW in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=Path, default=None, help="where the result goes; bench/results/embedding.json")
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    machine = report.machine()
    # InsightFace calls scikit-image by an old name, once per face.
    warnings.filterwarnings("ignore", category=FutureWarning, module="insightface")
    with tempfile.TemporaryDirectory() as folder:
        shelf = Shelf(Path(folder))
        starter = make_starter(shelf, SystemClock())
        dev = add_folder(SHARED / "models" / "dev-pack", shelf, SystemClock(), Choice()).pack
        result = {
            "machine": machine,
            "rounds": options.rounds,
            "pipeline": pipelines(dev, options.pictures, options.rounds, options.cores),
            "recogniser": recognisers(starter, options.rounds, options.cores),
        }
    for row in (*result["pipeline"], result["recogniser"]):
        speed = f"ours {row['ours']:7.1f}/s  theirs {row['theirs']:7.1f}/s  ratio {row['ratio']:6.2f}"
        print(f"{row['what']:58s} {speed}  in processor time {row['processor_ms_per_item']['ratio']:6.2f}")
    print(report.write("embedding", result, options.json))


def pipelines(pack: Pack, pictures: int, rounds: int, cores: int) -> list[dict[str, Any]]:
    """Compare the whole way from bytes to templates on small photographs and on a group photograph."""
    portraits = [p.read_bytes() for p in sorted((SHARED / "data" / "lfw-view1" / "images").glob("*/*.jpg"))[:pictures]]
    group = [(Path(insightface.__file__).parent / "data" / "images" / "t1.jpg").read_bytes()] * max(8, pictures // 10)
    engine = load_engine(settings(pack))
    rows = []
    with ThreadPoolExecutor(cores * IN_FLIGHT_PER_CORE) as pool:
        for what, data, size in (
            ("LFW 150x150, both as shipped (640)", portraits, (DETECTOR_SIZE, DETECTOR_SIZE)),
            ("LFW 150x150, InsightFace at our input (160x160)", portraits, (160, 160)),
            ("six people 1280x886, both as shipped (640)", group, (DETECTOR_SIZE, DETECTOR_SIZE)),
            ("six people 1280x886, InsightFace at our input (640x448)", group, (DETECTOR_SIZE, 448)),
        ):
            theirs = analysis(pack, size, cores)
            seconds, faces = alternate(partial(ours, engine, data, pool), partial(baseline, theirs, data), rounds)
            rows.append(
                {
                    "what": what,
                    "unit": "images/s",
                    "pictures": len(data),
                    "faces_found": {"ours": faces[0], "theirs": faces[1]},
                    "template_cosine_5th_percentile": agreement(engine, theirs, data[:40]),
                    "threads": {
                        "ours": f"{cores * IN_FLIGHT_PER_CORE} pictures in flight, 1 ONNX Runtime thread a run",
                        "theirs": f"1 picture at a time, {cores} ONNX Runtime threads a run",
                        "cores": cores,
                    },
                    **speeds(seconds, len(data)),
                }
            )
    engine.close()
    return rows


def recognisers(pack: Pack, rounds: int, cores: int) -> dict[str, Any]:
    """Compare the starter's recogniser with dlib's binding on the aligned faces of the group photograph."""
    engine = load_engine(settings(pack, profile="plain", threads=cores))
    data = (Path(insightface.__file__).parent / "data" / "images" / "t1.jpg").read_bytes()
    chips = np.concatenate([np.stack([face.aligned for face in engine.analyse(data).faces])] * 6)[:32]
    theirs = dlib.face_recognition_model_v1(str(starter_sources()[1]))
    embed = engine._recogniser.embed  # the recogniser alone, without the batcher
    expected = np.array([theirs.compute_face_descriptor(chip) for chip in chips[:6]])
    difference = float(np.abs(embed(chips[:6]) - expected).max())

    def dlib_side() -> int:
        return len(theirs.compute_face_descriptor(list(chips)))

    seconds, _ = alternate(lambda: len(embed(chips)), dlib_side, rounds)
    engine.close()
    return {
        "what": "starter's recogniser against dlib's binding, 32 faces",
        "unit": "faces/s",
        "largest_difference": difference,
        "threads": {
            "ours": f"one run of 32 faces, {cores} ONNX Runtime threads",
            "theirs": "one call with the list of 32 faces; threads as dlib-bin decides",
            "cores": cores,
        },
        **speeds(seconds, len(chips)),
    }


def settings(pack: Pack, **changes: object) -> Settings:
    """Return settings for a pack: one thread a run and the shipped detector size."""
    embed = {"pack": str(pack.folder), "threads": 1, "device": "cpu", "detector_size": DETECTOR_SIZE, **changes}
    return Settings.model_validate({"embed": embed})


def analysis(pack: Pack, size: tuple[int, int], cores: int) -> Any:
    """Return InsightFace's own pipeline on the same files."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores
    made = FaceAnalysis(
        name=str(pack.folder),
        allowed_modules=["detection", "recognition"],
        providers=["CPUExecutionProvider"],
        sess_options=options,
    )
    made.prepare(ctx_id=-1, det_size=size, det_thresh=0.5)
    return made


def ours(engine: FaceEngine, data: Sequence[bytes], pool: ThreadPoolExecutor) -> int:
    """Turn all pictures into templates; return how many faces were embedded."""

    def one(picture: bytes) -> int:
        return len(engine.embed(engine.analyse(picture).faces))

    return sum(pool.map(one, data))


def baseline(theirs: Any, data: Sequence[bytes]) -> int:
    """Turn all pictures into templates one by one; return how many faces were embedded."""
    return sum(len(theirs.get(cv2.imdecode(np.frombuffer(d, np.uint8), cv2.IMREAD_COLOR))) for d in data)


def agreement(engine: FaceEngine, theirs: Any, data: Sequence[bytes]) -> float:
    """Return the 5th percentile of the cosine between both sides' templates of each picture's largest face."""
    cosines = []
    for picture in data:
        faces = engine.analyse(picture).faces
        others = theirs.get(cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR))
        if faces and others:
            rows: npt.NDArray[np.float32] = np.stack([face.normed_embedding for face in others])
            cosines.append(float((rows @ engine.embed(faces[:1])[0]).max()))
    return round(float(np.percentile(cosines, 5)), 4)


def alternate(first: Side, second: Side, rounds: int) -> tuple[Times, tuple[int, int]]:
    """Run both sides in turn after one warm-up each; return their times and what they counted.

    Times are pairs of seconds on the clock and seconds of processor time: other work on the machine stretches the
    former, and more for the side with fewer threads.
    """
    counts = (first(), second())
    times: Times = ([], [])
    for _ in range(rounds):
        for side, mine in zip((first, second), times, strict=True):
            began, worked = time.perf_counter(), time.process_time()
            side()
            mine.append((time.perf_counter() - began, time.process_time() - worked))
    return times, counts


def speeds(times: Times, items: int) -> dict[str, Any]:
    """Return both sides' items per second at their median round, their processor time per item, and the ratios."""
    ours_median, theirs_median = (statistics.median(clock for clock, _ in side) for side in times)
    ours_work, theirs_work = (statistics.median(work for _, work in side) for side in times)
    return {
        "ours": round(items / ours_median, 2),
        "theirs": round(items / theirs_median, 2),
        "ratio": round(theirs_median / ours_median, 3),
        "processor_ms_per_item": {
            "ours": round(ours_work / items * 1000, 2),
            "theirs": round(theirs_work / items * 1000, 2),
            "ratio": round(theirs_work / ours_work, 3),
        },
        "seconds": {
            "ours": [round(clock, 4) for clock, _ in times[0]],
            "theirs": [round(clock, 4) for clock, _ in times[1]],
        },
    }


if __name__ == "__main__":
    main()
