"""The one translator from the error catalogue to ``google.rpc.Status`` (AIP-193).

Every failure carries ``ErrorInfo`` with the stable reason and the domain ``frs``, the advice as ``LocalizedMessage``
and, where fields of the request are to blame, ``BadRequest`` with all of them. Trailing metadata is kept well under
the 8 KiB that gRPC implementations accept.
"""

from __future__ import annotations

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from frs.errors import FrsError, Reason
from frs.server.validation import InvalidRequestError, Violation

DOMAIN = "frs"
MAX_DETAIL_BYTES = 6 * 1024
MAX_MESSAGE_CHARACTERS = 1000


def to_proto(error: FrsError) -> status_pb2.Status:
    """Return the status message of a failure."""
    status = status_pb2.Status(
        code=code_pb2.Code.Value(str(error.status)), message=error.message[:MAX_MESSAGE_CHARACTERS]
    )
    metadata = {key: value[:MAX_MESSAGE_CHARACTERS] for key, value in error.metadata.items()}
    _pack(status, error_details_pb2.ErrorInfo(reason=str(error.reason), domain=DOMAIN, metadata=metadata))
    _pack(status, error_details_pb2.LocalizedMessage(locale="en", message=error.advice))
    violations = _violations(error)
    if violations:
        room = MAX_DETAIL_BYTES - status.ByteSize()
        _pack(status, _bad_request(violations, room))
    return status


def to_status(error: FrsError) -> grpc.Status:
    """Return what a servicer's context aborts with."""
    status: grpc.Status = rpc_status.to_status(to_proto(error))
    return status


def _violations(error: FrsError) -> tuple[Violation, ...]:
    if isinstance(error, InvalidRequestError):
        return error.violations
    field = error.metadata.get("field")
    if error.reason is Reason.INVALID_FIELD and field:
        return (Violation(field, error.message[:MAX_MESSAGE_CHARACTERS]),)
    return ()


def _bad_request(violations: tuple[Violation, ...], room: int) -> error_details_pb2.BadRequest:
    detail = error_details_pb2.BadRequest()
    for number, violation in enumerate(violations):
        item = detail.field_violations.add(field=violation.field, description=violation.description)
        if detail.ByteSize() > room:
            # More than fits: the last entry says how many are not named.
            item.field, item.description = "", f"{len(violations) - number} more problems are not listed"
            break
    return detail


def _pack(status: status_pb2.Status, message: Message) -> None:
    detail = Any()
    detail.Pack(message)
    status.details.append(detail)
