"""Enrolment when something is in its way: a log that cannot be written, many at once, real photographs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from frs.embed.engine import FaceEngine
from frs.embed.pack import Pack
from frs.errors import FrsError, Reason
from frs.types import Mode
from frs.watchlist.model import ThresholdSpec
from tests.installation import Installation, engine_settings, lay_out
from tests.manual_clock import ManualClock
from tests.watchlist.watchlist_drafts import MANAGER, OFFICER, actions, active, image, person, watchlist_draft

LFW = Path(__file__).resolve().parents[3] / "shared" / "data" / "lfw-view1" / "images"


def break_log(at: Installation) -> None:
    at.store.database.write(lambda tx: tx.connection.execute(sa.text("ALTER TABLE audit_event RENAME TO elsewhere")))


def test_what_cannot_be_logged_does_not_happen(installation: Installation, sample_people: tuple[bytes, ...]) -> None:
    """No enrolment, withdrawal or change of state without its event, and the index stays as it was."""
    active(installation, sample_people[0])
    lists, before = installation.watchlists, installation.watchlists.get("wanted")
    (subject,) = lists.list_subjects("wanted").items
    break_log(installation)
    for act in (
        lambda: lists.enrol(OFFICER, "wanted", person("N-2"), [image(sample_people[2])]),
        lambda: lists.enrol(OFFICER, "wanted", person("N-2"), [image(b"no picture")]),  # the refusal, unlogged
        lambda: lists.add_image(OFFICER, subject.id, image(sample_people[3])),
        lambda: lists.remove_image(MANAGER, subject.images[0].id, "wrong picture"),
        lambda: lists.withdraw(MANAGER, subject.id, "warrant executed"),
        lambda: lists.review(OFFICER, "wanted"),
        lambda: lists.retire(MANAGER, "wanted", "over"),
        lambda: lists.create(MANAGER, watchlist_draft(installation.clock.now(), "other")),
    ):
        with pytest.raises(FrsError) as caught:
            act()
        # which of the two depends on whether the event failed when it was made or when it was written
        assert caught.value.reason in {Reason.LOG_UNAVAILABLE, Reason.STORAGE_FAILED}
    assert lists.get("wanted") == before
    assert [s.nominal for s in lists.list_subjects("wanted").items] == ["N-1"]
    assert not installation.store.vault.destroyed(f"subject:{subject.id}")
    assert installation.galleries.watchlists() == ("wanted",)
    probe = installation.engine.embed(installation.engine.analyse(sample_people[2]).faces[:1])
    assert [hit.subject for hit in installation.galleries.search(probe, ["wanted"], 9)[0]] == [subject.id]


def test_many_enrol_and_withdraw_at_once(installation: Installation, sample_people: tuple[bytes, ...]) -> None:
    """Acts from several threads leave list, index and log in agreement, and searches meanwhile never fail."""
    active(installation, sample_people[5])
    lists, stop, failures = installation.watchlists, threading.Event(), []
    probe = installation.engine.embed(installation.engine.analyse(sample_people[5]).faces[:1])

    def search() -> None:
        while not stop.is_set():
            try:
                lists.searchable(["wanted"], Mode.LIVE)
                installation.galleries.search(probe, ["wanted"], 3)
            except FrsError as error:
                failures.append(error)

    def come_and_go(number: int) -> None:
        for turn in range(3):
            data = sample_people[number] + bytes([turn])
            made = lists.enrol(OFFICER, "wanted", person(f"T-{number}-{turn}"), [image(data)]).subject
            if turn % 2:
                lists.withdraw(MANAGER, made.id, "found")

    searcher = threading.Thread(target=search)
    searcher.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(come_and_go, range(4)))
    stop.set()
    searcher.join()
    assert failures == []
    found = lists.get("wanted")
    assert (found.subject_count, found.version, found.revision) == (9, 18, 17)
    assert installation.galleries.revision("wanted") == 17
    (hits,) = installation.galleries.search(np.eye(1, 128, dtype=np.float32), ["wanted"], 50)
    assert len(hits) == 9
    assert len(actions(installation, watchlist="wanted")) == 1 + 1 + 2 + 12 + 4


def test_one_nominal_enrolled_by_many_at_once_is_enrolled_once(
    installation: Installation, sample_people: tuple[bytes, ...]
) -> None:
    """All but one are told that the nominal is listed."""
    installation.watchlists.create(MANAGER, watchlist_draft(installation.clock.now()))

    def enrol(number: int) -> str:
        try:
            draft = image(sample_people[0] + bytes([number]))
            return installation.watchlists.enrol(MANAGER, "wanted", person(), [draft]).subject.state
        except FrsError as error:
            return error.reason

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(enrol, range(4)))
    assert outcomes == [Reason.SUBJECT_EXISTS] * 3 + ["enrolled"]
    assert actions(installation, watchlist="wanted").count("enrolment.refused") == 3


@pytest.fixture
def dev_installation(tmp_path: Path, dev_engine: FaceEngine, dev_pack: Pack) -> Iterator[Installation]:
    """Give an installation with the development pack."""
    settings = engine_settings(dev_pack, tmp_path / "data")
    lay_out(settings)
    made = Installation(settings, ManualClock(), dev_engine)
    made.open()
    yield made
    made.close()


@pytest.mark.shared
def test_people_are_found_in_other_photographs_of_them(dev_installation: Installation) -> None:
    """With a stronger pack, five people enrolled from one photograph are the best match of another, after a restart."""
    if not LFW.is_dir():
        pytest.skip("needs ../shared/data/lfw-view1, which is not there")
    people = [sorted(folder.glob("*.jpg")) for folder in sorted(LFW.iterdir())]
    people = [photographs for photographs in people if len(photographs) >= 3][:5]
    specs = tuple(ThresholdSpec(mode, 0.473) for mode in Mode)
    active(dev_installation, *(photographs[0].read_bytes() for photographs in people), thresholds=specs)
    dev_installation.restart()
    engine = dev_installation.engine
    (entry,) = dev_installation.watchlists.searchable(["wanted"], Mode.LIVE)
    for number, photographs in enumerate(people, 1):
        face = engine.analyse(photographs[1].read_bytes()).faces[0]
        (hits,) = dev_installation.galleries.search(engine.embed([face]), ["wanted"], 5)
        described = dev_installation.watchlists.describe(hits)
        assert described[hits[0].reference].nominal == f"N-{number}"
        assert hits[0].score >= entry.threshold.score > hits[1].score
