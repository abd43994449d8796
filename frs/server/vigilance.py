"""``VigilanceService``: known pairs against rubber-stamping."""

from __future__ import annotations

from frs.v1 import vigilance_pb2_grpc


class VigilanceServicer(vigilance_pb2_grpc.VigilanceServiceServicer):
    """To be built."""
