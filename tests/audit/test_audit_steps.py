"""kill -9 at each step of an append and of a checkpoint: what was answered is there, it verifies, and it goes on."""

from __future__ import annotations

import os
import signal
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple, TextIO

import pytest

from frs.audit import checkpoints
from frs.audit.appending import Appender
from frs.audit.checkpoints import CheckpointSigner
from frs.audit.kept_checkpoints import KeptCheckpoints
from frs.audit.log import AuditLog
from frs.settings import Settings
from frs.store.keyfile import KeyFile
from frs.store.keyring import Keyring
from frs.store.vault import Vault
from tests.audit_house import AuditHouse, alert_event
from tests.forking import Child
from tests.manual_clock import ManualClock

BEFORE = 5


class Step(NamedTuple):
    """Dies around a real function, and what must hold at the next start."""

    owner: type | ModuleType
    name: str
    after: bool
    """Whether it dies after the function has run, or in its place."""
    events: int
    signed: int


STEPS = {
    "nothing-yet": Step(AuditLog, "append", False, 5, 5),
    "sealed": Step(Vault, "seal", True, 5, 5),
    "placed-in-memory": Step(Appender, "append", True, 5, 5),
    "rows-not-written": Step(Appender, "prepare", False, 5, 5),
    "rows-written": Step(Appender, "prepare", True, 5, 5),
    "keys-not-durable": Step(KeyFile, "add_keys", False, 5, 5),
    "keys-in-file": Step(KeyFile, "add_keys", True, 5, 5),
    "keys-durable": Step(Keyring, "prepare", True, 5, 5),
    "committed": Step(AuditLog, "_tell", False, 6, 5),
    "told": Step(AuditLog, "_tell", True, 6, 5),
    "not-signed": Step(CheckpointSigner, "sign", False, 6, 5),
    "note-in-no-file": Step(checkpoints, "write_file", False, 6, 5),
    "note-in-another-file": Step(os, "replace", False, 6, 5),
    "note-in-its-file": Step(os, "replace", True, 6, 6),
    "file-durable": Step(checkpoints, "write_file", True, 6, 6),
    "signed": Step(CheckpointSigner, "sign", True, 6, 6),
    "row-not-written": Step(KeptCheckpoints, "_keep", False, 6, 6),
    "row-written": Step(KeptCheckpoints, "_keep", True, 6, 6),
}


def die_around(step: Step) -> None:
    """Replace the step's function by one that kills this process."""
    real = getattr(step.owner, step.name)

    def deadly(*arguments: Any, **named: Any) -> None:
        if step.after:
            real(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(step.owner, step.name, deadly)


def append_and_sign(settings: Settings, step: Step, stream: TextIO) -> None:
    """Append an event, sign, and tell what was answered; dies on the way."""
    house = AuditHouse(settings, ManualClock())
    die_around(step)
    stream.write(f"appended {house.append(alert_event(BEFORE))[0]}\n")
    stream.flush()
    stream.write(f"signed {house.signer.read(house.log.checkpoint()).size}\n")
    stream.flush()


@pytest.mark.parametrize("name", STEPS)
def test_killed_at_any_step(settings: Settings, name: str) -> None:
    """The event is there with its payload or not at all, and there when it was answered; the note likewise."""
    step = STEPS[name]
    house = AuditHouse(settings, ManualClock())
    house.fill(BEFORE)
    house.log.checkpoint()
    house.close()

    child = Child(partial(append_and_sign, settings, step))
    answered = child.output.read().split()
    assert child.wait() == -signal.SIGKILL

    house = AuditHouse(settings, ManualClock())
    report = house.verify()
    assert (report.problems, report.events, report.payloads_opened) == ((), step.events, step.events)
    latest = house.log.latest_checkpoint()
    assert latest is not None
    assert latest == house.signer.last()
    assert house.signer.read(latest).size == step.signed
    assert "appended" not in answered or step.events == BEFORE + 1
    assert "signed" not in answered
    assert house.append(alert_event(99)) == [step.events]
    assert house.signer.read(house.log.checkpoint()).size == step.events + 1
    assert house.verify().problems == ()
    house.close()
