"""``frs audit verify --offline``: the database of a data directory is checked without its service."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from frs.audit.actions import Action
from frs.audit.checkpoints import CheckpointSigner
from frs.audit.proofs import verify_inclusion
from frs.audit.tree import leaf_hash
from frs.cli.log_check import check_event
from frs.cli.main import main
from frs.errors import FrsError
from frs.server.findings import Verdict
from frs.server.log_diagnosis import diagnose_log
from frs.store.engines import DATABASE_FILE
from frs.types import Actor, Event
from frs.v1 import oversight_pb2 as pb
from tests.installation import Installation


@pytest.fixture
def signer(installation: Installation) -> CheckpointSigner:
    """Return the log's key after five events and a checkpoint; its public half is beside the data."""
    store = installation.store
    for number in range(5):
        event = Event(Action.LOG_READ, Actor.system(), payload={"number": number})
        store.database.write(lambda tx, event=event: installation.audit.append(tx, event))  # type: ignore[misc]
    installation.audit.checkpoint()
    made = CheckpointSigner.open(store.keyring, installation.settings, store.database.installation_id)
    (installation.settings.data_dir / "log.vkey").write_text(made.vkey)
    return made


def verify(data: Path) -> int:
    return main(["audit", "verify", "--offline", "--data", str(data)])


def test_a_database_that_was_left_alone_verifies(
    installation: Installation, signer: CheckpointSigner, capsys: pytest.CaptureFixture[str]
) -> None:
    """The number of events and the root are told."""
    size = installation.audit.size()
    installation.close()
    assert verify(installation.settings.data_dir) == 0
    printed = capsys.readouterr().out
    assert f"The log verifies: {size} events" in printed
    assert f"{size} payloads opened, 0 erased" in printed
    installation.open()


