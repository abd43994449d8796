"""The audit log: durable events a second, and a log of a million events built, verified, proven and searched.

``python -m bench.audit [--events N] [--threads N] [--rounds N] [--seconds S] [--repeats N] [--folder DIR]``

Appending: every thread appends one event in an act of its own and waits until it is durable. Ours puts what many
threads ask for into one commit (``store.group_commit`` at its default); the baselines are the same code with one event
in each commit, from as many threads and from one. Rounds alternate between the sides, each on a data directory of its
own on the same disk, and medians are reported. Nobody is answered before the fsync.

Then a log of ``--events`` is built through the real log in acts of 2,000, verified as at every start (payloads sealed)
and with every payload opened, and asked for proofs and searches.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from bench import report
from bench.audit_events import STEP, SteppingClock, events
from bench.audit_searches import TARGET_MS, measure
from frs.audit.checkpoints import CheckpointSigner
from frs.audit.inspection import verify_database
from frs.audit.log import AuditLog
from frs.audit.proofs import verify_inclusion
from frs.audit.tree import HASH_BYTES, leaf_hash
from frs.clock import Clock, SystemClock
from frs.settings import Settings
from frs.store.keyring import create_keyring
from frs.store.opening import Store, open_store

ACT = 2000
CHECKPOINT_EVERY = 10_000
PROOFS = 1000


def main() -> None:
    """Run the benchmark and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each side in each round")
    parser.add_argument("--repeats", type=int, default=100, help="of each search")
    parser.add_argument("--folder", type=Path, default=report.RESULTS.parent, help="on the disk that is measured")
    parser.add_argument("--json", type=Path, default=None, help="where the result goes; bench/results/audit.json")
    options = parser.parse_args()
    machine = report.machine()
    with tempfile.TemporaryDirectory(prefix="audit-", dir=options.folder) as folder:
        appending = append(Path(folder), options.threads, options.rounds, options.seconds)
        data = Path(folder) / "log"
        clock = SteppingClock()
        with opened(data, clock) as (store, log):
            built = build(store, log, clock, options.events)
        size = sum(file.stat().st_size for file in data.rglob("*") if file.is_file())
        with opened(data, clock) as (store, log):
            result = {
                "machine": machine,
                "appending": appending,
                "log": built | {"bytes_per_event": round(size / options.events)},
                "verification": verify(store, log),
                "proofs": prove(log, options.events),
                "search_target_ms": TARGET_MS,
                "searches": measure(log, options.events, options.repeats),
            }
    print(report.write("audit", result, options.json))


@contextmanager
def opened(data: Path, clock: Clock, **store_settings: Any) -> Iterator[tuple[Store, AuditLog]]:
    """Open the log of a data directory, which is made when it is not there."""
    settings = Settings.model_validate({"data_dir": data, "store": store_settings})
    data.mkdir(exist_ok=True)
    create_keyring(settings.keyring_path)
    store = open_store(settings, clock)
    try:
        signer = CheckpointSigner.open(store.keyring, settings, store.database.installation_id)
        yield store, AuditLog(store.database, store.vault, signer, clock)
    finally:
        store.close()


