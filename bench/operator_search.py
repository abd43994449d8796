"""Operator search through gRPC with TLS, against the bare call in one process.

``python -m bench.operator_search [--requests N] [--rounds N] [--threads N] [--pack NAME_OR_FOLDER] [--json FILE]``

Both sides run the same code on the same data: :meth:`OperatorSearches.identify` called on threads of this process, and
``OperatorService.Identify`` of ``frs serve`` in a process of its own over TLS with client certificates, on loopback,
each client with a connection of its own. The data directories are copies of one, with the same people enrolled; the
engine has the same number of threads on both sides; the log is written and committed to the disk by both. Photographs
are a face crop and a 12-megapixel phone photograph of the same person. Rounds alternate between the sides. What is
reported: p50 and p99 of the latency, requests per second (median over the rounds), and gRPC's p50 over the bare one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / ".cache" / "models"
CLIENTS = (1, 8)
PEOPLE = 3
Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of one side took."""

    latencies: list[float]
    """Seconds of each request."""
    seconds: float


def main() -> None:
    """Run the benchmark and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=40, help="in one round of one side")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of each side's engine")
    parser.add_argument("--pack", default="starter", help="model pack: a name in .cache/models or a folder")
    parser.add_argument("--json", type=Path, default=None, help="where the result goes")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)

    from bench import report

    machine = report.machine()
    with tempfile.TemporaryDirectory(prefix="frs-bench-") as folder, ExitStack() as stack:
        bench = stack.enter_context(_sides(Path(folder), options.pack, options.threads))
        rows = [row for name, photo in bench.photographs.items() for row in _measure(bench, name, photo, options)]
    result = {
        "machine": machine,
        "model": bench.model,
        "requests_per_round": options.requests,
        "rounds": options.rounds,
        "threads": {"engine of each side": options.threads, "server's request workers": bench.workers},
        "baseline": "OperatorSearches.identify in one process, as many threads as clients",
        "rows": rows,
    }
    path = report.write("operator_search", result, options.json)
    _print(rows)
    print(f"\n{path}")


class Sides:
    """Both sides, ready to be asked."""

    def __init__(self, application: Any, stubs: Sequence[Any], photographs: dict[str, bytes]) -> None:
        self._application = application
        self._stubs = stubs
        self.photographs = photographs
        self.model: str = application.engine.model.id
        self.workers: int = application.settings.server.request_workers

    def bare(self, photo: bytes) -> list[Call]:
        """Return a call in this process for each client."""
        from frs.access.actor import LOOPBACK

        def call() -> object:
            found = self._application.operator.identify(LOOPBACK, photo, "bench", "bench", "bench", ["bench"], 0)
            assert found.matched
            return found

        return [call] * len(self._stubs)

    def served(self, photo: bytes) -> list[Call]:
        """Return a call through gRPC for each client."""
        from frs.v1 import operator_pb2

        request = operator_pb2.IdentifyRequest(
            photograph=photo, reason="bench", legal_power="bench", device="bench", watchlists=["watchlists/bench"]
        )

        def calling(stub: Any) -> Call:
            def call() -> object:
                answer = stub.Identify(request, timeout=60)
                assert answer.matched
                return answer

            return call

        return [calling(stub) for stub in self._stubs]


@contextmanager
def _sides(folder: Path, pack: str, threads: int) -> Iterator[Sides]:
    from frs.clock import SystemClock
    from frs.embed.shelf import Shelf
    from frs.embed.starter import ensure_starter
    from frs.server.application import Application
    from frs.server.installation import initialise
    from frs.settings import Settings

    shelf = Shelf(MODELS)
    if pack == "starter":
        MODELS.mkdir(parents=True, exist_ok=True)
        ensure_starter(shelf, SystemClock())
    values = {"models_dir": str(MODELS), "embed": {"pack": pack, "threads": threads}}
    settings = Settings.model_validate({"data_dir": folder / "bare", **values})
    initialise(settings, SystemClock(), trial=True)
    application = Application.open(settings)
    people = _people(application)
    _enrol(application, people)
    application.close()
    shutil.copytree(folder / "bare", folder / "served")
    with ExitStack() as stack:
        application = Application.open(settings)
        stack.callback(application.close)
        stubs = stack.enter_context(_server(folder / "served", pack, threads))
        yield Sides(application, stubs, {"face crop": people[0], "12-megapixel photograph": _phone(people[0])})


def _people(application: Any) -> list[bytes]:
    """Return face crops of the people in InsightFace's sample picture, from left to right."""
    import insightface

    from frs.embed.decoding import crop_face, encode_jpeg

    data = (Path(insightface.__file__).parent / "data" / "images" / "t1.jpg").read_bytes()
    analysis = application.engine.analyse(data)
    faces = sorted(analysis.faces, key=lambda face: face.box[0])
    return [encode_jpeg(crop_face(analysis.picture, face.box, 0.5)) for face in faces][:PEOPLE]


def _enrol(application: Any, people: Sequence[bytes]) -> None:
    from datetime import timedelta

    from frs.access.actor import LOOPBACK
    from frs.types import Mode
    from frs.watchlist.model import ImageDraft, SubjectDraft, ThresholdSpec, WatchlistDraft

    lists, expires = application.watchlists, application.clock.now() + timedelta(days=1)
    threshold = ThresholdSpec(Mode.OPERATOR, 0.5)
    lists.create(
        LOOPBACK, WatchlistDraft("bench", "benchmark", "wanted", "none", "nobody", expires, thresholds=(threshold,))
    )
    for number, picture in enumerate(people):
        draft = SubjectDraft(f"NOM-{number}", "benchmark", lawfully_held=True)
        lists.enrol(LOOPBACK, "bench", draft, [ImageDraft(picture, "sample", "2026-01-01")])
    lists.approve(LOOPBACK, "bench")
    lists.activate(LOOPBACK, "bench")


