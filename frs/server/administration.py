"""``AdministrationService``: backups and keys. Sealed bytes pass through; nothing is opened."""

from __future__ import annotations

import threading
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

MESSAGE = 512 * 1024
"""Bytes of an archive in a message."""


class AdministrationServicer(administration_pb2_grpc.AdministrationServiceServicer):
    """Answers administrators, on threads of their own: a copy of a large database holds up nobody."""

    def __init__(self, backups: Backups, rotation: KeyRotation, workers: Workers, stopping: Stopping) -> None:
        self._backups, self._rotation = backups, rotation
        self._workers, self._stopping = workers, stopping

    async def CreateBackup(
        self, request: pb.CreateBackupRequest, context: Any
    ) -> AsyncIterator[pb.CreateBackupResponse]:
        """Send a backup of the data."""
        async with self._begun(self._backups.data, request.kept_at.strip()) as (backup, source):
            yield pb.CreateBackupResponse(size=backup.size)
            async for chunk in self._messages(source):
                yield pb.CreateBackupResponse(data=chunk)

    async def BackupKeyring(
        self, request: pb.BackupKeyringRequest, context: Any
    ) -> AsyncIterator[pb.BackupKeyringResponse]:
        """Send a copy of the wrapped keys."""
        async with self._begun(self._backups.keyring, request.kept_at.strip()) as (backup, source):
            yield pb.BackupKeyringResponse(expire_time=stamp(backup.expires))
            async for chunk in self._messages(source):
                yield pb.BackupKeyringResponse(data=chunk)

    async def RotateKey(self, request: pb.RotateKeyRequest, context: Any) -> pb.RotateKeyResponse:
        """Wrap every key anew."""
        done = await self._workers.run(self._rotation.rotate, caller(), request.reason.strip())
        return pb.RotateKeyResponse(old_key=done.old_key, new_key=done.new_key, rewrapped=done.rewrapped)

    @asynccontextmanager
    async def _begun(self, begin: Callable[[Actor, str], Backup], kept_at: str) -> AsyncIterator[tuple[Backup, Source]]:
        backup = await self._workers.run(begin, caller(), kept_at)
        source = Source(backup.chunks)
        try:
            yield backup, source
        finally:
            await self._workers.run(source.close)

    async def _messages(self, source: Source) -> AsyncIterator[bytes]:
        while (data := await self._workers.run(source.take)) is not None:
            self._stopping.require()
            yield data


class Source:
    """An archive in pieces of a message's size. A caller that leaves closes it while a thread may still be reading."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._reading = threading.Lock()

    def take(self) -> bytes | None:
        """Return the next piece, or None at the end."""
        gathered = bytearray()
        with self._reading:
            for chunk in self._chunks:
                gathered += chunk
                if len(gathered) >= MESSAGE:
                    break
        return bytes(gathered) or None

    def close(self) -> None:
        """Let go of what the archive is made from, when nobody reads."""
        with self._reading:
            if isinstance(self._chunks, Generator):
                self._chunks.close()
            self._chunks = iter(())
