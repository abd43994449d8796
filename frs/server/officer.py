"""``OfficerService``: alerts that were adjudicated, for officers on the ground."""

from __future__ import annotations

from frs.v1 import officer_pb2_grpc


class OfficerServicer(officer_pb2_grpc.OfficerServiceServicer):
    """To be built."""
