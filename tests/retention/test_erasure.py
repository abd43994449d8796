"""Erasing a person: everything at once and for good, and the log still says that they were listed."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from frs_verify.cli import main as frs_verify

from frs.audit.canonical import canonical
from frs.audit.event import commitment
from frs.audit.log import EventFilter
from frs.audit.proofs import verify_inclusion
from frs.audit.tree import leaf_hash
from frs.errors import FrsError, Reason
from frs.retention.erasure import ErasureState
from frs.retention.mentions import TEXTS
from frs.review.alert import AlertState
from frs.review.case import Decision
from frs.store.keyring import Keyring
from frs.store.schema import (
    erasure,
    hold,
    job_candidate,
    job_probe,
    metadata,
    operator_search,
    review_case,
    review_decision,
    subject,
)
from frs.store.transaction import Transaction
from frs.store.vault import Vault
from frs.types import Mode
from frs.watchlist.model import SubjectState
from frs.watchlist.rebuilding import open_template
from tests.deciding import SEEN
from tests.installation import Installation
from tests.match.search_desk import MANAGER, OFFICER
from tests.retention.person_house import JUSTIFICATION, NOMINAL, OTHER, PROTECTION, PersonHouse

DAY = timedelta(days=1)


@pytest.fixture
def house(installation: Installation, sample_people: tuple[bytes, ...]) -> Iterator[PersonHouse]:
    for house in PersonHouse.over(installation):
        house.fill(sample_people)
        yield house


def _case(tx: Transaction, probe_id: str) -> str:
    name: str = tx.connection.scalars(sa.select(review_case.c.id).where(review_case.c.probe_id == probe_id)).one()
    return name


def erase(house: PersonHouse, nominal: str = NOMINAL) -> dict[str, int]:
    done = house.erasures.request(PROTECTION, nominal, "the person asked", "the person").done
    assert done is not None
    counts = done["destroyed"]
    assert isinstance(counts, dict)
    return {kind: int(str(count)) for kind, count in counts.items()}


def templates(house: PersonHouse, nominal: str) -> list[bytes]:
    """Return the person's templates as the index holds them."""
    plain = []
    for owner, sealed, context in house.sealed(nominal).values():
        if context == b"template":
            plain.append(open_template(house.desk.vault, owner.removeprefix("subject:"), sealed).tobytes())
    return plain


def in_index(house: PersonHouse, template: bytes) -> bool:
    return any(template in buffer.tobytes() for buffer in house.installation.galleries.buffers())


def test_nothing_of_the_person_is_left_in_files_index_or_keys(house: PersonHouse) -> None:
    """Sealed bytes, plain texts, templates and keys are found before in files, index and keyring, and nowhere after."""
    sealed, plain = house.sealed(NOMINAL), templates(house, NOMINAL)
    vault = house.desk.vault
    opened = {name: vault.open(*each) for name, each in sealed.items()}
    house.desk.database.truncate_wal()
    assert len(plain) == 2
    assert all(in_index(house, template) for template in plain)
    assert all(house.files_with(each[1][-64:]) for each in sealed.values())
    assert house.files_with(NOMINAL.encode())
    assert house.files_with(SEEN.note.encode())  # what a reviewer saw of them
    assert house.payloads_with(NOMINAL)
    keyring = house.installation.store.keyring
    wrapped = {owner: keyring._file.wrapped(owner) for owner, _, _ in sealed.values()}
    unwrapped = [keyring.key(owner) for owner in wrapped]

    counts = erase(house)

    assert counts == {
        "subjects": 2,
        "images": 2,
        "alerts": 1,
        "searches": 1,
        "job_candidates": 1,
        "job_crops": 1,
        "payloads": counts["payloads"],
        "keys": counts["payloads"] + 5,
        "holds": 0,
        "mentions": 1,
    }
    assert not any(in_index(house, template) for template in plain)
    for trace in (*(each[1][-64:] for each in sealed.values()), *opened.values(), *plain, NOMINAL.encode()):
        assert house.files_with(trace[:200]) == []
    for owner, key in wrapped.items():
        assert key is not None
        assert house.files_with(key) == []
        with pytest.raises(FrsError, match="was destroyed"):
            keyring.key(owner)
    assert not set(unwrapped) & {*keyring._cache._keys.values(), *keyring._fresh.values()}
    assert house.payloads_with(NOMINAL) == []
    assert house.files_with(SEEN.note.encode()) == house.payloads_with(SEEN.note) == []
    for owner, data, context in sealed.values():
        with pytest.raises(FrsError) as refused:
            vault.open(owner, data, context)
        assert refused.value.reason is Reason.KEY_MISSING


