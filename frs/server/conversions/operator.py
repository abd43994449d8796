"""Operator-initiated searches and their outcomes."""

from __future__ import annotations

from frs.match.operator import IdentifyResult
from frs.match.outcomes import OperatorSearch, Outcome, OutcomeState
from frs.server import names
from frs.server.conversions.common import box_message, candidate_message, list_version_messages, quality_message
from frs.server.instants import stamp
from frs.v1 import operator_pb2

OUTCOMES: dict[Outcome, operator_pb2.Outcome.ValueType] = {
    Outcome.SAME: operator_pb2.OUTCOME_SAME_PERSON,
    Outcome.DIFFERENT: operator_pb2.OUTCOME_NOT_SAME_PERSON,
    Outcome.CANNOT_TELL: operator_pb2.OUTCOME_COULD_NOT_TELL,
}
STATES: dict[OutcomeState, operator_pb2.OutcomeState.ValueType] = {
    OutcomeState.NONE_OWED: operator_pb2.OUTCOME_STATE_NONE_OWED,
    OutcomeState.OWED: operator_pb2.OUTCOME_STATE_OWED,
    OutcomeState.RECORDED: operator_pb2.OUTCOME_STATE_RECORDED,
}
_OUTCOMES_BACK = {number: outcome for outcome, number in OUTCOMES.items()}
_STATES_BACK = {number: state for state, number in STATES.items()}


def outcome(value: operator_pb2.Outcome.ValueType) -> Outcome:
    """Return what the officer decided."""
    return _OUTCOMES_BACK[value]


def outcome_state(value: operator_pb2.OutcomeState.ValueType) -> OutcomeState | None:
    """Return the state that a listing is limited to; None for all."""
    return _STATES_BACK.get(value)


def identify_message(result: IdentifyResult) -> operator_pb2.IdentifyResponse:
    """Return the answer to an officer, with the reference images."""
    return operator_pb2.IdentifyResponse(
        search=names.make(names.SEARCH, result.search),
        matched=result.matched,
        candidates=[candidate_message(candidate, result.references) for candidate in result.candidates],
        box=box_message(result.box),
        quality=quality_message(result.quality),
        searched=list_version_messages(result.searched),
        outcome_owed=result.outcome_owed,
        outcomes_owed=result.outcomes_owed,
        notice=result.notice,
        left_out=[
            operator_pb2.LeftOutList(watchlist=names.make(names.WATCHLIST, name), reason=reason)
            for name, reason in result.left_out.items()
        ],
    )


def search_message(value: OperatorSearch) -> operator_pb2.OperatorSearch:
    """Return the record of a search, without images."""
    return operator_pb2.OperatorSearch(
        name=names.make(names.SEARCH, value.id),
        officer=value.officer,
        reason=value.reason,
        legal_power=value.legal_power,
        device=value.device,
        create_time=stamp(value.created_at),
        candidates=[candidate_message(candidate) for candidate in value.candidates],
        outcome_state=STATES[value.state],
        outcome=OUTCOMES[value.outcome] if value.outcome is not None else operator_pb2.OUTCOME_UNSPECIFIED,
        outcome_reason=value.outcome_reason or "",
        outcome_time=stamp(value.outcome_at),
    )
