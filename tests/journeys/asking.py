"""What callers ask for, and how refusals are compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from frs.v1 import common_pb2, operator_pb2, retrospective_pb2
from tests.journeys.conftest import ahead
from tests.server.rpc_errors import RichError, rich


def refusal(call: Callable[..., Any], request: Any) -> RichError:
    """Make a call that must be refused; return what the caller is told."""
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=60)
    error = rich(caught.value)
    assert error.domain == "frs"
    assert error.advice
    return error


def photograph(data: bytes, *watchlists: str, **changes: Any) -> operator_pb2.IdentifyRequest:
    """Return an officer's request."""
    values = {"reason": "gave no name", "legal_power": "PACE s.24", "device": "phone-7"}
    return operator_pb2.IdentifyRequest(photograph=data, watchlists=watchlists, **{**values, **changes})


def authority(**changes: Any) -> common_pb2.SearchAuthority:
    """Return an investigator's authority."""
    values = {
        "reason": "burglary at 4 High Street",
        "incident": "CR/26/0042",
        "authorisation": "DI Osei 2026-11",
        "authorisation_expire_time": ahead(hours=1),
    }
    return common_pb2.SearchAuthority(**{**values, **changes})


def still(data: bytes, *watchlists: str, **changes: Any) -> retrospective_pb2.SearchStillRequest:
    """Return an investigator's request."""
    return retrospective_pb2.SearchStillRequest(image=data, authority=authority(**changes), watchlists=watchlists)