@pytest.mark.parametrize("change", ["UPDATE audit_payload SET sealed = ? WHERE seq = 2", "DELETE"])
def test_a_payload_that_was_altered_or_deleted_is_named(
    installation: Installation, signer: CheckpointSigner, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    """One bit of a sealed payload, or a payload that is gone without an erasure: the event is named."""
    installation.close()
    with closing(sqlite3.connect(installation.settings.data_dir / DATABASE_FILE)) as database, database:
        (sealed,) = database.execute("SELECT sealed FROM audit_payload WHERE seq = 2").fetchone()
        if change == "DELETE":
            database.execute("DELETE FROM audit_payload WHERE seq = 2")
        else:
            database.execute(change, (sealed[:-1] + bytes([sealed[-1] ^ 1]),))
    assert verify(installation.settings.data_dir) == 5
    printed = capsys.readouterr().out
    assert ("payload of event 2 is missing" if change == "DELETE" else "payload of event 2 was altered") in printed
    assert "key-encryption" not in printed
    with pytest.raises(FrsError, match="payload of event 2"):
        diagnose_log(installation.settings)
    installation.open()


def test_an_erased_payload_is_counted_as_such(
    installation: Installation, signer: CheckpointSigner, capsys: pytest.CaptureFixture[str]
) -> None:
    """An erasure is no fault of the log."""
    installation.store.vault.destroy("event:2")
    size = installation.audit.size()
    installation.close()
    assert verify(installation.settings.data_dir) == 0
    assert f"{size - 1} payloads opened, 1 erased" in capsys.readouterr().out
    log, payloads = diagnose_log(installation.settings)
    assert log.details["events"] == size
    assert payloads.details == {"opened": size - 1, "erased": 1}
    installation.open()


def test_payloads_that_cannot_be_opened_are_told(
    installation: Installation, signer: CheckpointSigner, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside a process that holds the keyring, and on a machine without it, the tree alone is verified."""
    assert verify(installation.settings.data_dir) == 0
    assert "payloads were NOT opened" in (told := " ".join(capsys.readouterr().out.split()))
    assert "in use by another process" in told
    assert [(each.about, each.verdict) for each in diagnose_log(installation.settings)] == [
        ("log", Verdict.WELL),
        ("payloads", Verdict.NOTE),
    ]
    installation.close()
    keyring = installation.settings.keyring_path
    keyring.rename(keyring.with_name("away"))
    assert verify(installation.settings.data_dir) == 0
    assert "payloads were NOT opened: There is no keyring" in capsys.readouterr().out
    keyring.with_name("away").rename(keyring)
    installation.open()


def test_checkpoints_that_were_taken_away_do_not_take_the_proof_with_them(
    installation: Installation, signer: CheckpointSigner, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last checkpoint is kept beside the keys as well: what was signed is known without the database."""
    event = Event(Action.LOG_READ, Actor.system(), payload={})
    installation.store.database.write(lambda tx: installation.audit.append(tx, event))
    settings = installation.settings
    installation.close()
    assert verify(settings.data_dir) == 0
    assert "1 signed checkpoints agree; the newest 1 events are not signed yet" in capsys.readouterr().out
    with closing(sqlite3.connect(settings.data_dir / DATABASE_FILE)) as connection:
        connection.execute("DELETE FROM audit_checkpoint")
        connection.commit()
    assert verify(settings.data_dir) == 0
    assert "1 signed checkpoints agree" in capsys.readouterr().out
    note = settings.keyring_path / "checkpoint"
    kept = note.read_bytes()
    note.write_bytes(kept.replace(b"\n", b"\nnonsense\n", 1))
    assert verify(settings.data_dir) == 5
    assert "The checkpoint in the keyring fails" in capsys.readouterr().out
    note.write_bytes(kept)
    installation.open()


def test_of_many_problems_people_are_told_twenty(
    installation: Installation, signer: CheckpointSigner, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scripts are told all."""
    for number in range(30):
        event = Event(Action.LOG_READ, Actor.system(), payload={"number": number})
        installation.store.database.write(lambda tx, event=event: installation.audit.append(tx, event))  # type: ignore[misc]
    installation.close()
    with closing(sqlite3.connect(installation.settings.data_dir / DATABASE_FILE)) as database, database:
        database.execute("DELETE FROM audit_payload")
    assert verify(installation.settings.data_dir) == 5
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if "is missing" in line]) == 20
    assert main(["audit", "verify", "--offline", "--json", "--data", str(installation.settings.data_dir)]) == 5
    found = json.loads(capsys.readouterr().out)["problems"]
    assert len(found) >= 30
    assert any(f"and {len(found) - 20} more" in line for line in lines)
    installation.open()


def test_the_first_event_that_was_changed_is_named(
    installation: Installation, signer: CheckpointSigner, capsys: pytest.CaptureFixture[str]
) -> None:
    """A leaf altered in the database does not verify; the status is 5."""
    installation.close()
    with sqlite3.connect(installation.settings.data_dir / DATABASE_FILE) as database:
        seq, leaf = database.execute("SELECT seq, leaf FROM audit_event ORDER BY seq LIMIT 1 OFFSET 2").fetchone()
        changed = leaf.replace(b'"operation":"review"', b'"operation":"system"').replace(b"-", b"+", 1)
        assert changed != leaf
        database.execute("UPDATE audit_event SET leaf = ? WHERE seq = ?", (changed, seq))
    database.close()
    assert verify(installation.settings.data_dir) == 5
    printed = capsys.readouterr().out
    assert "DOES NOT VERIFY" in printed
    assert f"event {seq}" in printed.lower()
    with sqlite3.connect(installation.settings.data_dir / DATABASE_FILE) as database:
        database.execute("UPDATE audit_event SET leaf = ? WHERE seq = ?", (leaf, seq))
    database.close()
    installation.open()


def test_one_edited_byte_of_an_old_event_is_told_to_scripts(
    installation: Installation, signer: CheckpointSigner, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--json`` has the event's number beside the messages; put back, the log verifies and names none."""
    installation.close()
    file = installation.settings.data_dir / DATABASE_FILE
    command = ["audit", "verify", "--offline", "--json", "--data", str(installation.settings.data_dir)]
    content = file.read_bytes()
    with closing(sqlite3.connect(file)) as database:
        leaf: bytes = database.execute("SELECT leaf FROM audit_event WHERE seq = 2").fetchone()[0]
    place = content.index(leaf) + leaf.index(b'"payload":"') + 20  # one digit of what it commits to
    file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    assert main(command) == 5
    found = json.loads(capsys.readouterr().out)
    assert (found["verified"], found["first_event"]) == (False, 2)
    assert found["problems"][0] == "Event 2 was altered after it was appended."
    file.write_bytes(content)
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["verified"], found["first_event"], found["problems"]) == (True, None, [])
    installation.open()


def test_a_data_directory_without_a_database_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong path is not a log that verifies."""
    (tmp_path / "log.vkey").write_text("frs.local/x+00000000+AAAA")
    assert verify(tmp_path) == 1
    assert "NOT_INITIALISED" in capsys.readouterr().err


def test_an_event_is_checked_against_the_signed_note_alone(
    installation: Installation, signer: CheckpointSigner
) -> None:
    """Its index, inclusion and payload must hold under the verifier's key, whatever the server says beside them."""
    log = installation.audit
    note = log.checkpoint()
    checkpoint = signer.read(note)
    stored = log.get(1, open_payload=True)
    proof = log.inclusion_proof(1, checkpoint.size)
    verify_inclusion(1, checkpoint.size, leaf_hash(stored.leaf), proof, checkpoint.root)
    event = pb.Event(
        index=1, leaf=stored.leaf, inclusion_proof=proof, checkpoint=pb.Checkpoint(tree_size=3, signed_note=note)
    )
    assert check_event(event, signer.vkey) == []
    for wrong in (
        pb.Event(index=2),
        pb.Event(leaf=stored.leaf.replace(b"log", b"fog")),
        pb.Event(leaf=b"not an event"),
        pb.Event(payload_json='{"other":1}', payload_nonce=bytes(16)),
        pb.Event(checkpoint=pb.Checkpoint(signed_note=note.replace(str(checkpoint.size), "9999"))),
    ):
        changed = pb.Event()
        changed.CopyFrom(event)
        changed.MergeFrom(wrong)
        assert check_event(changed, signer.vkey)
