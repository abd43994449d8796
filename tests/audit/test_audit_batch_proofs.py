"""Proofs made in batches are those that the recursive definition gives, one at a time."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frs.audit import tree
from frs.audit.batch_proofs import TreeProofs
from frs.audit.nodes import node_reader
from frs.errors import FrsError, Reason
from tests.audit_house import AuditHouse

EVENTS = 133  # 128 + 4 + 1: a large complete subtree and a ragged end


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_proof_is_the_one_of_rfc_6962(house: AuditHouse, data: st.DataObject) -> None:
    """For any tree up to the log's and any of its events, in any order and repeated."""
    if house.log.size() == 0:
        house.fill(EVENTS)
    size = data.draw(st.integers(1, EVENTS))
    events = data.draw(st.lists(st.integers(0, size - 1), max_size=40))
    with house.store.database.read() as connection:
        read = node_reader(connection)
        expected = [tree.inclusion_proof(event, size, read) for event in events]
        assert TreeProofs(connection, size).prove(connection, events) == expected


def test_an_event_beyond_the_tree_has_no_proof(house: AuditHouse) -> None:
    """Also when the log holds it: the tree was signed before."""
    house.fill(5)
    with house.store.database.read() as connection:
        assert TreeProofs(connection, 0).prove(connection, []) == []
        for event in (-1, 4):
            with pytest.raises(ValueError, match="in a tree of 4"):
                TreeProofs(connection, 4).prove(connection, [event])


def test_a_missing_hash_is_named(house: AuditHouse) -> None:
    """By the events that it covers; nothing is made up in its place."""
    house.fill(8)
    house.tamper("DELETE FROM audit_node WHERE level = 1 AND number = 2")
    with house.store.database.read() as connection, pytest.raises(FrsError) as caught:
        TreeProofs(connection, 8).prove(connection, [6])
    assert caught.value.reason is Reason.LOG_INCONSISTENT
    assert "events 4 to 5" in caught.value.message
