"""The table of what each method logs: complete, reasoned, and naming every action that a call can log."""

from __future__ import annotations

import pytest

from frs.access.methods import METHODS
from frs.access.recording import NO_METHOD, RECORDING, Logs, LogsNothing
from frs.audit.actions import OPERATION, Action, Operation

LEAST_REASON = 40


def test_every_method_has_a_row() -> None:
    """The methods of the table of roles, which is that of the descriptors, and nothing else."""
    assert set(RECORDING) == set(METHODS)


@pytest.mark.parametrize("method", sorted(RECORDING))
def test_a_row_names_actions_or_gives_a_reason(method: str) -> None:
    """A method logs something, or a sentence says why it need not; a condition is a sentence too."""
    row = RECORDING[method]
    if isinstance(row, Logs):
        assert row.actions
    else:
        assert len(row.why) >= LEAST_REASON
        assert row.why.endswith(".")


def test_every_action_is_logged_by_a_method_or_says_by_whom() -> None:
    """An action that no call logs by itself is accounted for, and none is accounted for twice."""
    by_methods = {action for row in RECORDING.values() if isinstance(row, Logs) for action in row.actions}
    assert by_methods | set(NO_METHOD) == set(Action)
    assert not by_methods & set(NO_METHOD)


def test_a_method_that_changes_something_is_always_logged() -> None:
    """Only reads, bytes that were announced and a run with nothing to do may leave no event."""
    unlogged = {name.rpartition("/")[2] for name, row in RECORDING.items() if isinstance(row, LogsNothing)}
    sometimes = {name.rpartition("/")[2] for name, row in RECORDING.items() if isinstance(row, Logs) and row.only_if}
    ours = {name for name in unlogged if name not in {"Check", "List", "Watch", "ServerReflectionInfo"}}
    assert ours == {"GetDeployment", "ListDeployments", "WriteUpload", "GetUpload", "GetRetentionPolicy", "WhoAmI"}
    assert sometimes == {"GetJob", "RunRetention"}


def test_every_read_of_people_is_a_consultation() -> None:
    """What a Get, List or Watch logs is a consultation in the statute's words."""
    for name, row in RECORDING.items():
        if isinstance(row, Logs) and name.rpartition("/")[2].startswith(("Get", "List", "Watch")):
            assert {OPERATION[action] for action in row.actions} == {Operation.CONSULTATION}, name
