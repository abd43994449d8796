"""Restoration and people: whoever was erased after a backup does not come back with it, be the backup stolen or not."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from frs.audit.event import PAYLOAD_CONTEXT
from frs.audit.log import EventFilter
from frs.errors import FrsError, Reason
from frs.recovery.archive import Kind, read_archive
from frs.recovery.journal import WitnessWord
from frs.review.assignments import Assignments
from frs.store.keyring import Keyring
from frs.store.schema import (
    alert,
    assignment,
    erasure,
    hold,
    job_candidate,
    job_probe,
    operator_search,
    reference_image,
    review_case,
    review_decision,
    subject,
    upload,
)
from frs.store.transaction import Transaction
from frs.store.vault import Vault
from tests.installation import Installation
from tests.match import clips
from tests.match.search_desk import INVESTIGATOR, OFFICER
from tests.recovery.recovering import back_up, restore, witness_word
from tests.retention.person_house import NOMINAL, OTHER, PROTECTION, PersonHouse


@pytest.fixture
def house(installation: Installation, sample_people: tuple[bytes, ...]) -> Iterator[PersonHouse]:
    for house in PersonHouse.over(installation):
        house.fill(sample_people)
        yield house


def make(house: PersonHouse, path: Path, kind: Kind = Kind.DATA) -> None:
    made = house.installation
    back_up(made.store, made.audit, made.settings, made.clock, path, kind)


def erase(house: PersonHouse) -> WitnessWord:
    """Erase the person; return what the witness says then."""
    house.erasures.request(PROTECTION, NOMINAL, "the person asked", "the person")
    made = house.installation
    return witness_word(made.store.database, made.store.keyring, made.audit, house.data_dir.parent / "witness")


def bring_back(house: PersonHouse, backup: Path, word: WitnessWord) -> None:
    """Stop the house, restore and open it again."""
    house.desk.jobs.close()
    house.installation.close()
    restore(house.installation.settings, backup, word, house.installation.clock)
    house.installation.open()
    house.desk._compose()
    house.compose()


def test_erased_person_does_not_come_back(house: PersonHouse, tmp_path: Path, sample_people: tuple[bytes, ...]) -> None:
    """Entries, alerts, searches, job results and payloads of an erased person stay erased; the other's are there."""
    sealed = house.sealed(NOMINAL)
    kept = house.sealed(OTHER)
    theirs = house.alert_ids[NOMINAL]
    made = house.installation
    officers = Assignments(made.store.database, made.store.vault, made.audit, house.alerts, made.clock)
    made.store.database.write(lambda tx: officers.alert_adjudicated(tx, theirs, is_subject=True))
    make(house, tmp_path / "b.frs")
    word = erase(house)
    pseudonym = house.desk.vault.pseudonym("subject", NOMINAL)
    bring_back(house, tmp_path / "b.frs", word)

    made = house.installation
    database, vault = made.store.database, made.store.vault
    said = made.audit.list(EventFilter(subject=NOMINAL, action="subject.erased"), 10, "").items
    payloads = [str(made.audit.get(event.seq, open_payload=True).payload) for event in said]
    assert ["'kind': 'restoration'" in each for each in payloads] == [True, True]  # of their entry, and of them
    assert NOMINAL not in "".join(payloads)
    assert not made.audit.list(EventFilter(subject=OTHER, action="subject.erased"), 10, "").items
    with database.read() as connection:
        rows = connection.execute(sa.select(subject).where(subject.c.nominal.in_([NOMINAL, pseudonym]))).all()
        assert {(row.nominal, row.state, row.justification) for row in rows} == {(pseudonym, "erased", "")}
        ids = [row.id for row in rows]
        assert not connection.scalars(
            sa.select(reference_image.c.id).where(reference_image.c.subject_id.in_(ids))
        ).all()
        for column in (alert.c.nominal, job_candidate.c.nominal):
            assert NOMINAL not in connection.scalars(sa.select(column)).all()
            assert OTHER in connection.scalars(sa.select(column)).all()
        of_case = review_decision.c.case_id == review_case.c.id
        written = (review_decision.c.reason, review_decision.c.observation)
        assert not any(connection.execute(sa.select(*written).where(of_case, review_case.c.alert_id == theirs)).one())
        assert connection.scalars(sa.select(assignment.c.state)).all() == ["withdrawn"]
        found = connection.scalars(sa.select(operator_search.c.candidates)).all()
        assert NOMINAL not in repr(found)
        assert OTHER in repr(found)
        assert connection.scalar(sa.select(sa.func.count()).select_from(job_probe)) == 1
    for owner, data, context in sealed.values():
        with pytest.raises(FrsError) as caught:
            vault.open(owner, data, context)
        assert caught.value.reason is Reason.KEY_MISSING
    for owner, data, context in kept.values():
        assert vault.open(owner, data, context)

    for needle in (NOMINAL.encode(), *(data for _, data, _ in sealed.values())):
        assert house.files_with(needle) == []
    listed = made.audit.list(EventFilter(subject=NOMINAL), 100, "")
    assert len(listed.items) >= 4  # the log still says what concerned them
    report = house.verify()
    assert report.problems == ()
    assert made.rebuilt.unreadable == 0


