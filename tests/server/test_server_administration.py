"""Archives on their way to a client: in messages of one size, and let go when the client leaves in the middle."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from frs.server.administration import MESSAGE, Source


def test_pieces_are_gathered_into_messages() -> None:
    """Small and large chunks come out in order, none lost, each message at least of the size but the last."""
    chunks = [bytes([n % 251]) * (n * 997 % 70_000) for n in range(60)]
    source, taken = Source(iter(chunks)), []
    while (piece := source.take()) is not None:
        taken.append(piece)
    assert b"".join(taken) == b"".join(chunks)
    assert all(len(piece) >= MESSAGE for piece in taken[:-1])
    assert source.take() is None


def test_leaving_while_a_thread_reads_waits_for_it() -> None:
    """A client that goes away closes the archive after the read that is under way, and what it is made from goes."""
    reading, let_go, gone = threading.Event(), threading.Event(), []

    def chunks() -> Iterator[bytes]:
        try:
            reading.set()
            assert let_go.wait(10)
            yield bytes(MESSAGE)
            yield b"never asked for"
        finally:
            gone.append(True)

    source = Source(chunks())
    reader = threading.Thread(target=source.take)
    reader.start()
    assert reading.wait(10)
    closer = threading.Thread(target=source.close)
    closer.start()
    assert not gone
    let_go.set()
    reader.join(10)
    closer.join(10)
    assert gone == [True]
    assert source.take() is None
