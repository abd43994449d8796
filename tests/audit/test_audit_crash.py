"""kill -9 while events are appended and checkpoints signed: what was answered is there, and all of it verifies."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TextIO

from frs.audit.timer import CheckpointTimer
from frs.settings import Settings
from tests.audit_house import AuditHouse, alert_event
from tests.forking import Child
from tests.manual_clock import ManualClock


def append_for_ever(settings: Settings, stream: TextIO) -> None:
    """Append from four threads, sign all the while, and name each index once it is durable."""
    house = AuditHouse(settings, ManualClock())
    CheckpointTimer(house.log, 0.005).start()

    def work(_: int) -> None:
        for number in range(1_000_000):
            (seq,) = house.append(alert_event(number))
            stream.write(f"{seq} a{number}\n")
            stream.flush()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


def test_killed_log_loses_nothing_that_it_answered(settings: Settings) -> None:
    """Killed again and again, the log opens, holds every answered event in its place, and verifies."""
    random.seed(62)
    answered: dict[int, str] = {}
    for _ in range(5):
        child = Child(partial(append_for_ever, settings))
        lines = [child.output.readline()]
        time.sleep(random.uniform(0.05, 0.3))
        child.kill()
        lines += child.output.read().split("\n")[:-1]  # the last line may be cut by the kill
        assert child.wait() == -9
        for line in lines:
            seq, alert = line.split()
            assert int(seq) not in answered
            answered[int(seq)] = alert

        house = AuditHouse(settings, ManualClock())
        report = house.verify()
        assert report.problems == ()
        assert report.payloads_opened == report.events >= max(answered) + 1
        for index, name in answered.items():
            assert f'"alert":"{name}"'.encode() in house.log.get(index, False).leaf
        assert house.signer.read(house.log.checkpoint()).size == report.events
        house.close()
    assert len(answered) > 25
    assert report.checkpoints > 5