def test_others_keep_what_is_theirs(house: PersonHouse) -> None:
    """The other person's entry, alert, search and job candidate open and are found as before."""
    sealed = house.sealed(OTHER)
    erase(house)
    for owner, data, context in sealed.values():
        assert house.desk.vault.open(owner, data, context)
    assert house.alerts.get(PROTECTION, house.alert_ids[OTHER]).probe
    job = house.desk.jobs.get(house.job_id)
    (result,) = house.desk.jobs.results(PROTECTION, house.job_id, 10, "").items
    assert [candidate.nominal for candidate in result.candidates] == [OTHER]
    assert (job.probes_matched, job.faces) == (2, 2)
    lists = house.installation.watchlists.searchable(["wanted"], Mode.OPERATOR)
    assert [entry.id for entry in lists] == ["wanted"]
    assert house.installation.galleries.size("wanted") == 1


def test_what_is_counted_stays_and_says_erased(house: PersonHouse) -> None:
    """Alert, search, job and entry keep ids, states and counts; the nominal is the pseudonym; pictures are refused."""
    pseudonym = house.desk.vault.pseudonym("subject", NOMINAL)
    erase(house)
    with pytest.raises(FrsError) as refused:
        house.alerts.get(PROTECTION, house.alert_ids[NOMINAL])
    assert refused.value.reason is Reason.ERASED
    listed = {item.id: item for item in house.alerts.list().items}[house.alert_ids[NOMINAL]]
    assert (listed.state, listed.candidate.nominal, listed.adjudication_reason) == (AlertState.TRUE, pseudonym, "")
    assert listed.adjudicated_by == "olga"
    assert listed.erased_at is not None
    assert [entry.change for entry in house.alerts.feed(0)][-1] == "erased"
    with house.desk.database.read() as connection:
        entries = connection.execute(sa.select(subject).where(subject.c.nominal == pseudonym)).all()
        search = connection.execute(
            sa.select(operator_search).where(operator_search.c.id == house.search_ids[NOMINAL])
        ).one()
        texts = connection.scalars(sa.select(operator_search.c.reason)).all()
    assert [(row.state, row.justification) for row in entries] == [("erased", "")] * 2
    assert house.installation.watchlists.get_subject(entries[0].id).state is SubjectState.ERASED
    assert [found["nominal"] for found in search.candidates] == [pseudonym]
    assert (search.reason, search.probe_sealed) == ("", None)
    assert f"planted reason for a search of {OTHER}" in texts


def test_a_pending_alert_is_closed_as_unreviewed_and_a_late_engagement_leaves_no_note(house: PersonHouse) -> None:
    """Who erases an alert that nobody decided closes it; of a true one the outcome may still be recorded."""
    erase(house, OTHER)
    states = {item.id: item.state for item in house.alerts.list().items}
    assert states[house.alert_ids[OTHER]] is AlertState.UNREVIEWED
    erase(house)
    late = house.alerts.engage(PROTECTION, house.alert_ids[NOMINAL], "confirmed-true", "a late note")
    assert (late.state, late.engagement_note) == (AlertState.CONFIRMED_TRUE, "")
    pseudonym = house.desk.vault.pseudonym("subject", NOMINAL)
    event = house.installation.audit.list(EventFilter(action="alert.engagement"), 10, "").items[-1]
    assert json.loads(event.leaf)["refs"]["subjects"] == [pseudonym]


