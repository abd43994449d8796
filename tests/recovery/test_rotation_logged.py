"""Rotation as an act: it is in the log once, with who and why, be it after a crash."""

from __future__ import annotations

from frs.recovery.rotation import KeyRotation
from tests.audit_house import ALICE, AuditHouse


def rotation(house: AuditHouse) -> KeyRotation:
    return KeyRotation(house.store.database, house.store.keyring, house.log)


def test_rotation_is_logged_once(house: AuditHouse) -> None:
    """The event names both keys, the reason and how many were wrapped anew; a restart adds none."""
    house.fill(3)
    done = rotation(house).rotate(ALICE, "yearly")
    event = house.log.get(3, open_payload=True)
    assert (event.action, event.operation) == ("keyring.rotated", "system")
    assert event.payload is not None
    said = {"old_key": done.old_key, "new_key": done.new_key, "reason": "yearly", "rewrapped": 5}
    assert event.payload["details"] == said
    house.restart()
    rotation(house).settle()
    assert house.log.size() == 4
    assert house.verify().problems == ()


def test_rotation_that_a_crash_left_unlogged_is_logged_at_the_next_start(house: AuditHouse) -> None:
    """The keyring changed keys and the process died: the log says so when the service comes back."""
    done = house.store.keyring.rotate("a copy was lost")
    house.restart()
    rotation(house).settle()
    rotation(house).settle()
    assert house.log.size() == 1
    payload = house.log.get(0, open_payload=True).payload
    assert payload is not None
    assert payload["details"] == {
        "old_key": done.old_key,
        "new_key": done.new_key,
        "reason": "a copy was lost",
        "logged": "after a restart",
    }
