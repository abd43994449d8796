"""Verification: an honest log passes, and whatever is altered is found and, where it can be told, named."""

from __future__ import annotations

import base64
import json
import random

import pytest

from frs.audit import tree
from frs.audit.checkpoints import Checkpoint
from frs.audit.notes import NoteSigner
from frs.audit.verify import verify_database, verify_leaves
from frs.store.keyring import LOG_SIGNING_SECRET
from tests.audit_house import AuditHouse, alert_event

SIZE = 37


@pytest.fixture
def signed(house: AuditHouse) -> AuditHouse:
    """Return a log of 37 events with checkpoints of 5, 20 and 37, closed to tampering until a test tampers."""
    for size in (5, 20, SIZE):
        house.append(*(alert_event(number) for number in range(house.log.size(), size)))
        house.log.checkpoint()
    return house


def leaf_of(house: AuditHouse, seq: int) -> bytes:
    return house.log.get(seq, False).leaf


# --- in the database ----------------------------------------------------------------------------------------------


def test_honest_log_verifies(signed: AuditHouse) -> None:
    """Every event, payload and checkpoint of an honest log holds."""
    report = signed.verify()

    assert report.verified
    assert report.problems == ()
    assert (report.events, report.checkpoints) == (SIZE, 3)
    assert (report.payloads_opened, report.payloads_erased) == (SIZE, 0)
    assert report.root == signed.signer.read(signed.log.checkpoint()).root


def test_empty_log_verifies(house: AuditHouse) -> None:
    """No events, no problems; the empty tree may be signed."""
    house.log.checkpoint()
    report = house.verify()
    assert report.verified
    assert (report.events, report.root, report.checkpoints) == (0, tree.EMPTY_ROOT, 1)


def test_log_longer_than_a_chunk_verifies(house: AuditHouse) -> None:
    """Chunks fit together: a log of 2,500 events with checkpoints around their borders verifies."""
    for size in (1023, 1024, 1025, 2500):
        house.fill(size - house.log.size())
        house.log.checkpoint()
    report = house.verify()
    assert report.verified
    assert (report.events, report.checkpoints) == (2500, 4)
    house.tamper("UPDATE audit_node SET hash = zeroblob(32) WHERE level = 11")
    assert [problem.message for problem in house.verify().problems] == [
        "One of the events 0 to 2047, or a hash over them, was altered."
    ]


@pytest.mark.parametrize("seq", [0, 1, 17, SIZE - 2, SIZE - 1])
def test_one_altered_byte_of_one_old_event_names_that_event(signed: AuditHouse, seq: int) -> None:
    """Whichever byte of an event's leaf is changed, verification names the event, and no other."""
    original = leaf_of(signed, seq)
    random.seed(seq)
    for position in random.sample(range(len(original)), 12):
        altered = bytearray(original)
        altered[position] ^= 1 << random.randrange(7)
        signed.tamper("UPDATE audit_event SET leaf = ? WHERE seq = ?", bytes(altered), seq)
        report = signed.verify()
        assert not report.verified
        assert {problem.event for problem in report.problems} - {None} == {seq}
        assert report.first_event == seq
        assert any("was altered after it was appended" in problem.message for problem in report.problems)
    signed.tamper("UPDATE audit_event SET leaf = ? WHERE seq = ?", original, seq)
    assert signed.verify().verified


def test_leaf_rewritten_with_its_hash_is_narrowed_to_a_pair(signed: AuditHouse) -> None:
    """When leaf and hash were replaced together, the hash above tells the two events among which it is."""
    forged = leaf_of(signed, 10).replace(b"alert.raised", b"alert.viewed")
    signed.tamper("UPDATE audit_event SET leaf = ?, action = 'alert.viewed' WHERE seq = 10", forged)
    signed.tamper("UPDATE audit_node SET hash = ? WHERE level = 0 AND number = 10", tree.leaf_hash(forged))

    messages = [problem.message for problem in signed.verify().problems]
    assert "One of the events 10 to 11, or a hash over them, was altered." in messages
    assert any("first 20 events are not those that were signed: one of 5 to 19 differs" in text for text in messages)


