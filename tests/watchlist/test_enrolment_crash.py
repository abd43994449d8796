"""Kill -9 at every step of an enrolment and a withdrawal: afterwards database, keys, index and log agree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from frs.audit.log import EventFilter
from frs.embed.engine import FaceEngine
from frs.embed.pack import Pack
from frs.errors import FrsError, Reason
from frs.store.schema import reference_image
from frs.watchlist.rebuilding import open_template
from tests.installation import MODELS, Installation, engine_settings, lay_out
from tests.manual_clock import ManualClock
from tests.watchlist.die_at_step import STEPS
from tests.watchlist.watchlist_drafts import MANAGER, actions, image, person, watchlist_draft


@pytest.fixture(scope="module")
def crashed(
    tmp_path_factory: pytest.TempPathFactory, engine: FaceEngine, starter_pack: Pack, sample_people: tuple[bytes, ...]
) -> Path:
    """Return a folder of data directories, each left behind by a process that died at the step it is named for.

    In each, N-1 had been enrolled and answered for.
    """
    folder = tmp_path_factory.mktemp("crashed")
    settings = engine_settings(starter_pack, folder / "before")
    lay_out(settings)
    house = Installation(settings, ManualClock(), engine)
    house.open()
    house.watchlists.create(MANAGER, watchlist_draft(house.clock.now()))
    subject = house.watchlists.enrol(MANAGER, "wanted", person("N-1"), [image(sample_people[0])]).subject
    house.close()
    for step in STEPS:
        shutil.copytree(settings.data_dir, folder / step)
    (folder / "picture").write_bytes(sample_people[2])
    here = Path(__file__).parent
    arguments = [str(folder), str(MODELS), str(folder / "picture"), subject.id, *STEPS]
    paths = os.pathsep.join(map(str, (here.parent.parent, here.parent, here)))
    done = subprocess.run(
        [sys.executable, str(here / "die_at_step.py"), *arguments],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.stdout.split() == [word for step in STEPS for word in (step, "-9")], done.stdout + done.stderr
    return folder


@pytest.fixture
def step(request: pytest.FixtureRequest) -> str:
    """Return the step at which the test's process died."""
    return str(request.param)


@pytest.fixture
def house(step: str, crashed: Path, engine: FaceEngine, starter_pack: Pack) -> Iterator[Installation]:
    """Give the installation that died at the test's step, started anew."""
    made = Installation(engine_settings(starter_pack, crashed / step), ManualClock(), engine)
    made.open()
    yield made
    made.close()


def check_agreement(house: Installation) -> set[str]:
    """Check that every reference has its event, its key and its row in the index, and return the nominals enrolled."""
    subjects = house.watchlists.list_subjects("wanted", 100).items
    enrolled = {subject.id: subject for subject in subjects if subject.images}
    told = set()
    for event in house.audit.list(EventFilter(action="subject.enrolled"), 100, "").items:
        payload = house.audit.get(event.seq, open_payload=True).payload
        assert payload is not None
        assert isinstance(payload["details"], dict)
        told.add(payload["details"]["subject"])
    assert told == {subject.id for subject in subjects}
    with house.store.database.read() as connection:
        rows = connection.execute(sa.select(reference_image)).all()
        assert {row.id for row in rows} == {i.id for subject in subjects for i in subject.images}
        for row in rows:
            template = open_template(house.store.vault, row.subject_id, row.template_sealed)
            (hits,) = house.galleries.search(template[None], ["wanted"], 5)
            assert (hits[0].reference, round(hits[0].score, 5)) == (row.id, 1.0)
            assert house.watchlists.reference_crop(connection, row.id).startswith(b"\xff\xd8")
    query = np.eye(1, house.galleries.dimension, dtype=np.float32)
    assert {hit.subject for hit in house.galleries.search(query, ["wanted"], 50)[0]} == set(enrolled)
    found = house.watchlists.get("wanted")
    assert house.galleries.revision("wanted") == found.revision
    house.audit.checkpoint()  # signs only a log that extends what was signed before
    return {subject.nominal for subject in enrolled.values()}


@pytest.mark.parametrize(
    ("step", "happened"),
    [
        ("enrol-sealed", False),
        ("enrol-logged", False),
        ("enrol-keys-durable", False),
        ("enrol-committed", True),
        ("enrol-indexed", True),
        ("enrol-unanswered", True),
    ],
    indirect=["step"],
)
def test_a_kill_during_enrolment_leaves_all_of_it_or_nothing(
    house: Installation, sample_people: tuple[bytes, ...], step: str, happened: bool
) -> None:
    """Before the commit nothing happened, after it everything did, and the next enrolment works either way."""
    assert check_agreement(house) == ({"N-1", "N-2"} if happened else {"N-1"})
    if happened:
        with pytest.raises(FrsError) as caught:
            house.watchlists.enrol(MANAGER, "wanted", person("N-2"), [image(sample_people[2])])
        assert caught.value.reason is Reason.SUBJECT_EXISTS
    else:
        house.watchlists.enrol(MANAGER, "wanted", person("N-2"), [image(sample_people[2])])
        assert check_agreement(house) == {"N-1", "N-2"}


@pytest.mark.parametrize(
    ("step", "happened"),
    [
        ("withdraw-logged", False),
        ("withdraw-destruction-owed", True),
        ("withdraw-destroyed", True),
        ("withdraw-removed", True),
    ],
    indirect=["step"],
)
def test_a_kill_during_withdrawal_never_brings_a_person_back(house: Installation, step: str, happened: bool) -> None:
    """Once committed, the person is off the index and the key is destroyed, if need be by the next start."""
    (subject,) = house.watchlists.list_subjects("wanted").items
    assert check_agreement(house) == (set() if happened else {"N-1"})
    assert house.store.vault.destroyed(f"subject:{subject.id}") is happened
    assert ("subject.withdrawn" in actions(house, watchlist="wanted")) is happened
