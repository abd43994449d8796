"""Verifies an export: every event of it against the one signed checkpoint, and the whole against its trailer.

A complete export (no filter, from event 0) also shows that nothing was left out: its leaves make up the very tree that
was signed. One with a filter shows that each event in it is in the log and passes the filter as far as leaves tell;
whether the log holds others that would pass cannot be seen from it. Only leaves, proofs and payloads are covered by
the signature: recipient, reason and filter are the sender's word (the log's own event ``log.exported`` has them too).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from frs_verify.bundle import check_named, read_proof
from frs_verify.checkpoint import Checkpoint, Trust
from frs_verify.encoding import canonical
from frs_verify.export_filter import Filter
from frs_verify.export_format import READABLE, Header, Line, read_header, read_trailer
from frs_verify.export_sources import Source, open_source
from frs_verify.failure import CannotVerifyError, DoesNotVerifyError
from frs_verify.leaf import Leaf, check_payload, parse_leaf
from frs_verify.tree import GrowingTree, check_inclusion, leaf_hash

MOST_PROBLEMS = 100
"""Kept; the others are counted."""


@dataclass(frozen=True)
class ExportReport:
    """What was found of an export; it verifies when there is no problem."""

    checkpoint: Checkpoint | None
    header: Header | None
    events: int
    payloads: int
    problems: tuple[DoesNotVerifyError, ...]
    more_problems: int = 0


def verify_export(
    path: Path, trust: Trust, earlier: str | None = None, progress: Callable[[int], None] | None = None
) -> ExportReport:
    """Verify a file; ``earlier`` is a checkpoint kept from before, which a complete export must continue.

    Raises CannotVerifyError when the file cannot be read at all. What does not hold is in the report.
    """
    try:
        with path.open("r", encoding="utf-8", newline="\n") as file:
            return _Verification(trust, progress).run(lambda: open_source(path, file), earlier)
    except OSError as error:
        raise CannotVerifyError(f"{path} cannot be read: {error.strerror}.") from None


class _Verification:
    def __init__(self, trust: Trust, progress: Callable[[int], None] | None) -> None:
        self._trust = trust
        self._progress = progress
        self._sum = hashlib.sha256()
        self._tree = GrowingTree()
        self._problems: list[DoesNotVerifyError] = []
        self._more = 0
        self._events = self._payloads = 0
        self._last: Leaf | None = None
        self._last_index = -1
        self._earlier_root: bytes | None = None
        self._header: Header | None = None
        self._checkpoint: Checkpoint | None = None

    def run(self, opened: Callable[[], Source], earlier: str | None) -> ExportReport:
        """Go through the file; what breaks its structure ends the way, what is wrong with an event does not."""
        try:
            source = opened()
            header = self._header = read_header(source.header)
            checkpoint = self._checkpoint = self._trust.read(header.checkpoint)
            check_named(header.fields, checkpoint, self._trust, "The header")
            before = self._before(earlier, header, checkpoint)
            self._add(source.header)
            wanted = Filter(header.wanted)
            for line in source.lines():
                self._add(line.text)
                self._take(line, header, checkpoint, wanted)
                if before is not None and self._tree.size == before.size:
                    self._earlier_root = self._tree.root()
            self._finish(source.trailer, header, checkpoint, before)
        except DoesNotVerifyError as error:
            self._note(error)
        return ExportReport(
            self._checkpoint, self._header, self._events, self._payloads, tuple(self._problems), self._more
        )

    def _before(self, earlier: str | None, header: Header, checkpoint: Checkpoint) -> Checkpoint | None:
        if earlier is None:
            return None
        if not header.complete:
            raise DoesNotVerifyError("Only a complete export can be compared with an earlier checkpoint.")
        before = Trust(self._trust.log).read(earlier)
        if before.size > checkpoint.size:
            message = f"The earlier checkpoint has {before.size} events, this log only {checkpoint.size}."
            raise DoesNotVerifyError(message)
        if before.size == 0:
            self._earlier_root = before.root
        return before

    def _add(self, text: str) -> None:
        self._sum.update(text.encode("utf-8") + b"\n")

    def _take(self, line: Line, header: Header, checkpoint: Checkpoint, wanted: Filter) -> None:
        self._events += 1
        if self._progress is not None and self._events % 1000 == 0:
            self._progress(self._events)
        digest = leaf_hash(line.leaf.encode("utf-8"))
        self._tree.add(digest)
        try:
            self._check(line, digest, header, checkpoint, wanted)
        except DoesNotVerifyError as error:
            self._note(error)

    def _check(self, line: Line, digest: bytes, header: Header, checkpoint: Checkpoint, wanted: Filter) -> None:
        index, before = line.index, self._last_index
        self._last_index = max(before, index)
        if header.complete and index != self._events - 1:
            raise DoesNotVerifyError(f"Event {index} stands where event {self._events - 1} belongs.", index)
        if index <= before:
            raise DoesNotVerifyError(f"Event {index} stands behind event {before}: events are out of order.", index)
        if not header.proofs:
            if line.proof is not None:
                raise DoesNotVerifyError(f"Event {index} has a proof, but the header says that there are none.", index)
            if index >= checkpoint.size:
                raise DoesNotVerifyError(f"Event {index} is not in a log of {checkpoint.size} events.", index)
        else:
            check_inclusion(index, checkpoint.size, digest, read_proof(line.proof, index), checkpoint.root)
        leaf = parse_leaf(line.leaf, index)
        previous, self._last = self._last, leaf
        if previous is not None and leaf.time < previous.time:
            raise DoesNotVerifyError(f"Event {index} is earlier than event {previous.index} before it.", index)
        wanted.check(leaf)
        if line.told is not None:
            _check_told(line.told, leaf)
        if line.payload is not None:
            if not header.payloads:
                raise DoesNotVerifyError(f"Event {index} has a payload, but the header says that none is given.", index)
            check_payload(leaf, line.payload, line.nonce)
            self._payloads += 1

    def _finish(
        self, trailer_text: str | None, header: Header, checkpoint: Checkpoint, before: Checkpoint | None
    ) -> None:
        if trailer_text is None:
            message = f"The export is cut off after {self._events} events: its trailer is missing."
            raise DoesNotVerifyError(message)
        trailer = read_trailer(trailer_text)
        if trailer.events != self._events:
            self._note(
                DoesNotVerifyError(f"The trailer counts {trailer.events} events, the export has {self._events}.")
            )
        if trailer.sha256 != self._sum.digest():
            self._note(DoesNotVerifyError("The lines are not those that the trailer's sum was made of."))
        if header.complete and self._tree.size != checkpoint.size:
            message = f"The export has {self._tree.size} events, but {checkpoint.size} were signed."
            self._note(DoesNotVerifyError(message))
        elif header.complete and self._tree.root() != checkpoint.root:
            self._note(DoesNotVerifyError("The events together are not the log that was signed."))
        if before is not None and self._earlier_root != before.root:
            message = f"The first {before.size} events are not those of the earlier checkpoint: the log was rewritten."
            self._note(DoesNotVerifyError(message))

    def _note(self, problem: DoesNotVerifyError) -> None:
        if len(self._problems) < MOST_PROBLEMS:
            self._problems.append(problem)
        else:
            self._more += 1


def readable(leaf: Leaf) -> dict[str, str]:
    """Return what the readable columns of CSV and Parquet must say of a leaf."""
    refs = leaf.refs
    return {
        "time": leaf.time,
        "action": leaf.action,
        "operation": leaf.operation,
        "actor": leaf.actor,
        "watchlists": canonical(refs["watchlists"]) if refs["watchlists"] else "",
        "subjects": canonical(refs["subjects"]) if refs["subjects"] else "",
        **{kind: refs[kind] or "" for kind in ("deployment", "alert", "search", "job")},
    }


def _check_told(told: dict[str, str], leaf: Leaf) -> None:
    expected = readable(leaf)
    for name in READABLE:
        if told[name] != expected[name]:
            message = f"The column {name!r} of event {leaf.index} does not say what its leaf says."
            raise DoesNotVerifyError(message, leaf.index)
