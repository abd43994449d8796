"""Has the log witnessed: at start what the witness has seen is compared, then each checkpoint is taken to it.

What holds: a service whose database a note of the log's own key, shown by the witness, contradicts (rolled back,
rewritten, forked) does not start, or takes no more events; nothing else that a witness says can do that. A witness
that is down or not to be believed is a matter of ``audit.witness_policy``: ``warn`` serves and says so; ``stop`` does
not start, and once the newest events have been without a cosignature for ``audit.witness_grace_seconds``, does not
serve. The entries of the erasure journal go to the witness on the same way.
"""

from __future__ import annotations

import threading
import time

import structlog

from frs.audit.checkpoints import Checkpoint, CheckpointSigner
from frs.audit.erasure_journal import ErasureJournal, JournalSigner
from frs.audit.log import AuditLog
from frs.audit.witness_client import RefusedError, WitnessClient
from frs.audit.witness_state import DAMNING, WitnessState, cosigned_before, lag_seconds, refusal
from frs.audit.witnessed import check_erasures, check_log, cosigned_at, read_shown
from frs.clock import Clock
from frs.errors import FrsError, Reason, place
from frs.settings import AuditSettings
from frs.store.database import Database

_log = structlog.get_logger("frs.witnessing")
LOOK_SECONDS = 30.0
"""A log that does not grow asks the witness this often what it has, to notice that it is gone or was shown a fork."""