def test_the_cases_of_the_person_end_with_them(house: PersonHouse) -> None:
    """Undecided ones are unreviewed, decided ones stay so; a list that shows somebody else too goes on without them."""
    place = house.deployment()
    undecided = house.alert(place, NOMINAL)
    table = job_candidate.c

    def show_both(tx: Transaction) -> tuple[str, str]:
        """Have the other person's probe show this one too; returns both probes."""
        theirs = dict(tx.connection.execute(sa.select(table.nominal, table.probe_id)).all())
        row = tx.connection.execute(sa.select(job_candidate).where(table.nominal == NOMINAL)).one()._mapping
        both = {**row, "key": None, "probe_id": theirs[OTHER], "rank": 2}
        tx.connection.execute(job_candidate.insert().values(both))
        return theirs[NOMINAL], theirs[OTHER]

    alone, shared = house.desk.database.write(show_both)
    listed = house.desk.database.write(lambda tx: _case(tx, shared))
    decider = dataclasses.replace(OFFICER, name="rita")
    house.cases.claim(decider, listed)
    house.cases.observe(decider, listed, SEEN)
    erase(house)
    with house.desk.database.read() as connection:
        rows = connection.execute(sa.select(review_case.c.alert_id, review_case.c.probe_id, review_case.c.state)).all()
        seen = connection.scalar(sa.select(review_decision.c.observation).where(review_decision.c.case_id == listed))
    states = {row.alert_id or row.probe_id: row.state for row in rows}
    assert states == {
        house.alert_ids[NOMINAL]: "adjudicated",
        house.alert_ids[OTHER]: "pending",
        undecided: "unreviewed",
        alone: "unreviewed",
        shared: "claimed",
    }
    assert seen is None
    (case,) = [shown.case for shown in house.cases.held(decider)]
    assert [candidate.nominal for candidate in case.candidates] == [OTHER]
    house.cases.observe(decider, listed, SEEN)  # anew: what was said of both is gone
    assert house.cases.decide(decider, listed, Decision.FALSE, "neither").decision is Decision.FALSE


def test_the_log_verifies_and_still_finds_the_person(house: PersonHouse) -> None:
    """By nominal and by pseudonym the events are found: listed when, on what, alerted for, erased; nothing opens."""
    before = [event.seq for event in house.installation.audit.list(EventFilter(subject=NOMINAL), 100, "").items]
    erase(house)
    report = house.verify()
    assert report.problems == ()
    assert report.payloads_erased == len(before) + 1  # and the job whose reason names the person
    audit = house.installation.audit
    after = audit.list(EventFilter(subject=NOMINAL), 100, "").items
    assert [event.seq for event in after][: len(before)] == before
    assert [event.action for event in after][-2:] == ["erasure.requested", "erasure.done"]
    pseudonym = house.desk.vault.pseudonym("subject", NOMINAL)
    assert audit.list(EventFilter(subject=pseudonym), 100, "").items == after
    listed = [json.loads(event.leaf) for event in after if event.action == "subject.enrolled"]
    assert [leaf["refs"]["watchlists"][0]["id"] for leaf in listed] == ["wanted", "missing"]
    assert all(audit.get(seq, open_payload=True).erased for seq in before)


def test_the_certificate_verifies_by_itself(house: PersonHouse, tmp_path: Path) -> None:
    """Contents hash to what the event's payload says, the payload to its leaf, the leaf to the signed tree.

    The separate verifier says the same, and notices one number that was changed.
    """
    done = house.erasures.request(PROTECTION, NOMINAL, "the person asked", "the person")
    certificate = json.loads(json.dumps(house.certificates.make(done)))
    contents, proof = certificate["contents"], certificate["proof"]
    payload = json.loads(proof["payload"])
    assert payload["details"]["certificate_sha256"] == hashlib.sha256(canonical(contents)).hexdigest()
    leaf = json.loads(proof["leaf"])
    assert leaf["payload"] == commitment(bytes.fromhex(proof["nonce"]), proof["payload"].encode())
    assert (leaf["action"], leaf["refs"]["subjects"]) == ("erasure.done", [done.subject])
    checkpoint = house.installation.audit.read(proof["checkpoint"])
    path = [base64.b64decode(part) for part in proof["proof"]]
    verify_inclusion(proof["index"], checkpoint.size, leaf_hash(proof["leaf"].encode()), path, checkpoint.root)
    assert contents["erased"] == {"at": contents["erased"]["at"], "by": "dora", "policy": 7}
    assert contents["outside"]["imported"] == [{"images": 2, "source": "custody"}]
    assert sorted(entry["watchlist"] for entry in contents["listed"]) == ["missing", "wanted"]
    owners = [key["owner"].partition(":")[0] for key in contents["keys"]]
    assert {kind: owners.count(kind) for kind in ("subject", "alert", "search", "probe")} == {
        "subject": 2,
        "alert": 1,
        "search": 1,
        "probe": 1,
    }
    positions = [key["position"] for key in contents["keys"]]
    assert positions == sorted(positions)
    assert NOMINAL not in json.dumps(certificate)
    key, file = tmp_path / "log.vkey", tmp_path / "certificate.json"
    key.write_text(house.installation.audit.vkey + "\n")
    file.write_text(json.dumps(certificate))
    assert frs_verify(["certificate", str(file), "--key", str(key)]) == 0
    contents["destroyed"]["alerts"] += 1
    file.write_text(json.dumps(certificate))
    assert frs_verify(["certificate", str(file), "--key", str(key)]) == 1
    contents["destroyed"]["alerts"] -= 1
    house.restart()
    again = house.certificates.make(house.erasures.get(done.id))
    assert again is not None
    assert again["contents"] == contents