def test_tree_rewritten_throughout_is_told_by_the_checkpoints(signed: AuditHouse) -> None:
    """Whoever rewrites an event and every hash above it still cannot make the signed checkpoints fit."""
    leaves = [leaf_of(signed, seq) for seq in range(SIZE)]
    leaves[10] = leaves[10].replace(b'"version":3', b'"version":4')
    nodes: dict[tuple[int, int], bytes] = {}
    for seq, leaf in enumerate(leaves):
        new = tree.append(seq, leaf, lambda wanted: {node: nodes[node] for node in wanted})
        nodes.update({(level, number): digest for level, number, digest in new})
    signed.tamper("UPDATE audit_event SET leaf = ? WHERE seq = 10", leaves[10])
    for (level, number), digest in nodes.items():
        signed.tamper("UPDATE audit_node SET hash = ? WHERE level = ? AND number = ?", digest, level, number)

    report = signed.verify()
    assert [problem.message for problem in report.problems] == [
        "The first 20 events are not those that were signed: one of 5 to 19 differs."
    ]


@pytest.mark.parametrize(
    ("statement", "event", "message"),
    [
        ("UPDATE audit_event SET time = '2020-01-01T00:00:00.000000Z' WHERE seq = 9", 9, "another time"),
        ("UPDATE audit_event SET time = 'yesterday' WHERE seq = 9", 9, "another time"),
        ("UPDATE audit_event SET action = 'log.read' WHERE seq = 9", 9, "another action"),
        ("UPDATE audit_event SET actor = 'a:0' WHERE seq = 9", 9, "another actor"),
        ("DELETE FROM audit_reference WHERE seq = 9 AND kind = 'subject'", 9, "cannot be found by its subject"),
        ("INSERT INTO audit_reference VALUES ('alert', 'invented', 9)", 9, "filed under alert references"),
        ("UPDATE audit_reference SET seq = 8 WHERE seq = 9 AND kind = 'alert'", 8, "does not name"),
        ("DELETE FROM audit_payload WHERE seq = 9", 9, "missing, but was never erased"),
        ("UPDATE audit_payload SET sealed = zeroblob(100) WHERE seq = 9", 9, "payload of event 9 was altered"),
        (
            "UPDATE audit_payload SET sealed = (SELECT sealed FROM audit_payload WHERE seq = 8) WHERE seq = 9",
            9,
            "payload of event 9 was altered",
        ),
        ("UPDATE audit_node SET hash = zeroblob(32) WHERE level = 0 AND number = 9", 9, "was altered"),
        ("DELETE FROM audit_node WHERE level = 0 AND number = 9", 9, "hash of event 9 is missing"),
        ("DELETE FROM audit_node WHERE level = 2 AND number = 3", None, "hash over events 12 to 15 is missing"),
        ("UPDATE audit_node SET hash = zeroblob(32) WHERE level = 4", None, "One of the events 0 to 15"),
        ("UPDATE audit_head SET size = 36", SIZE, "counts 36 events, but 37 are stored"),
        ("UPDATE audit_checkpoint SET size = 21 WHERE size = 20", None, "filed under 21 events was signed for 20"),
        ("UPDATE audit_checkpoint SET note = 'none' WHERE size = 20", None, "checkpoint of 20 events fails"),
        ("UPDATE audit_checkpoint SET cosigned = 'none' WHERE size = 20", None, "cosigned note of 20 events is not"),
        ("UPDATE audit_head SET last_time = '2099-01-01T00:00:00.000000Z'", None, "the last event is of 2099"),
    ],
)
def test_altered_rows_are_found(signed: AuditHouse, statement: str, event: int | None, message: str) -> None:
    """Whatever else lies in the log's tables is compared with the leaves and found when it differs."""
    signed.tamper(statement)
    report = signed.verify()

    found = [problem for problem in report.problems if message in problem.message]
    assert found, report.problems
    assert event in {problem.event for problem in found}


