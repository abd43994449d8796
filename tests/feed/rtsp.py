"""A small RTSP server (RFC 2326) for one camera: MPEG-TS in RTP (RFC 2250), interleaved on the TCP connection.

It answers OPTIONS, DESCRIBE, SETUP, PLAY and TEARDOWN as a network camera does, and can misbehave as one does.
"""

from __future__ import annotations

import io
import socket
import struct
import threading
import time
from fractions import Fraction

import av
import numpy as np

FPS = 10
_TS_PACKET = 188
_PER_RTP = 7


def transport_stream(seconds: float) -> bytes:
    """Return an MPEG-2 transport stream of a bar that moves over grey."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mpegts") as container:
        stream = container.add_stream("mpeg2video", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.codec_context.time_base = Fraction(1, FPS)
        stream.gop_size = 2
        for number in range(int(seconds * FPS)):
            picture = np.full((240, 320, 3), 90, np.uint8)
            picture[:, (number * 8) % 300 : (number * 8) % 300 + 20] = 220
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


class RtspServer:
    """Serves ``rtsp://127.0.0.1:PORT/camera``; use as a context.

    ``play_seconds`` of each connection are sent, then the connection is closed, or kept open in silence when
    ``hangs``. ``answers`` False is a camera that accepts a connection and never says a word.
    """

    def __init__(self, play_seconds: float = 60.0, *, hangs: bool = False, answers: bool = True) -> None:
        self._stream = transport_stream(play_seconds)
        self._seconds = play_seconds
        self._hangs = hangs
        self._answers = answers
        self._stopped = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.requests: list[str] = []
        self.connections = 0

    @property
    def address(self) -> str:
        return f"rtsp://guard:s3cret@127.0.0.1:{self._socket.getsockname()[1]}/camera"

    def __enter__(self) -> RtspServer:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(10)

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]  # our own methods
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(0.2)
            try:
                if not self._answers:
                    self._stopped.wait()
                    return
                while (request := self._read(connection)) is not None:
                    self._answer(connection, request)
                    if request.startswith("PLAY"):
                        self._play(connection)
                        if self._hangs:
                            self._stopped.wait()
                        return
            except OSError:
                return  # the reader has gone, as readers do

    def _read(self, connection: socket.socket) -> str | None:
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            if self._stopped.is_set():
                return None
            try:
                part = connection.recv(4096)
            except TimeoutError:
                continue
            if not part:
                return None
            data += part
        return data.decode()

    def _answer(self, connection: socket.socket, request: str) -> None:
        method = request.split(" ", 1)[0]
        self.requests.append(method)
        fields = dict(line.split(": ", 1) for line in request.split("\r\n")[1:] if ": " in line)
        lines = ["RTSP/1.0 200 OK", f"CSeq: {fields['CSeq']}", "Session: 1"]
        body = ""
        if method == "OPTIONS":
            lines.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
        elif method == "DESCRIBE":
            body = (
                "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track1\r\n"
            )
            lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
        elif method == "SETUP":
            assert "interleaved" in fields["Transport"], "the adapter asks for RTP over TCP"
            lines.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
        connection.sendall("\r\n".join([*lines, "", body]).encode())

    def _play(self, connection: socket.socket) -> None:
        """Send the stream at its own pace."""
        size = _TS_PACKET * _PER_RTP
        chunks = [self._stream[at : at + size] for at in range(0, len(self._stream), size)]
        begun = time.monotonic()
        for number, chunk in enumerate(chunks):
            due = begun + self._seconds * number / len(chunks)
            if self._stopped.wait(max(0.0, due - time.monotonic())):
                return
            clock = int((time.monotonic() - begun) * 90_000) & 0xFFFFFFFF
            packet = struct.pack(">BBHII", 0x80, 33, number & 0xFFFF, clock, 1) + chunk
            connection.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