def test_erasing_twice_is_harmless(house: PersonHouse) -> None:
    """The second request finds nothing to destroy, and the first one's certificate is what it was."""
    first = house.erasures.request(PROTECTION, NOMINAL, "the person asked", "the person")
    house.desk.clock.advance(seconds=1)
    again = erase(house)
    assert set(again.values()) == {0}
    assert house.certificates.make(house.erasures.get(first.id))["proof"]["payload"]  # type: ignore[index,call-overload]
    assert house.verify().problems == ()
    assert house.erasures.list(10, "").items[-1].id == first.id


def test_an_unknown_person_is_no_erasure(house: PersonHouse) -> None:
    """A nominal that nothing is held or logged on is refused, and nothing is recorded."""
    with pytest.raises(FrsError) as refused:
        house.erasures.request(PROTECTION, "NOBODY-1", "the person asked", "the person")
    assert refused.value.reason is Reason.PERSON_NOT_FOUND
    assert house.erasures.list(10, "").items == ()


def test_a_hold_waits_for_a_named_person(house: PersonHouse) -> None:
    """With a hold in force nothing goes until somebody decides; keeping refuses, erasing releases the hold; logged."""
    held = house.holds.place(
        PROTECTION, f"nominals/{NOMINAL}", "a claim in court", "Legal", house.desk.clock.now() + DAY
    )
    asked = house.erasures.request(PROTECTION, NOMINAL, f"{NOMINAL} asked", "the person")
    assert (asked.state, asked.holds, asked.done) == (ErasureState.UNDECIDED, (held.id,), None)
    assert NOMINAL not in asked.reason
    assert house.sealed(NOMINAL)
    kept = house.erasures.decide(PROTECTION, asked.id, False, "the claim is open")
    assert (kept.state, kept.decided_by) == (ErasureState.REFUSED, "dora")
    with pytest.raises(FrsError) as decided:
        house.erasures.decide(PROTECTION, asked.id, True, "changed my mind")
    assert decided.value.reason is Reason.ERASURE_DECIDED
    again = house.erasures.request(PROTECTION, NOMINAL, "asked again", "the person")
    twin = house.erasures.request(PROTECTION, NOMINAL, "and again", "a court")
    done = house.erasures.decide(PROTECTION, again.id, True, "the claim is settled")
    assert (done.state, done.decided_by) == (ErasureState.DONE, "dora")
    assert house.erasures.get(twin.id).state is ErasureState.DONE
    assert not house.holds.get(held.id).in_force(house.desk.clock.now())
    assert NOMINAL not in house.holds.get(held.id).target
    assert house.files_with(NOMINAL.encode()) == []
    assert house.payloads_with(NOMINAL) == []
    assert house.desk.actions("erasure") == [
        *("erasure.requested", "erasure.decided", "erasure.requested", "erasure.requested"),
        *("erasure.decided", "erasure.done"),
    ]
    assert house.verify().problems == ()
    certificate = house.certificates.make(done)
    assert certificate is not None
    assert certificate["contents"]["decided"]["released"] == [held.id]  # type: ignore[index,call-overload]


def test_a_hold_on_a_whole_list_stands_for_the_others(house: PersonHouse) -> None:
    """Erasing in spite of a hold on a watchlist leaves that hold in force: it keeps everybody else."""
    held = house.holds.place(PROTECTION, "watchlists/wanted", "an inquiry", "Legal", house.desk.clock.now() + DAY)
    asked = house.erasures.request(PROTECTION, NOMINAL, "asked", "the person")
    assert house.erasures.decide(PROTECTION, asked.id, True, "not needed").state is ErasureState.DONE
    assert house.holds.get(held.id).in_force(house.desk.clock.now())


