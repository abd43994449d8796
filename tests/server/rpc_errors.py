"""Reading a rich error as a client does."""

from __future__ import annotations

from dataclasses import dataclass

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status


@dataclass(frozen=True, slots=True)
class RichError:
    """What a client learns of a failure."""

    code: grpc.StatusCode
    message: str
    reason: str
    domain: str
    metadata: dict[str, str]
    advice: str
    violations: dict[str, str]


def rich(error: grpc.RpcError) -> RichError:
    """Return the details of an error; fails where it carries none."""
    status = rpc_status.from_call(error)
    assert status is not None, f"no details: {error.code()} {error.details()}"
    info, advice, bad = error_details_pb2.ErrorInfo(), error_details_pb2.LocalizedMessage(), None
    for detail in status.details:
        if detail.Is(info.DESCRIPTOR):
            detail.Unpack(info)
        elif detail.Is(advice.DESCRIPTOR):
            detail.Unpack(advice)
        else:
            bad = error_details_pb2.BadRequest()
            assert detail.Unpack(bad)
    violations = {item.field: item.description for item in bad.field_violations} if bad else {}
    return RichError(
        error.code(), status.message, info.reason, info.domain, dict(info.metadata), advice.message, violations
    )
