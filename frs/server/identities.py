"""``IdentityService``: who may do what, and who no longer may."""

from __future__ import annotations

from frs.v1 import identity_pb2_grpc


class IdentityServicer(identity_pb2_grpc.IdentityServiceServicer):
    """To be built."""