def _phone(person: bytes) -> bytes:
    """Return the person large in a phone's upright photograph of 3024 by 4032 pixels."""
    import cv2
    import numpy as np

    face: Any = cv2.imdecode(np.frombuffer(person, np.uint8), cv2.IMREAD_COLOR)
    scale = 1800 / face.shape[1]
    face = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    rng = np.random.default_rng(1)
    wall = rng.normal(128, 6, (4032, 3024, 3)).clip(0, 255).astype(np.uint8)
    height, width = face.shape[:2]
    wall[700 : 700 + height, 600 : 600 + width] = face
    done, data = cv2.imencode(".jpg", wall, [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert done
    return bytes(data)


@contextmanager
def _server(data: Path, pack: str, threads: int) -> Iterator[list[Any]]:
    """Run ``frs serve`` and yield a stub for each client, each on a connection of its own."""
    import grpc

    from frs.server.lifecycle import read_server_file
    from frs.v1 import operator_pb2_grpc

    command = [sys.executable, "-m", "frs.cli.main", "serve", "--data", str(data), "--address", "localhost:0"]
    environment = {
        **os.environ,
        "FRS_MODELS_DIR": str(MODELS),
        "FRS_EMBED__PACK": pack,
        "FRS_EMBED__THREADS": str(threads),
        "FRS_ACCESS__REQUESTS_PER_SECOND": "100000",
    }
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    channels = []
    try:
        while (here := read_server_file(data / "server.json")) is None or here.pid != process.pid:
            if process.poll() is not None:
                sys.exit("the server did not start")
            time.sleep(0.05)
        certs = data / "certs"
        credentials = grpc.ssl_channel_credentials(
            *((certs / name).read_bytes() for name in ("ca.crt", "officer.key", "officer.crt"))
        )
        for number in range(max(CLIENTS)):
            # Channels with the same options would share one connection.
            options = (("frs.client", number), ("grpc.use_local_subchannel_pool", 1))
            channels.append(grpc.secure_channel(here.address, credentials, options))
        yield [operator_pb2_grpc.OperatorServiceStub(channel) for channel in channels]
    finally:
        for channel in channels:
            channel.close()
        process.terminate()
        process.wait()


def _measure(bench: Sides, name: str, photo: bytes, options: argparse.Namespace) -> list[dict[str, Any]]:
    sides = {"bare": bench.bare(photo), "grpc": bench.served(photo)}
    rows = []
    for clients in CLIENTS:
        for calls in sides.values():  # connections, caches and the allocator are warm before anything is timed
            _play(calls[:clients], clients * 2)
        rounds: dict[str, list[Round]] = {side: [] for side in sides}
        for _ in range(options.rounds):
            for side, calls in sides.items():
                rounds[side].append(_play(calls[:clients], options.requests))
        found = {side: _summary(played) for side, played in rounds.items()}
        overhead = found["grpc"]["p50_ms"] - found["bare"]["p50_ms"]
        rows.append(
            {
                "photograph": name,
                "bytes": len(photo),
                "clients": clients,
                **{f"{side}_{key}": value for side, values in found.items() for key, value in values.items()},
                "overhead_p50_ms": round(overhead, 2),
                "overhead_percent": round(100 * overhead / found["bare"]["p50_ms"], 1),
            }
        )
    return rows


def _play(calls: Sequence[Call], requests: int) -> Round:
    """Make requests from as many threads as there are calls, each as soon as its last one is answered."""
    left = iter(range(requests))
    lock = threading.Lock()
    latencies: list[float] = []
    failures: list[BaseException] = []

    def work(call: Call) -> None:
        while True:
            with lock:
                if next(left, None) is None:
                    return
            started = time.perf_counter()
            try:
                call()
            except BaseException as error:
                failures.append(error)
                return
            latencies.append(time.perf_counter() - started)

    threads = [threading.Thread(target=work, args=(call,)) for call in calls]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return Round(latencies, time.perf_counter() - started)


def _summary(rounds: Sequence[Round]) -> dict[str, float]:
    latencies = sorted(latency for played in rounds for latency in played.latencies)
    last = min(len(latencies) - 1, round(0.99 * (len(latencies) - 1)))
    per_second = statistics.median(len(played.latencies) / played.seconds for played in rounds)
    return {
        "p50_ms": round(1000 * statistics.median(latencies), 2),
        "p99_ms": round(1000 * latencies[last], 2),
        "per_second": round(per_second, 1),
    }


def _print(rows: Sequence[dict[str, Any]]) -> None:
    print(f"{'photograph':<25}{'clients':>8}{'side':>7}{'p50 ms':>9}{'p99 ms':>9}{'per s':>8}{'overhead':>18}")
    for row in rows:
        for side in ("bare", "grpc"):
            over = f"{row['overhead_p50_ms']:+.1f} ms {row['overhead_percent']:+.0f}%" if side == "grpc" else ""
            figures = (row[f"{side}_{key}"] for key in ("p50_ms", "p99_ms", "per_second"))
            p50, p99, per_second = figures
            print(f"{row['photograph']:<25}{row['clients']:>8}{side:>7}{p50:>9}{p99:>9}{per_second:>8}{over:>18}")


if __name__ == "__main__":
    main()
