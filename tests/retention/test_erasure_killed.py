"""kill -9 in the middle of an erasure: afterwards all of it happened or nothing, whatever step it died at."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import pytest

from frs.audit.appending import Appender
from frs.retention import person
from frs.retention.erasers import Erasers
from frs.settings import OperatorSettings
from frs.store.keyfile import KeyFile
from frs.store.keyring import Keyring
from frs.watchlist.erasing import SubjectErasing
from frs.watchlist.rebuilding import Indexing
from tests.forking import Child
from tests.installation import Installation
from tests.retention.person_house import NOMINAL, PROTECTION, PersonHouse

STEPS: dict[str, tuple[tuple[Any, str, str], bool]] = {
    # where it dies: (owner, name, before or after it ran), and whether the erasure has happened then
    "while the entries go": ((SubjectErasing, "erase_in", "after"), False),
    "while the alerts go": ((Erasers, "alert", "before"), False),
    "while the payloads go": ((Erasers, "payload", "after"), False),
    "while texts are looked through": ((person, "replace_mentions", "after"), False),
    "before the keys are durable": ((Keyring, "prepare", "before"), False),
    "before the commit": ((Appender, "prepare", "after"), False),
    "after the commit, before the keys are destroyed": ((KeyFile, "destroy", "before"), True),
    "after the keys are destroyed": ((KeyFile, "destroy", "after"), True),
    "before the caller is answered": ((Indexing, "settle", "before"), True),
}


@pytest.fixture(scope="module")
def filled(module_installation: Installation, sample_people: tuple[bytes, ...]) -> PersonHouse:
    """Return a house with everything on the person, closed: each test works on a copy of its data."""
    house = PersonHouse(module_installation)
    house.fill(sample_people)
    house.traces = house.sealed(NOMINAL)
    house.desk.jobs.close()
    module_installation.close()
    return house


def erase_and_die(house: PersonHouse, step: tuple[Any, str, str], stream: TextIO) -> None:
    """Open the data, erase the person, and die at the step."""
    owner, name, when = step
    opened = PersonHouse(house.installation)
    run: Callable[..., Any] = getattr(owner, name)

    def dying(*given: Any, **named: Any) -> Any:
        if when == "after":
            run(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, dying)
    opened.erasures.request(PROTECTION, NOMINAL, "the person asked", "the person")
    stream.write("answered\n")


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step(filled: PersonHouse, tmp_path: Path, step: str) -> None:
    """The next start finds the person whole or gone, and an erasure asked for again goes through."""
    at, happened = STEPS[step]
    origin = filled.installation
    shutil.copytree(origin.settings.data_dir, tmp_path / "data")
    settings = origin.settings.model_copy(
        update={"data_dir": tmp_path / "data", "operator": OperatorSettings(keep_matched_probe=True)}
    )
    made = Installation(settings, origin.clock, origin.engine)

    def work(stream: TextIO) -> None:
        made.open()
        house = PersonHouse(made)
        erase_and_die(house, at, stream)

    child = Child(partial(work))
    assert child.output.read() == ""
    assert child.wait() == -signal.SIGKILL
    made.open()
    try:
        house = PersonHouse(made)
        vault = house.desk.vault
        assert house.verify().problems == ()
        destroyed = [vault.destroyed(owner) for owner, _, _ in filled.traces.values()]
        named = bool(house.files_with(NOMINAL.encode()))
        done = [item.state for item in house.erasures.list(10, "").items]
        if happened:
            assert (all(destroyed), named, done) == (True, False, ["done"])
        else:
            assert (any(destroyed), named, done) == (False, True, [])
            assert all(vault.open(*trace) for trace in filled.traces.values())
        house.erasures.request(PROTECTION, NOMINAL, "asked again", "the person")
        assert house.files_with(NOMINAL.encode()) == []
        assert house.verify().problems == ()
    finally:
        made.close()
