"""Which settings are the installation's policy: those that decide who is matched, shown, kept or destroyed.

Every setting decides unless it is named here as machinery (where things lie, how much of the machine is used), so that
a setting added later is in the policy until somebody says why not. The canonical form is RFC 8785, so that the SHA-256
of a published policy can be compared with the one in the log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from frs.audit.canonical import canonical
from frs.settings import Settings
from frs.types import Json

MACHINERY = frozenset(
    {
        "data_dir",
        "models_dir",
        "server.address",
        "server.metrics_address",
        "server.reflection",
        "server.max_message_mib",
        "server.request_workers",
        "server.drain_seconds",
        "access.token_address",
        "access.issuer_ca",
        "access.keys_seconds",
        "access.issuer_timeout_seconds",
        "access.reload_seconds",
        "access.requests_per_second",
        "access.request_burst",
        "access.concurrent_requests",
        "access.concurrent_streams",
        "access.mib_per_second",
        "embed.pack",  # the model's own version is recorded beside the settings
        "embed.require_gpu",
        "embed.device",
        "embed.gpu_memory_mib",
        "embed.cudnn_search",
        "embed.fixed_batch",
        "embed.threads",
        "embed.max_batch",
        "embed.batch_wait_ms",
        "embed.queue_faces",
        "embed.max_picture_mib",
        "embed.max_picture_megapixels",
        "live.max_streams",
        "live.workers",
        "live.queue_frames",
        "audit.origin",
        "audit.witness_url",
        "audit.witness_ca",
        "audit.witness_timeout_seconds",
        "store.url",
        "store.group_commit",
        "store.keyring_dir",
    }
)
"""Settings that decide nothing about anybody."""


def policy_of(settings: Settings) -> dict[str, Json]:
    """Return every setting that decides, by dotted name in sorted order, as JSON values."""
    return {name: value for name, value in sorted(_flat(settings)) if name not in MACHINERY}


def digest_of(policy: Mapping[str, Json]) -> str:
    """Return the SHA-256 of a policy's canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical(dict(policy))).hexdigest()


def differences(before: Mapping[str, Json], after: Mapping[str, Json]) -> dict[str, Json]:
    """Return what each changed setting was and is; null where a version of the service did not know it."""
    names = sorted(before.keys() | after.keys())
    return {
        name: {"before": before.get(name), "after": after.get(name)}
        for name in names
        if before.get(name) != after.get(name)
    }


def _flat(group: BaseModel, prefix: str = "") -> Iterator[tuple[str, Json]]:
    for name, value in group:
        if isinstance(value, BaseModel):
            yield from _flat(value, f"{prefix}{name}.")
        elif f"{prefix}{name}" not in MACHINERY:
            yield f"{prefix}{name}", [*value] if isinstance(value, tuple) else value
