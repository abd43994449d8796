"""Alerts, holds, runs and a clock that goes both ways: nothing goes early, nothing held goes, all else does."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from frs.embed.engine import FaceEngine
from frs.embed.pack import Pack
from frs.settings import RetentionSettings
from frs.store.schema import alert
from frs.types import new_id
from tests.conftest import open_installation
from tests.manual_clock import ManualClock
from tests.retention.archive import PROTECTION, Archive

PICTURES, RECORD = 12, 24
"""Hours."""


@dataclass
class Kept:
    """What the model knows of an alert."""

    raised: datetime
    nominal: str
    pictures: bool = True
    record: bool = True


@dataclass
class Held:
    """What the model knows of a hold."""

    target: str
    ends: datetime
    released: bool = False


class RetentionMachine(RuleBasedStateMachine):
    """The real archive beside a model of a few lines."""

    archive: Archive
    alerts: Bundle[str] = Bundle("alerts")
    holds: Bundle[str] = Bundle("holds")

    @initialize()
    def begin(self) -> None:
        self.people = new_id()  # of this example alone: the archive is that of all examples
        self.known: dict[str, Kept] = {}
        self.held: dict[str, Held] = {}

    @rule(target=alerts, nominal=st.sampled_from(["N-1", "N-2", "N-3"]))
    def raise_alert(self, nominal: str) -> str:
        nominal = f"{nominal}-{self.people}"
        name = self.archive.alert(nominal)
        self.known[name] = Kept(self.archive.now(), nominal)
        return name

    @rule(hours=st.integers(-20, 30))
    def move_clock(self, hours: int) -> None:
        self.archive.clock.advance(hours=hours)

    @rule(target=holds, name=alerts, person=st.booleans(), hours=st.integers(1, 40))
    def place(self, name: str, person: bool, hours: int) -> str:
        kept = self.known[name]
        on = f"nominals/{kept.nominal}" if person or not kept.record else f"alerts/{name}"
        made = self.archive.hold(on, hours)
        self.held[made.id] = Held(on, made.ends_at)
        return made.id

    @rule(name=holds)
    def release(self, name: str) -> None:
        held = self.held[name]
        if not held.released and held.ends > self.archive.now():
            self.archive.holds.release(PROTECTION, name, "settled")
            held.released = True

    @rule()
    def run(self) -> None:
        now = self.archive.now()
        self._plan_says_what_a_run_will_do()
        self.archive.run()
        for name, kept in self.known.items():
            if not self._is_held(name, kept, now):
                kept.pictures = kept.pictures and kept.raised + timedelta(hours=PICTURES) > now
                kept.record = kept.record and kept.raised + timedelta(hours=RECORD) > now
                kept.pictures = kept.pictures and kept.record

    @rule()
    def restart(self) -> None:
        self.archive.restart()

    @invariant()
    def what_should_be_there_is(self) -> None:
        with self.archive.database.read() as connection:
            rows = {row.id: row for row in connection.execute(sa.select(alert)) if row.id in self.known}
        assert {name: (row.probe_sealed is not None, row.erased_at is None) for name, row in rows.items()} == {
            name: (kept.pictures, kept.record) for name, kept in self.known.items()
        }

    def _plan_says_what_a_run_will_do(self) -> None:
        now = self.archive.now()
        going = {
            f"alert alerts/{name}"
            for name, kept in self.known.items()
            if kept.record and kept.raised + timedelta(hours=RECORD) <= now and not self._is_held(name, kept, now)
        }
        assert {f"alert alerts/{name}" for name in self.known}.intersection(self.archive.names()) == going

    def _is_held(self, name: str, kept: Kept, now: datetime) -> bool:
        targets = {f"alerts/{name}", f"nominals/{kept.nominal}"}
        return any(held.target in targets and not held.released and held.ends > now for held in self.held.values())


@contextmanager
def _archive(engine: FaceEngine, pack: Pack) -> Iterator[Archive]:
    with tempfile.TemporaryDirectory() as folder:
        for installation in open_installation(Path(folder), engine, pack, ManualClock()):
            yield Archive(installation, RetentionSettings(alert_picture_hours=PICTURES, alert_hours=RECORD))


@pytest.fixture
def machine(engine: FaceEngine, starter_pack: Pack) -> Iterator[type[RetentionMachine]]:
    """Give the machine over one archive: each example's alerts are its own."""
    with _archive(engine, starter_pack) as archive:

        class Machine(RetentionMachine):
            pass

        Machine.archive = archive
        yield Machine


def test_alerts_holds_and_the_clock_in_any_order(machine: type[RetentionMachine]) -> None:
    """The archive agrees with the model after every step, and the log verifies at the end."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=8, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    assert machine.archive.verify().problems == ()