def test_removed_event_is_named(signed: AuditHouse) -> None:
    """An event that is gone is named as missing."""
    for table in ("audit_payload", "audit_reference", "audit_event"):
        signed.tamper(f"DELETE FROM {table} WHERE seq = 9")
    report = signed.verify()

    assert report.first_event == 9
    assert "Event 9 is missing" in report.problems[0].message


def test_cut_off_end_is_noticed(signed: AuditHouse) -> None:
    """Events cut off at the end, with the head moved back, are missed by the hashes and the checkpoint."""
    for table in ("audit_payload", "audit_reference", "audit_event"):
        signed.tamper(f"DELETE FROM {table} WHERE seq >= 30")
    signed.tamper("UPDATE audit_head SET size = 30")
    messages = [problem.message for problem in signed.verify().problems]

    assert "37 events have been signed, but only 30 are stored." in messages
    assert any("events up to 36 were appended" in text for text in messages)


def test_renumbered_events_are_noticed(signed: AuditHouse) -> None:
    """Two events that changed places are named; with their hashes changed too, they say so themselves."""
    leaves = {9: leaf_of(signed, 10), 10: leaf_of(signed, 9)}
    for seq, leaf in leaves.items():
        signed.tamper("UPDATE audit_event SET leaf = ? WHERE seq = ?", leaf, seq)
    assert {problem.event for problem in signed.verify().problems} - {None} == {9, 10}

    for seq, leaf in leaves.items():
        signed.tamper("UPDATE audit_node SET hash = ? WHERE level = 0 AND number = ?", tree.leaf_hash(leaf), seq)
    messages = [problem.message for problem in signed.verify().problems]
    assert any("Event 9 says that it is number 10" in text for text in messages)


def test_payloads_are_left_alone_without_the_vault(signed: AuditHouse) -> None:
    """With the public key alone the tree is verified and no payload opened."""
    signed.tamper("DELETE FROM audit_payload WHERE seq = 9")
    report = signed.verify(payloads=False)
    assert report.verified
    assert report.payloads_opened == 0


def test_wrong_public_key_verifies_nothing(signed: AuditHouse) -> None:
    """With another log's key no checkpoint holds."""
    other = NoteSigner(signed.log.origin, b"\x09" * 32).verifier.vkey
    with signed.store.database.read() as connection:
        report = verify_database(connection, other)
    assert report.checkpoints == 0
    assert len(report.problems) == 3


# --- offline ------------------------------------------------------------------------------------------------------


def exported(house: AuditHouse) -> tuple[list[bytes], str, str]:
    return list(house.log.leaves(0, house.log.size())), house.log.checkpoint(), house.log.vkey


def test_exported_log_verifies_offline(signed: AuditHouse) -> None:
    """Leaves, note, public key and opened payloads are enough, and give the same root."""
    leaves, note, vkey = exported(signed)
    payloads = {}
    for seq in (3, 7):
        event = signed.log.get(seq, True)
        assert event.nonce is not None
        canonical = json.dumps(event.payload, sort_keys=True, separators=(",", ":")).encode()
        payloads[seq] = event.nonce + canonical
    report = verify_leaves(leaves, note, vkey, payloads)

    assert report.verified
    assert (report.events, report.checkpoints, report.payloads_opened) == (SIZE, 1, 2)
    assert report.root == signed.verify().root


def test_leaves_beyond_the_checkpoint_are_no_problem(signed: AuditHouse) -> None:
    """A log that has grown since the checkpoint verifies up to it."""
    _, note, vkey = exported(signed)
    signed.append(alert_event(99))
    report = verify_leaves(list(signed.log.leaves(0, 100)), note, vkey)
    assert report.verified
    assert report.events == SIZE + 1


