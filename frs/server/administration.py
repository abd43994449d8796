"""``AdministrationService``: backups and keys. Sealed bytes pass through; nothing is opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from frs.recovery.backup import Backup, Backups
from frs.recovery.rotation import KeyRotation
from frs.server.caller import caller
from frs.server.instants import stamp
from frs.server.waiting import Stopping
from frs.server.workers import Workers
from frs.types import Actor
from frs.v1 import administration_pb2 as pb
from frs.v1 import administration_pb2_grpc


class AdministrationServicer(administration_pb2_grpc.AdministrationServiceServicer):
    """Answers administrators, on threads of their own: a copy of a large database holds up nobody."""

    def __init__(self, backups: Backups, rotation: KeyRotation, workers: Workers, stopping: Stopping) -> None:
        self._backups, self._rotation = backups, rotation
        self._workers, self._stopping = workers, stopping

    async def CreateBackup(
        self, request: pb.CreateBackupRequest, context: Any
    ) -> AsyncIterator[pb.CreateBackupResponse]:
        """Send a backup of the data."""
        async with self._begun(self._backups.data, request.kept_at.strip()) as backup:
            yield pb.CreateBackupResponse(size=backup.size)
            async for chunk in self._chunks(backup.chunks):
                yield pb.CreateBackupResponse(data=chunk)

    async def BackupKeyring(
        self, request: pb.BackupKeyringRequest, context: Any
    ) -> AsyncIterator[pb.BackupKeyringResponse]:
        """Send a copy of the wrapped keys."""
        async with self._begun(self._backups.keyring, request.kept_at.strip()) as backup:
            yield pb.BackupKeyringResponse(expire_time=stamp(backup.expires))
            async for chunk in self._chunks(backup.chunks):
                yield pb.BackupKeyringResponse(data=chunk)

    async def RotateKey(self, request: pb.RotateKeyRequest, context: Any) -> pb.RotateKeyResponse:
        """Wrap every key anew."""
        done = await self._workers.run(self._rotation.rotate, caller(), request.reason.strip())
        return pb.RotateKeyResponse(old_key=done.old_key, new_key=done.new_key, rewrapped=done.rewrapped)

    @asynccontextmanager
    async def _begun(self, begin: Callable[[Actor, str], Backup], kept_at: str) -> AsyncIterator[Backup]:
        backup = await self._workers.run(begin, caller(), kept_at)
        try:
            yield backup
        finally:
            await self._workers.run(_close, backup.chunks)

    async def _chunks(self, chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
        while (chunk := await self._workers.run(_next, chunks)) is not None:
            self._stopping.require()
            yield chunk


def _next(chunks: Iterator[bytes]) -> bytes | None:
    """Return the next chunks as one message's worth, or None at the end."""
    gathered = bytearray()
    for chunk in chunks:
        gathered += chunk
        if len(gathered) >= _MESSAGE:
            break
    return bytes(gathered) or None


def _close(chunks: Iterator[bytes]) -> None:
    if isinstance(chunks, Generator):
        chunks.close()


_MESSAGE = 512 * 1024
