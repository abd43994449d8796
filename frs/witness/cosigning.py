"""The witness's judgement: which trees it cosigns, which entries of erasure journals it takes, what it keeps as proof.

``add-checkpoint`` is C2SP tlog-witness. What holds, whoever asks in whatever order: of one log only consistent, never
smaller trees are cosigned; the check and the record are one transaction, durable before the answer; a signed tree that
contradicts what was cosigned is refused and kept, for it proves that the log was forked. A signed tree that comes
without a proof that fits is kept as well, for a forked log has none; but whoever has the note can send it so, and it is
let go when the same tree is cosigned after all.

Consistency is not needed for the erasure journal: its entries are all sent, so that the root is computed.
"""

from __future__ import annotations

from dataclasses import dataclass

from frs import __version__
from frs.audit.checkpoints import Checkpoint
from frs.audit.cosignatures import Cosigner, add_signatures
from frs.audit.erasure_journal import MOST_ENTRIES, journal_origin, journal_text
from frs.audit.notes import NoteVerifier, Signature, parse_note
from frs.audit.proofs import verify_consistency
from frs.clock import Clock
from frs.errors import FrsError
from frs.types import Json
from frs.witness.records import LogRecord, Records
from frs.witness.requests import Submission, parse_add_checkpoint, parse_add_erasures