def test_name_that_only_a_hold_and_a_request_had_does_not_come_back(house: PersonHouse, tmp_path: Path) -> None:
    """Retention had taken the name from everything else before the backup: the erasure after it still takes these."""
    made = house.installation
    until = made.clock.now() + timedelta(days=30)
    house.holds.place(PROTECTION, f"nominals/{NOMINAL}", f"the case of {NOMINAL}", "DI Smith", until)
    asked = house.erasures.request(PROTECTION, NOMINAL, "the person asked", "the person")
    pseudonym = house.desk.vault.pseudonym("subject", NOMINAL)

    def forget(tx: Transaction) -> None:
        for table in (subject, alert):
            tx.connection.execute(table.update().where(table.c.nominal == NOMINAL).values(nominal=pseudonym))
        tx.connection.execute(job_candidate.delete().where(job_candidate.c.nominal == NOMINAL))
        tx.connection.execute(operator_search.update().values(candidates=[]))

    made.store.database.write(forget)
    make(house, tmp_path / "b.frs")
    house.erasures.decide(PROTECTION, asked.id, True, "nothing keeps it any longer")
    database, keyring = made.store.database, made.store.keyring
    word = witness_word(database, keyring, made.audit, house.data_dir.parent / "witness")
    bring_back(house, tmp_path / "b.frs", word)

    with made.store.database.read() as connection:
        assert connection.scalars(sa.select(hold.c.target)).all() == [pseudonym]
        assert connection.scalars(sa.select(hold.c.released_at)).all() != [None]  # it would keep what is left of them
        assert NOMINAL not in repr(connection.execute(sa.select(hold)).all())
        (row,) = connection.execute(sa.select(erasure)).all()
    assert (row.nominal, row.state) == (None, "done")
    with pytest.raises(FrsError) as caught:
        house.erasures.decide(PROTECTION, asked.id, False, "again")
    assert caught.value.reason is Reason.ERASURE_DECIDED


def test_index_does_not_find_the_erased(house: PersonHouse, tmp_path: Path, sample_people: tuple[bytes, ...]) -> None:
    """After a restoration a search with the erased person's picture finds nobody; with the other's it finds them."""
    make(house, tmp_path / "b.frs")
    word = erase(house)
    bring_back(house, tmp_path / "b.frs", word)
    answers = {}
    for name, picture in ((NOMINAL, sample_people[0]), (OTHER, sample_people[1])):
        asked = ("a reason", "s. 1 Act", "phone", ("wanted",), 0)
        found = house.desk.operator.identify(OFFICER, clips.retaken(picture), *asked)
        answers[name] = [candidate.nominal for candidate in found.candidates]
    assert answers == {NOMINAL: [], OTHER: [OTHER]}