def append(folder: Path, threads: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Count durable events a second of each side."""
    sides = {
        "group_commit": (threads, {}),
        "one_event_each_fsync": (threads, {"group_commit": 1}),
        "one_thread": (1, {"group_commit": 1}),
    }
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, (count, settings) in sides.items():
            with opened(folder / name, SystemClock(), **settings) as (store, log):
                speeds[name].append(_appended(store, log, count, seconds) / seconds)
            shutil.rmtree(folder / name)
    medians = {name: round(statistics.median(found), 1) for name, found in speeds.items()}
    shown = "  ".join(f"{name} {speed:9.1f}/s" for name, speed in medians.items())
    ratio = round(medians["group_commit"] / medians["one_event_each_fsync"], 2)
    print(f"appending from {threads} threads: {shown}  ratio {ratio}", flush=True)
    rounded = {name: [round(speed, 1) for speed in found] for name, found in speeds.items()}
    return {"threads": threads, "events_per_second": medians, "ratio": ratio, "rounds": rounded}


def _appended(store: Store, log: AuditLog, threads: int, seconds: float) -> int:
    """Append from threads for some seconds and return how many events were durable in that time."""
    source, counts = [*islice(events(10_000), 1, 2000)], [0] * threads
    begin = threading.Barrier(threads + 1)
    until = float("inf")

    def work(number: int) -> None:
        begin.wait()
        place = number
        while time.perf_counter() < until:
            event = source[place % len(source)]
            store.database.write(lambda tx: log.append(tx, event))  # noqa: B023  # done before the next
            counts[number] += time.perf_counter() < until
            place += threads

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    until = time.perf_counter() + seconds
    begin.wait()
    for worker in workers:
        worker.join()
    return sum(counts)


def build(store: Store, log: AuditLog, clock: SteppingClock, count: int) -> dict[str, Any]:
    """Append ``count`` events in large acts, 30 seconds of the log's own time apart, and sign now and then."""
    source = events(count)
    start = time.perf_counter()
    for first in range(0, count, ACT):
        part = [*islice(source, ACT)]

        def act(tx: Any, part: Any = part) -> None:
            for event in part:
                log.append(tx, event)
                clock.time += STEP

        store.database.write(act)
        if first % CHECKPOINT_EVERY == 0:
            log.checkpoint()
    log.checkpoint()
    seconds = time.perf_counter() - start
    print(f"{count} events built in {seconds:.1f} s", flush=True)
    return {"events": count, "seconds": round(seconds, 1), "events_per_second": round(count / seconds)}


def verify(store: Store, log: AuditLog) -> dict[str, Any]:
    """Time the verification of the whole log, on one core."""
    found = {}
    for name, opens in (("payloads_sealed", False), ("payloads_opened", True)):
        start, used = time.perf_counter(), time.process_time()
        with store.database.read() as connection:
            verified = verify_database(connection, log.vkey, store.vault, open_payloads=opens)
        assert verified.verified, verified.problems[0]
        found[name] = {
            "seconds": round(time.perf_counter() - start, 2),
            "processor_seconds": round(time.process_time() - used, 2),
            "checkpoints": verified.checkpoints,
        }
        print(f"verified, {name.replace('_', ' ')}: {found[name]}", flush=True)
    return found


def prove(log: AuditLog, count: int) -> dict[str, Any]:
    """Time proofs at random places, in milliseconds, and measure how long they are."""
    choose = random.Random(5)  # the same in every run
    size = log.size()
    root = log.read(log.checkpoint()).root
    taken: dict[str, list[float]] = {"inclusion": [], "inclusion_verified": [], "consistency": []}
    hashes: dict[str, list[int]] = {"inclusion": [], "consistency": []}
    for _ in range(min(PROOFS, count)):
        seq = choose.randrange(size)
        start = time.perf_counter()
        proof = log.inclusion_proof(seq, size)
        made = time.perf_counter()
        consistency = log.consistency_proof(seq, size)
        compared = time.perf_counter()
        leaf = leaf_hash(log.get(seq, False).leaf)
        read = time.perf_counter()
        verify_inclusion(seq, size, leaf, proof, root)
        taken["inclusion_verified"].append(time.perf_counter() - read)
        taken["inclusion"].append(made - start)
        taken["consistency"].append(compared - made)
        hashes["inclusion"].append(len(proof))
        hashes["consistency"].append(len(consistency))
    found = {
        "milliseconds": {
            name: {f"p{part}": round(1000 * float(np.percentile(values, part)), 3) for part in (50, 95)}
            for name, values in taken.items()
        },
        "most_hashes": {name: max(values) for name, values in hashes.items()},
        "most_bytes": {name: max(values) * HASH_BYTES for name, values in hashes.items()},
    }
    print(f"proofs: {found}", flush=True)
    return found


if __name__ == "__main__":
    main()