def test_altered_export_is_noticed_and_named_where_hashes_are_kept(signed: AuditHouse) -> None:
    """An altered leaf breaks the root; with the leaf hashes kept since, the event is named."""
    leaves, note, vkey = exported(signed)
    hashes = {seq: tree.leaf_hash(leaf) for seq, leaf in enumerate(leaves)}
    leaves[12] = leaves[12].replace(b'"version":3', b'"version":4')

    plain, named = verify_leaves(leaves, note, vkey), verify_leaves(leaves, note, vkey, hashes=hashes)
    assert [problem.message for problem in plain.problems] == ["The first 37 events are not the ones that were signed."]
    assert named.first_event == 12


def test_shortened_reordered_and_padded_exports_are_noticed(signed: AuditHouse) -> None:
    """A log with events missing at the end, in the middle or at the start, or repeated, does not verify."""
    leaves, note, vkey = exported(signed)
    assert not verify_leaves([], note, vkey).verified
    assert verify_leaves(leaves[:-1], note, vkey).first_event == SIZE - 1
    assert verify_leaves(leaves[:10] + leaves[11:], note, vkey).first_event == 10
    assert verify_leaves(leaves[1:], note, vkey).first_event == 0
    assert verify_leaves([leaves[0], *leaves], note, vkey).first_event == 1


def test_time_that_goes_back_is_noticed(signed: AuditHouse) -> None:
    """An event earlier than the one before it is named."""
    leaves, note, vkey = exported(signed)
    leaves[12] = leaves[12].replace(b"2026-03-02T09", b"2026-03-02T08")
    messages = [problem.message for problem in verify_leaves(leaves, note, vkey).problems]
    assert "Event 12 is earlier than the event before it." in messages


@pytest.mark.parametrize(
    "leaf",
    [b"", b"{}", b"null", b"[]", b"\xff", b'{"v":1}', b"[" * 100_000, b'{"a":1,"a":2}'],
)
def test_leaf_that_cannot_be_read_is_named(signed: AuditHouse, leaf: bytes) -> None:
    """Whatever stands in a leaf's place, verification goes on and names it."""
    leaves, note, vkey = exported(signed)
    leaves[12] = leaf
    assert verify_leaves(leaves, note, vkey).first_event == 12


def test_leaf_that_is_not_canonical_is_named(signed: AuditHouse) -> None:
    """The same content in another order or spacing is not the leaf."""
    leaves, note, vkey = exported(signed)
    leaves[12] = json.dumps(json.loads(leaves[12])).encode()
    report = verify_leaves(leaves, note, vkey)
    assert "Event 12 cannot be read: it is not canonical JSON." in [problem.message for problem in report.problems]


def test_payload_that_was_not_committed_to_is_named(signed: AuditHouse) -> None:
    """An opened payload, or its nonce, that differs from the leaf's commitment is named."""
    leaves, note, vkey = exported(signed)
    event = signed.log.get(3, True)
    assert event.nonce is not None
    report = verify_leaves(leaves, note, vkey, {3: event.nonce + b'{"actor":"somebody else"}'})
    assert report.first_event == 3
    assert report.payloads_opened == 0


def test_note_signed_for_another_root_is_noticed(signed: AuditHouse) -> None:
    """A genuine signature over another tree, as a split view would show, does not fit these leaves."""
    leaves, note, vkey = exported(signed)
    signer = NoteSigner(signed.log.origin, signed.store.keyring.secret(LOG_SIGNING_SECRET))
    other = signer.sign(Checkpoint(signed.log.origin, SIZE, b"\x01" * 32).text())
    assert base64.b64encode(b"\x01" * 32).decode() in other
    assert verify_leaves(leaves, note, vkey).verified
    assert not verify_leaves(leaves, other, vkey).verified
