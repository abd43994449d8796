"""A source that never ends: a camera by its address, read in a process of its own, reconnected for ever.

The newest frame wins: a frame that nobody took before the next came is dropped, because an alert about a person who
passed a minute ago is worth less than one about a person who passes now. Each lost connection is told when it
happens; an address is told without its password.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from frs.feed import capture_worker
from frs.feed.shots import Shot, Tell, tell_nobody

SILENCE_SECONDS = 15.0
_ROOT = Path(__file__).resolve().parents[2]
_LONGEST_WAIT = 30.0
_MOST_BYTES = 64 * 1024 * 1024
_POLL_SECONDS = 0.2
_TROUBLES_KEPT = 100


def without_password(address: str) -> str:
    """Return an address as it may be shown: the user name and the password are left out."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else address


class Camera:
    """A network camera (``rtsp://…`` or any address FFmpeg reads) or a webcam (``/dev/video0``)."""

    live = True
    total: int | None = None

    def __init__(
        self,
        address: str,
        fps: float = 0.0,
        quality: int = 92,
        tell: Tell = tell_nobody,
        silence: float = SILENCE_SECONDS,
        first_wait: float = 1.0,
    ) -> None:
        """Set up; nothing is read before :meth:`shots`.

        ``silence`` seconds without a frame end a connection. The wait before the next begins at ``first_wait``
        seconds and doubles with each connection that yields nothing, up to half a minute.
        """
        self._address = address
        self._fps = fps
        self._quality = quality
        self._tell = tell
        self._silence = silence
        self._first_wait = first_wait
        self._troubles: deque[str] = deque(maxlen=_TROUBLES_KEPT)
        self._newest: Shot | None = None
        self._ready = threading.Condition()
        self._closed = threading.Event()
        self.dropped = 0
        """Frames that were replaced by a newer one before anybody took them."""
        self.connections = 0

    def shots(self) -> Iterator[Shot]:
        """Yield the newest frame each time; ends only when closed."""
        reader = threading.Thread(target=self._read_for_ever, name="camera", daemon=True)
        reader.start()
        try:
            while not self._closed.is_set():
                with self._ready:
                    self._ready.wait_for(lambda: self._newest is not None or self._closed.is_set())
                    shot, self._newest = self._newest, None
                if shot is not None:
                    yield shot
        finally:
            self.close()
            reader.join()

    def close(self) -> None:
        """End the connection and the iterator."""
        self._closed.set()
        with self._ready:
            self._ready.notify_all()

    def troubles(self) -> list[str]:
        """Return the last lost and failed connections."""
        return list(self._troubles)

    def _read_for_ever(self) -> None:
        vain = 0
        while not self._closed.is_set():
            self.connections += 1
            frames, why = self._read_connection()
            vain = 0 if frames else vain + 1
            if self._closed.is_set():
                return
            wait = min(self._first_wait * 2.0**vain, _LONGEST_WAIT)
            trouble = f"{without_password(self._address)}: {why}; connecting again in {wait:.1f} s"
            self._troubles.append(trouble)
            self._tell(trouble)
            self._closed.wait(wait)

    def _read_connection(self) -> tuple[int, str]:
        """Read one connection to its end; returns its frames and why it ended."""
        command = [sys.executable, "-P", "-m", capture_worker.__name__, str(self._quality), str(self._fps)]
        environment = os.environ | {"PYTHONPATH": str(_ROOT)}
        with subprocess.Popen(  # noqa: S603  # our own module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # an interrupt at the terminal is the parent's to handle
        ) as worker:
            assert worker.stdin is not None
            assert worker.stdout is not None
            assert worker.stderr is not None
            try:
                worker.stdin.write(self._address.encode() + b"\n")
                worker.stdin.close()
                frames, silent = self._read_frames(worker.stdout.fileno())
            finally:
                worker.kill()
            said = worker.stderr.read().decode(errors="replace").strip().splitlines()
        if silent:
            return frames, f"no frame for {self._silence:.0f} s"
        return frames, said[-1] if said else "the stream ended"

    def _read_frames(self, descriptor: int) -> tuple[int, bool]:
        """Put frames until the worker ends, falls silent or the camera is closed: how many, and whether silent."""
        frames = 0
        try:
            while (header := self._read(descriptor, capture_worker.HEADER.size)) is not None:
                length, microseconds = capture_worker.HEADER.unpack(header)
                data = self._read(descriptor, length) if length <= _MOST_BYTES else None
                if data is None:
                    break
                frames += 1
                self._put(Shot(bytes(data), datetime.fromtimestamp(microseconds / 1e6, UTC)))
        except TimeoutError:
            return frames, True
        return frames, False

    def _put(self, shot: Shot) -> None:
        with self._ready:
            if self._newest is not None:
                self.dropped += 1
            self._newest = shot
            self._ready.notify_all()

    def _read(self, descriptor: int, size: int) -> bytearray | None:
        """Read exactly ``size`` bytes; None at the end and when closed, TimeoutError after the silence."""
        data = bytearray()
        latest = time.monotonic() + self._silence
        while len(data) < size:
            if self._closed.is_set():
                return None
            if not select.select([descriptor], [], [], _POLL_SECONDS)[0]:
                if time.monotonic() > latest:
                    raise TimeoutError
                continue
            part = os.read(descriptor, min(size - len(data), 1 << 20))
            if not part:
                return None
            data += part
            latest = time.monotonic() + self._silence
        return data
