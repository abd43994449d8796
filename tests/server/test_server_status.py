"""The translator from the catalogue to google.rpc.Status."""

from __future__ import annotations

import pytest
from google.rpc import code_pb2, error_details_pb2

from frs.errors import CATALOGUE, FrsError, Reason
from frs.server.status import to_proto, to_status
from frs.server.validation import InvalidRequestError, Violation


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_mapped(reason: Reason) -> None:
    """Each reason has a code, an ErrorInfo with its name and its advice."""
    status = to_proto(FrsError(reason, "what happened", size="7"))
    assert status.code == code_pb2.Code.Value(str(CATALOGUE[reason].status))
    assert status.code != code_pb2.OK
    info, advice = error_details_pb2.ErrorInfo(), error_details_pb2.LocalizedMessage()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(advice)
    assert (info.reason, info.domain, dict(info.metadata)) == (str(reason), "frs", {"size": "7"})
    assert advice.message == CATALOGUE[reason].advice
    assert len(advice.message) > 10
    assert to_status(FrsError(reason, "what happened")).code.value[0] == status.code


def test_the_catalogue_knows_every_reason() -> None:
    """No reason is without an entry."""
    assert set(CATALOGUE) == set(Reason)


def test_a_rooms_own_field_error_names_the_field() -> None:
    """INVALID_FIELD with a field in its metadata is a violation too."""
    status = to_proto(FrsError(Reason.INVALID_FIELD, "ends before it starts", field="end_time"))
    bad = error_details_pb2.BadRequest()
    assert status.details[2].Unpack(bad)
    assert [(item.field, item.description) for item in bad.field_violations] == [("end_time", "ends before it starts")]


def test_very_many_violations_fit_the_metadata() -> None:
    """GRPC limits trailing metadata to 8 KiB: the list is cut and says how many more there are."""
    many = [Violation(f"images[{number}].source", "must have 1 to 200 characters") for number in range(2000)]
    status = to_proto(InvalidRequestError(many))
    assert status.ByteSize() < 7 * 1024
    bad = error_details_pb2.BadRequest()
    assert status.details[2].Unpack(bad)
    listed = len(bad.field_violations) - 1
    assert bad.field_violations[-1].description == f"{2000 - listed} more problems are not listed"
    assert listed > 50


def test_a_long_message_is_cut() -> None:
    """Neither message nor metadata can overflow the trailer."""
    assert to_proto(FrsError(Reason.INTERNAL, "x" * 100_000, where="y" * 100_000)).ByteSize() < 4 * 1024