class Witnessing:
    """The way of one log to its witness. :meth:`compare` first, then :meth:`start` and :meth:`close`."""

    def __init__(
        self,
        client: WitnessClient,
        audit: AuditLog,
        signer: CheckpointSigner,
        database: Database,
        settings: AuditSettings,
        clock: Clock,
    ) -> None:
        """``signer`` is the one that ``audit``, which is open already, signs with."""
        self._client = client
        self._audit = audit
        self._journal_signer = JournalSigner(signer.note_signer, signer.folder)
        self._database = database
        self._settings = settings
        self._clock = clock
        self._turn = threading.Lock()  # one round at a time; guards what follows
        self._known: int | None = None  # size that the witness has; None until compared
        self._looked = 0.0  # when it last answered, monotonic seconds
        self._journal: ErasureJournal | None = None  # as far as the witness has it; None until compared
        with database.read() as connection:
            self._cosigned = cosigned_before(connection, audit, client.verifier)
        self._announced = False  # whether the witness has a journal at all
        self._erasures = self._erased_position = 0
        self._failure: FrsError | None = None
        self._failing_since: float | None = None  # monotonic seconds
        self._wake = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="frs-witnessing", daemon=True)

    def compare(self) -> None:
        """Compare what the witness has seen with the database, before anything is served.

        Raises FrsError: WITNESS_CONFLICT and LOG_INCONSISTENT that say what differs; under the policy ``stop`` also
        WITNESS_UNAVAILABLE and WITNESS_UNTRUSTED.
        """
        try:
            with self._turn:
                with self._database.read() as connection:
                    self._journal_signer.check(connection)
                self._compare()
        except FrsError as error:
            if error.reason in DAMNING or self._settings.witness_policy == "stop":
                raise
            self._note(error)

    def start(self) -> None:
        """Begin to take checkpoints to the witness."""
        self._thread.start()

    def hurry(self) -> None:
        """Go to the witness now, without waiting for the next round."""
        self._wake.set()

    def close(self) -> None:
        """Stop, and try once to have witnessed what was signed last. A failure is only logged."""
        self._ending = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()
            self._round()

    def sync(self) -> None:
        """Take what is signed and destroyed to the witness. Raises FrsError, see the module."""
        with self._turn:
            if time.monotonic() - self._looked > LOOK_SECONDS:
                self._known = None
            self._compare()
            try:
                self._send_checkpoint()
            except RefusedError as refused:
                self._known = None
                self._compare()  # raises when the witness has proof
                try:
                    self._send_checkpoint()
                except RefusedError:
                    raise self._groundless(refused) from None
            try:
                self._send_erasures()
            except RefusedError as refused:
                self._journal = None
                self._compare()
                raise self._groundless(refused) from None
            except FrsError:
                self._journal = None  # it was taken further than the witness has it
                raise

    def state(self) -> WitnessState:
        """Return how it stands. Raises what the database raises."""
        with self._database.read() as connection:
            failing = 0.0 if (since := self._failing_since) is None else time.monotonic() - since
            lag = lag_seconds(connection, self._cosigned, self._erased_position, self._clock.now(), failing)
        failure, name = self._failure, self._client.name
        refused = refusal(self._settings, name, failure, lag)
        return WitnessState(name, self._cosigned, self._erasures, lag, failure, refused)

    # --- comparing ---

    def _compare(self) -> None:
        """Learn what the witness has, unless it is known, and hold it against the database."""
        if self._known is None:
            self._known = self._compare_log()
        if self._journal is None:
            self._journal = self._compare_erasures()
            self._erasures, self._erased_position = self._journal.size, self._journal.position

    def _compare_log(self) -> int:
        note = self._client.latest(self._audit.origin)
        self._looked = time.monotonic()
        size = 0
        if note is not None:
            shown = read_shown(note, self._audit.vkey)
            size, at = shown.size, cosigned_at(self._client.verifier, note)
            with self._database.read() as connection:
                check_log(connection, shown, at, self._client.name)
            if at is not None and size > self._cosigned:
                self._keep(shown, note)
        if size < self._cosigned:
            raise FrsError(
                Reason.WITNESS_UNTRUSTED,
                f"The witness {self._client.name} has cosigned {self._cosigned} events and now says that it has seen "
                f"{size}: its records were put back or lost.",
                cosigned=str(self._cosigned),
                shown=str(size),
            )
        return size

    def _compare_erasures(self) -> ErasureJournal:
        note = self._client.latest_erasures(self._audit.origin)
        shown = read_shown(note, self._journal_signer.vkey) if note is not None else None
        last = self._journal_signer.last()
        journal = ErasureJournal(() if last is None else (last.size,))
        if shown is not None:
            with self._database.read() as connection:
                check_erasures(connection, journal, shown, self._client.name)
        self._announced = shown is not None
        return journal

    # --- sending ---

    def _send_checkpoint(self) -> None:
        assert self._known is not None
        note = self._audit.latest_checkpoint()
        if note is None:
            return
        new = self._audit.read(note)
        if new.size < self._known:
            note = self._audit.checkpoint()
            new = self._audit.read(note)
        if new.origin != self._audit.origin or (new.size <= self._cosigned and self._cosigned == self._known):
            return
        proof = self._audit.consistency_proof(self._known, new.size)
        cosigned = self._client.add_checkpoint(note, self._known, proof)
        self._known, self._looked = new.size, time.monotonic()
        self._keep(new, cosigned)

    def _keep(self, checkpoint: Checkpoint, cosigned: str) -> None:
        try:
            self._audit.keep_cosigned(checkpoint.size, cosigned)
        except FrsError as error:
            if error.reason not in {Reason.CHECKPOINT_NOT_FOUND, Reason.LOG_INCONSISTENT}:
                raise  # otherwise that size was signed elsewhere or under another name: it is the witness's to keep
        self._cosigned = checkpoint.size

    def _send_erasures(self) -> None:
        assert self._journal is not None
        journal = self._journal
        while True:
            first = journal.size
            with self._database.read() as connection:
                entries = journal.take(connection)
            if not entries and self._announced:
                return
            self._client.add_erasures(self._journal_signer.sign(journal), first, entries)
            self._announced = True  # a restoration finds a journal, be it empty
            self._erasures, self._erased_position = journal.size, journal.position

    def _groundless(self, refused: RefusedError) -> FrsError:
        said = "refuses a proof" if refused.size is None else f"says that it has {refused.size} events"
        message = f"The witness {self._client.name} {said}, and shows nothing that bears it out."
        return FrsError(Reason.WITNESS_UNTRUSTED, message, witness=self._client.name)

    # --- inside ---

    def _run(self) -> None:
        while not self._ending:
            self._round()
            self._wake.wait(self._settings.checkpoint_seconds)
            self._wake.clear()

    def _round(self) -> None:
        try:
            self.sync()
        except FrsError as error:
            self._note(error)
        except Exception as error:  # noqa: BLE001  # the last resort of the thread: without it nothing is witnessed
            failure = FrsError(Reason.INTERNAL, f"The log could not be witnessed ({type(error).__name__}).")
            self._note(failure, where=place(error))
        else:
            if self._failure is not None:
                _log.info("the witness answers again", witness=self._client.name)
            self._failure = self._failing_since = None

    def _note(self, error: FrsError, **more: str) -> None:
        """Remember a failure, say it once, and stop the log where it is proven to be forked."""
        before, self._failure = self._failure, error
        if self._failing_since is None:
            self._failing_since = time.monotonic()
        if before is None or before.reason is not error.reason:
            _log.warning("not witnessed", reason=str(error.reason), message=error.message, **more)
        if error.reason in DAMNING:
            self._audit.stop(error)