def test_stolen_backup_opens_nothing_of_the_erased(house: PersonHouse, tmp_path: Path) -> None:
    """Backup, present keyring and key-encryption key in one hand: what was erased does not open, whatever is tried."""
    sealed = house.sealed(NOMINAL)
    make(house, tmp_path / "b.frs")
    make(house, tmp_path / "k.frs", Kind.KEYRING)
    erase(house)
    house.installation.store.keyring.rotate("a copy may be stolen")
    house.desk.jobs.close()
    house.installation.close()

    out = tmp_path / "thief"
    read_archive(tmp_path / "b.frs", Kind.DATA, out)
    read_archive(tmp_path / "k.frs", Kind.KEYRING, out / "old")
    planted = [data for _, data, _ in sealed.values()]
    stolen = (out / "frs.sqlite").read_bytes()
    assert sum(data in stolen for data in planted) > 0  # the sealed bytes are what the thief has

    shutil.copytree(house.installation.settings.keyring_path, out / "keyring")
    keyring = Keyring.open(out / "keyring")
    vault = Vault(keyring)
    for owner, data, context in sealed.values():
        for tried in (owner, f"person:{owner}", "subject:x"):
            with pytest.raises(FrsError):
                vault.open(tried, data, context)
    opened = 0
    with closing(sqlite3.connect(out / "frs.sqlite")) as connection:
        for seq, data in connection.execute("SELECT seq, sealed FROM audit_payload"):
            if keyring.alive([f"event:{seq}"]):
                opened += 1
                assert NOMINAL.encode() not in vault.open(f"event:{seq}", data, PAYLOAD_CONTEXT)
    assert opened > 0  # those on others
    keyring.close()

    shutil.copy(out / "keyring" / "kek", out / "old" / "kek")  # the old wrapped keys with the present key
    with pytest.raises(FrsError) as caught:
        Keyring.open(out / "old")
    assert caught.value.reason is Reason.KEY_WRONG
    house.installation.open()


def test_person_listed_again_before_the_backup_stays(
    house: PersonHouse, tmp_path: Path, sample_people: tuple[bytes, ...]
) -> None:
    """An erasure that the backup knows was carried out in it: whoever was enrolled again after it is restored."""
    erase(house)
    desk = house.desk
    desk.listed("again", {NOMINAL: sample_people[0]})
    make(house, tmp_path / "b.frs")
    made = house.installation
    word = witness_word(made.store.database, made.store.keyring, made.audit, tmp_path / "witness")
    bring_back(house, tmp_path / "b.frs", word)
    with made.store.database.read() as connection:
        states = connection.scalars(sa.select(subject.c.state).where(subject.c.nominal == NOMINAL)).all()
    assert states == ["enrolled"]


def test_uploads_come_back_or_are_told_gone(
    house: PersonHouse, tmp_path: Path, sample_people: tuple[bytes, ...]
) -> None:
    """Media that was sealed comes back readable; what was destroyed, or is missing from the archive, is destroyed."""
    desk = house.desk
    kept, destroyed, absent = (desk.upload(clips.retaken(picture)) for picture in sample_people[:3])
    (desk.data_dir / "uploads" / absent).rename(tmp_path / "aside")
    make(house, tmp_path / "b.frs")
    (tmp_path / "aside").rename(desk.data_dir / "uploads" / absent)
    desk.uploads.delete(INVESTIGATOR, destroyed)
    made = house.installation
    word = witness_word(made.store.database, made.store.keyring, made.audit, tmp_path / "witness")
    bring_back(house, tmp_path / "b.frs", word)
    with made.store.database.read() as connection:
        states = {row.id: row.state for row in connection.execute(sa.select(upload.c.id, upload.c.state))}
    assert (states[kept], states[destroyed], states[absent]) == ("complete", "destroyed", "destroyed")
    assert [path.name for path in (desk.data_dir / "uploads").iterdir()] == [kept]
    assert b"".join(desk.uploads.open(kept))
    with pytest.raises(FrsError):
        desk.uploads.open(absent)