TEXT = "text/plain; charset=utf-8"
SIZE_TEXT = "text/x.tlog.size"
_JOURNAL_END = journal_origin("")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered to a request."""

    status: int
    body: bytes = b""
    kind: str = TEXT
    """Content-Type."""
    evidence: str = ""
    """What was found when the note was kept as proof of a fork."""


class Witness:
    """Judges requests over the records. Every method may be called from any thread and raises FrsError STORAGE_*."""

    def __init__(self, records: Records, cosigner: Cosigner, clock: Clock) -> None:
        self._records = records
        self._cosigner = cosigner
        self._clock = clock

    @property
    def vkey(self) -> str:
        """The witness's verifier key."""
        return self._cosigner.verifier.vkey

    def add_checkpoint(self, body: bytes) -> Answer:
        """Judge a new checkpoint: 200 with the cosignature, or 400, 403, 404, 409 with the size known, 422."""
        try:
            asked = parse_add_checkpoint(body)
        except ValueError as error:
            return _refused(400, f"{error}")
        new = asked.checkpoint
        if (refusal := self._check_signer(asked, new.origin)) is not None:
            return refusal
        with self._records.transaction():
            log = self._records.log(new.origin)
            assert log is not None
            if asked.old != log.size:
                return self._other_size(log, asked)
            if new.size == log.size and new.root != log.root:
                return self._fork(log, asked, f"two trees of {new.size} events", _size(log.size))
            try:
                verify_consistency(log.size, new.size, log.root, new.root, asked.proof)
            except FrsError as error:
                if new.size == log.size:  # and it is the tree that was cosigned: nothing is wrong but the request
                    return _refused(422, error.message)
                what = f"a tree of {new.size} events without a proof that it continues the {log.size} cosigned"
                return self._fork(log, asked, what, _refused(422, error.message))
            line, at = self._cosign(new)
            self._records.move(new, asked.note, add_signatures(asked.note, [line]), at)
            self._records.withdraw_evidence(log.origin, new)
        return Answer(200, line.line().encode())

    def add_erasures(self, body: bytes) -> Answer:
        """Judge new entries of an erasure journal; answers as :meth:`add_checkpoint` does, on the journal's note."""
        try:
            asked = parse_add_erasures(body)
        except ValueError as error:
            return _refused(400, f"{error}")
        new = asked.checkpoint
        origin = new.origin.removesuffix(_JOURNAL_END)
        if origin == new.origin:
            return _refused(404, "the note is of no erasure journal")
        if (refusal := self._check_signer(asked, origin)) is not None:
            return refusal
        with self._records.transaction():
            log = self._records.log(origin)
            assert log is not None
            if asked.old != log.journal_size:
                return _size(log.journal_size)
            tree, last = self._records.journal_tree(origin)
            for entry in asked.entries:
                if entry.position <= last:
                    return _refused(422, "the entries are not in their order")
                last = entry.position
                tree.add(entry.leaf())
            if tree.root() != new.root:
                what = f"an erasure journal of {new.size} without entries that continue the {log.journal_size} kept"
                return self._fork(log, asked, what, _refused(422, "the entries do not lead to the root signed"))
            line, at = self._cosign(new)
            self._records.extend_journal(origin, asked.entries, tree, add_signatures(asked.note, [line]), at)
            self._records.withdraw_evidence(origin, new)
        return Answer(200, line.line().encode())

    def checkpoint(self, origin: str) -> Answer:
        """Return the newest checkpoint of a log, cosigned; 204 when none has come, 404 for an unknown log."""
        log = self._records.log(origin)
        if log is None:
            return _refused(404, "this log is not known here")
        return Answer(204) if log.cosigned is None else Answer(200, log.cosigned.encode())

    def erasures(self, origin: str, first: int) -> Answer:
        """Return a page of a log's erasure journal from number ``first``, and the note over the whole of it."""
        with self._records.transaction():  # the page and the note belong together
            log = self._records.log(origin)
            if log is None:
                return _refused(404, "this log is not known here")
            if log.journal_note is None:
                return Answer(204)
            entries = self._records.journal(origin, first, MOST_ENTRIES)
        return Answer(200, journal_text(log.journal_note, entries))

    def status(self) -> dict[str, Json]:
        """Return who the witness is and what it has seen."""
        return {
            "name": self._cosigner.verifier.name,
            "vkey": self.vkey,
            "version": __version__,
            "logs": [describe(log) for log in self._records.logs()],
        }

    # --- inside ---

    def _check_signer(self, asked: Submission, log_origin: str) -> Answer | None:
        """Refuse what no trusted key of the log has signed."""
        keys = self._records.keys(log_origin)
        if not keys:
            return _refused(404, "this log is not known here")
        signers = {(signature.name, signature.key_id) for signature in parse_note(asked.note).signatures}
        signed = False
        for vkey in keys:
            verifier = NoteVerifier.parse(vkey).named(asked.checkpoint.origin)
            if (verifier.name, verifier.key_id) in signers:
                try:
                    verifier.verify(asked.note)
                except FrsError as error:
                    return _refused(403, error.message)
                signed = True
        return None if signed else _refused(403, "no trusted key of the log has signed the note")

    def _other_size(self, log: LogRecord, asked: Submission) -> Answer:
        """Tell the size known; keep the note when it contradicts a tree that was cosigned."""
        new = asked.checkpoint
        known = log.root if new.size == log.size else self._records.seen_root(log.origin, new.size)
        if known is not None and known != new.root:
            return self._fork(log, asked, f"two trees of {new.size} events", _size(log.size))
        return _size(log.size)

    def _fork(self, log: LogRecord, asked: Submission, what: str, answer: Answer) -> Answer:
        journal = asked.checkpoint.origin != log.origin
        held = (log.journal_note if journal else log.cosigned) or ""
        self._records.keep_evidence(log.origin, what, asked.note, held)
        return Answer(answer.status, answer.body, answer.kind, what)

    def _cosign(self, checkpoint: Checkpoint) -> tuple[Signature, str]:
        now = self._clock.now()
        return self._cosigner.cosign(checkpoint, int(now.timestamp())), now.isoformat(timespec="seconds")


def describe(log: LogRecord) -> dict[str, Json]:
    """Return what is told of a log."""
    return {
        "origin": log.origin,
        "added_at": log.added_at,
        "size": log.size,
        "root": log.root.hex(),
        "at": log.at,
        "erasures": log.journal_size,
        "erasures_at": log.journal_at,
        "refused": log.refused,
    }


def _size(size: int) -> Answer:
    return Answer(409, f"{size}\n".encode(), SIZE_TEXT)


def _refused(status: int, why: str) -> Answer:
    return Answer(status, f"{why}\n".encode())