def test_a_crop_that_also_shows_another_candidate_stays(house: PersonHouse) -> None:
    """A probe with two candidates loses the one who is erased and keeps its crop for the other."""
    with house.desk.database.read() as connection:
        row = dict(
            connection.execute(sa.select(job_candidate).where(job_candidate.c.nominal == NOMINAL)).one()._mapping
        )
    extra = {**row, "key": None, "nominal": OTHER, "rank": 2}
    house.desk.database.write(lambda tx: tx.connection.execute(job_candidate.insert().values(extra)))
    counts = erase(house)
    assert (counts["job_candidates"], counts["job_crops"]) == (1, 0)
    assert house.desk.count(job_probe) == 2


def test_a_stolen_copy_stays_closed(house: PersonHouse, tmp_path: Path) -> None:
    """A database stolen before, with the keyring and the key-encryption key of after, opens nothing that was erased."""
    sealed = house.sealed(NOMINAL)
    house.desk.database.truncate_wal()
    stolen = (house.data_dir / "frs.sqlite").read_bytes()
    for _, data, _ in sealed.values():  # a page of the database may end in one of the two pieces
        assert data[-64:] in stolen or data[-128:-64] in stolen
    erase(house)
    house.close()
    shutil.copytree(house.installation.settings.keyring_path, tmp_path / "keyring")
    keyring = Keyring.open(tmp_path / "keyring")
    try:
        vault = Vault(keyring)
        for owner, data, context in sealed.values():
            with pytest.raises((FrsError, InvalidTag)):
                vault.open(owner, data, context)
    finally:
        keyring.close()
    house.installation.open()
    house.desk._compose()


def test_events_of_the_same_commit_do_not_slip_by(house: PersonHouse) -> None:
    """An event on the person that is written by the same commit as the erasure loses its payload with the others."""
    place, size = house.deployment(), house.installation.audit.size()
    running, go_on = threading.Event(), threading.Event()

    def hold_the_writer(_: Transaction) -> None:
        running.set()
        go_on.wait(30)

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(house.desk.database.write, hold_the_writer)
        assert running.wait(30)
        raised = pool.submit(house.alert, place, NOMINAL)
        house.desk.until(lambda: len(house.desk.database._writer._queue) == 1)
        erased = pool.submit(erase, house)
        house.desk.until(lambda: len(house.desk.database._writer._queue) == 2)
        go_on.set()
        first.result(30)
        alert_id, counts = raised.result(30), erased.result(30)
    assert counts["alerts"] == 2
    assert house.installation.audit.size() == size + 5  # two of the person's cases were open, and are closed
    assert house.payloads_with(NOMINAL) == house.files_with(NOMINAL.encode()) == []
    assert house.payloads_with(alert_id) == []
    assert house.verify().problems == ()


def test_every_text_that_people_write_is_looked_through() -> None:
    """Each text column is in the table of texts or is known to be an id, a state or a name of who acted."""
    looked = {(table.name, name) for table, names in TEXTS for name in names}
    told = {
        *("id", "state", "kind", "category", "model", "camera_id", "track_id", "created_by", "withdrawn_by", "owner"),
        *("approved_by", "reviewed_by", "opened_by", "closed_by", "adjudicated_by", "engagement_by", "officer"),
        *("authorising_officer", "notice", "self_defined_group", "error_reason", "device", "outcome_by", "action"),
        *("nominal", "target", "subject", "placed_by", "released_by", "recorded_by", "decided_by", "made_by"),
        *("note", "cosigned", "origin", "value", "model_at_open", "claimed_by", "acknowledged_by", "updated_by"),
    }
    free = {
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.columns
        if type(column.type) is sa.Text and column.name not in told
    }
    assert free <= looked
    assert looked <= {(table.name, column.name) for table in metadata.sorted_tables for column in table.columns}


def test_planted_texts_were_there_at_all(house: PersonHouse) -> None:
    """What the search for traces looks for is what the installation held."""
    assert house.files_with(JUSTIFICATION.encode()) or house.files_with(b"intelligence case 4")
    assert house.desk.count(erasure) == house.desk.count(hold) == 0
    assert house.installation.watchlists.list_subjects("wanted").items[0].created_by == MANAGER.name
