"""A source that never ends: a camera by its address, read in a process of its own, reconnected for ever.

The newest frame wins: a frame that nobody took before the next came is dropped, because an alert about a person who
passed a minute ago is worth less than one about a person who passes now.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from frs.feed.capture_worker import HEADER
from frs.feed.shots import Shot

SILENCE_SECONDS = 15.0
_ROOT = Path(__file__).resolve().parents[2]
_LONGEST_WAIT = 30.0
_MOST_BYTES = 64 * 1024 * 1024


class Camera:
    """A network camera (``rtsp://…`` or any address FFmpeg reads) or a webcam (``/dev/video0``)."""

    live = True
    total: int | None = None

    def __init__(
        self, address: str, fps: float = 0.0, quality: int = 92, silence: float = SILENCE_SECONDS, attempts: int = 0
    ) -> None:
        """Set up; nothing is read before :meth:`shots`.

        ``silence`` seconds without a frame end a connection; ``attempts`` above 0 bounds connections in a row that
        yield nothing.
        """
        self._address = address
        self._fps = fps
        self._quality = quality
        self._silence = silence
        self._attempts = attempts
        self._troubles: list[str] = []
        self._newest: Shot | None = None
        self._ready = threading.Condition()
        self._closed = False
        self.dropped = 0
        """Frames that were replaced by a newer one before anybody took them."""
        self.connections = 0

    def shots(self) -> Iterator[Shot]:
        """Yield the newest frame each time; ends only when closed or after ``attempts`` vain connections."""
        reader = threading.Thread(target=self._read_for_ever, name="camera", daemon=True)
        reader.start()
        try:
            while True:
                with self._ready:
                    self._ready.wait_for(lambda: self._newest is not None or self._closed)
                    shot, self._newest = self._newest, None
                if shot is None:
                    return
                yield shot
        finally:
            self._closed = True

    def troubles(self) -> list[str]:
        """Return the lost and failed connections so far."""
        return list(self._troubles)

    def _read_for_ever(self) -> None:
        vain = 0
        while not self._closed:
            self.connections += 1
            frames, trouble = self._read_connection()
            vain = 0 if frames else vain + 1
            if not self._closed:
                self._troubles.append(trouble)
            if self._attempts and vain >= self._attempts:
                break
            deadline = time.monotonic() + min(2.0**vain, _LONGEST_WAIT)
            while time.monotonic() < deadline and not self._closed:
                time.sleep(0.1)
        with self._ready:
            self._closed = True
            self._ready.notify_all()

    def _read_connection(self) -> tuple[int, str]:
        """Read one connection to its end; returns its frames and why it ended."""
        command = [sys.executable, "-m", "frs.feed.capture_worker", self._address, str(self._quality), str(self._fps)]
        frames = 0
        with subprocess.Popen(  # noqa: S603  # our own module; the address is one argument, no shell
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=_ROOT
        ) as worker:
            assert worker.stdout is not None
            assert worker.stderr is not None
            try:
                while not self._closed:
                    header = self._read(worker.stdout.fileno(), HEADER.size)
                    if header is None:
                        break
                    length, microseconds = HEADER.unpack(header)
                    data = self._read(worker.stdout.fileno(), length) if length <= _MOST_BYTES else None
                    if data is None:
                        break
                    frames += 1
                    self._put(Shot(bytes(data), datetime.fromtimestamp(microseconds / 1e6, UTC)))
                else:
                    return frames, "closed"
                ended = worker.poll() is not None or self._ends_soon(worker)
            finally:
                worker.kill()
            said = worker.stderr.read().decode(errors="replace").strip().splitlines()
        reason = (said[-1] if said else "the stream ended") if ended else f"no frame for {self._silence:.0f} s"
        return frames, f"connection {self.connections} to {self._address}: {reason}"

    @staticmethod
    def _ends_soon(worker: subprocess.Popen[bytes]) -> bool:
        try:
            worker.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _put(self, shot: Shot) -> None:
        with self._ready:
            if self._newest is not None:
                self.dropped += 1
            self._newest = shot
            self._ready.notify_all()

    def _read(self, descriptor: int, size: int) -> bytearray | None:
        """Read exactly ``size`` bytes; None at the end or after the silence."""
        data = bytearray()
        while len(data) < size:
            readable, _, _ = select.select([descriptor], [], [], self._silence)
            if not readable or self._closed:
                return None
            part = os.read(descriptor, min(size - len(data), 1 << 20))
            if not part:
                return None
            data += part
        return data
