"""Addresses as settings and clients write them: ``host:port`` or ``[v6]:port``."""

from __future__ import annotations

from frs.access.hosts import is_loopback_host
from frs.errors import FrsError, Reason


def split_address(address: str, setting: str) -> tuple[str, int]:
    """Return host and port of ``host:port`` or ``[v6]:port``; SETTINGS_INVALID otherwise."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise FrsError(Reason.SETTINGS_INVALID, f"{setting}: {address!r} is not host:port")
    return host.strip("[]"), int(port)


def join_address(host: str, port: int) -> str:
    """Return ``host:port``, or ``[v6]:port``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(address: str) -> bool:
    """Return whether ``host:port`` can be reached from this machine only."""
    host, _ = split_address(address, "server.address")
    return is_loopback_host(host)
