"""The composition root: every room built from the settings, in the one order that works, and closed in reverse.

``Application.open`` gives a whole application, index included, for tests and in-process use. ``frs serve`` constructs
it, listens, and calls :meth:`Application.rebuild` then, so that health can tell that it is rebuilding.
"""

from __future__ import annotations

import contextlib
from typing import Self

from frs import __version__
from frs.access.registry import Identities
from frs.access.sign_ins import SignIns
from frs.audit.actions import Action
from frs.audit.checkpoints import CheckpointSigner
from frs.audit.chosen_witness import make_client
from frs.audit.log import AuditLog
from frs.audit.starting import verify_at_start
from frs.audit.timer import CheckpointTimer
from frs.audit.witness_state import WitnessState
from frs.audit.witnessing import Witnessing
from frs.clock import Clock, SystemClock
from frs.embed.loading import load_engine
from frs.errors import FrsError
from frs.index.galleries import Galleries
from frs.match.bell import Bell
from frs.match.deployments import Deployments
from frs.match.jobs import Jobs
from frs.match.live import LiveMatching
from frs.match.operator import OperatorSearches
from frs.match.stills import StillSearches
from frs.match.uploads import Uploads
from frs.oversight.access_photograph import PhotographSearch
from frs.oversight.subject_access import SubjectAccess
from frs.recovery.backup import Backups
from frs.recovery.rotation import KeyRotation
from frs.retention.certificate import Certificates
from frs.retention.erasers import Erasers
from frs.retention.erasure import Erasures
from frs.retention.holds import Holds
from frs.retention.plan import Planning
from frs.retention.policy_book import PolicyBook
from frs.retention.runs import RetentionRuns
from frs.review.alerts import Alerts
from frs.review.assignments import Assignments
from frs.review.case import Decision
from frs.review.cases import Cases, Settled
from frs.review.explanations import Explanations
from frs.review.pictures import CasePictures
from frs.review.unblurring import Unblurring
from frs.review.vigilance import Vigilance
from frs.review.vigilance_ageing import VigilanceAgeing
from frs.review.vigilance_pairs import VigilancePairs
from frs.server.journal import Journal
from frs.server.upkeep import Upkeep
from frs.server.vigilance_timer import VigilanceTimer
from frs.settings import Settings
from frs.store.database import Transaction
from frs.store.opening import open_store
from frs.types import Actor, Json
from frs.watchlist.rebuilding import RebuildReport
from frs.watchlist.registry import Watchlists


class Application:
    """All rooms. Construct or :meth:`open`, :meth:`start` the background work, and :meth:`close`."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        """Build the rooms; the index is empty until :meth:`rebuild`.

        Raises FrsError: NOT_INITIALISED, KEY_WRONG, DATA_DIRECTORY_IN_USE, DATABASE_NEWER, LOG_INCONSISTENT, MODEL_*,
        WITNESS_*, GPU_REQUIRED, STORAGE_*. Nothing stays open then.
        """
        self.settings = settings
        self.clock = clock or SystemClock()
        self.rebuilt: RebuildReport | None = None
        with contextlib.ExitStack() as stack:
            store = open_store(settings, self.clock)
            stack.callback(store.close)
            self.database, self.vault, self.keyring = store.database, store.vault, store.keyring
            signer = CheckpointSigner.open(store.keyring, settings, self.database.installation_id)
            self.audit = AuditLog(self.database, self.vault, signer, self.clock)
            self._witnessing = self._open_witnessing(signer)  # before anything is appended
            if settings.audit.verify_at_start:
                verify_at_start(self.database, self.audit, self.vault)
            self.journal = Journal(self.database, self.audit)
            self.engine = load_engine(settings)
            stack.callback(self.engine.close)
            self.policy = PolicyBook(self.database, self.audit, settings, self.clock)
            self.policy.record(Actor.system(), self.engine.model)  # before any other event
            self._build_rooms()
            self._stack = stack.pop_all()
        self._timer: CheckpointTimer | None = None
        self._upkeep: Upkeep | None = None

    @classmethod
    def open(cls, settings: Settings, clock: Clock | None = None) -> Self:
        """Build everything with the index; background work is not started."""
        application = cls(settings, clock)
        try:
            application.rebuild()
        except BaseException:
            application.close()
            raise
        return application

    def _build_rooms(self) -> None:
        settings, clock = self.settings, self.clock
        database, vault, audit, engine = self.database, self.vault, self.audit, self.engine
        self.identities = Identities(database, audit, clock)
        self.sign_ins = SignIns(self.identities, settings.access.session_seconds)
        self.galleries = Galleries(engine.model.dimension)
        galleries = self.galleries
        self.watchlists = Watchlists(database, vault, audit, galleries, engine, settings, clock)
        watchlists = self.watchlists
        self.alert_bell = Bell()
        self.deployments = Deployments(database, audit, watchlists, settings, clock)
        self.live = LiveMatching(
            database, vault, audit, galleries, watchlists, self.deployments, engine, self.alert_bell, settings, clock
        )
        self.alerts = Alerts(database, vault, audit, self.alert_bell, clock, settings.statistics.groups)
        self.assignments = Assignments(database, vault, audit, self.alerts, clock)
        self.live.heed_alerts(self.assignments.alert_raised)
        self.vigilance_pairs = VigilancePairs(database, vault, audit, engine, settings, clock)
        self.uploads = Uploads(database, vault, audit, settings, clock)
        self.jobs = Jobs(database, vault, audit, galleries, watchlists, self.uploads, engine, settings, clock)
        self.stills = StillSearches(database, audit, galleries, watchlists, engine, settings, clock)
        self.operator = OperatorSearches(database, vault, audit, galleries, watchlists, engine, settings, clock)
        self.case_pictures = CasePictures(vault, watchlists)
        self.cases = Cases(
            *(database, vault, audit, self.case_pictures, settings, clock), lambda: self.policy.version, engine.model
        )
        self.unblurring = Unblurring(database, audit, self.case_pictures)
        self.explanations = Explanations(database, audit, self.case_pictures, engine, settings.review, clock)
        self.live.heed_alerts(self.cases.open_alert)
        self.jobs.heed_matches(self.cases.open_candidates)
        self.cases.on_settled(lambda tx, _: tx.after_commit(self.alert_bell.ring))
        self.cases.on_settled(self._alert_again)
        self.cases.on_settled(self.assignments.case_settled)
        self.cases.on_closed(lambda tx, *_: tx.after_commit(self.alert_bell.ring))
        self.cases.on_closed(self.assignments.case_closed)
        self.vigilance = Vigilance(database, audit, self.cases, watchlists, engine.model, settings, clock)
        self.live.heed_alerts(self.vigilance.alert_raised)
        self.cases.on_settled(self.vigilance.decided)
        self.cases.on_closed(self.vigilance.closed)
        self.vigilance_pairs.heed_removals(self.vigilance.pair_removed)
        self.backups = Backups(database, self.keyring, audit, settings, clock)
        self.key_rotation = KeyRotation(database, self.keyring, audit)
        self.holds = Holds(database, vault, audit, clock)
        self.uploads.heed(self.holds.uploads_held)
        self.planning = Planning(database, settings.retention, clock)
        self.erasers = Erasers(
            *(database, vault, audit, galleries, watchlists.erasing, self.uploads, settings, clock),
            self.alert_bell,
            self.cases,
        )
        self.erasers.heed_alerts(lambda tx, alert_id: self.assignments.withdraw(tx, alert_id, "erased"))
        self.certificates = Certificates(database, vault, audit)
        self.erasures = Erasures(
            database, vault, audit, watchlists, self.erasers, self.holds, clock, lambda: self.policy.version
        )
        photographs = PhotographSearch(database, galleries, watchlists, engine, settings)
        self.subject_access = SubjectAccess(database, vault, audit, photographs, clock)
        self.retention_runs = RetentionRuns(
            database, audit, self.erasers, watchlists, self.holds, self.policy, settings.retention, clock
        )

    def _alert_again(self, tx: Transaction, settled: Settled) -> None:
        """Let a camera alert for the same person at once when people found its alert to be false."""
        if settled.alert_id is not None and settled.decision is Decision.FALSE:
            self.live.alert_again(tx, settled.alert_id)

    def _open_witnessing(self, signer: CheckpointSigner) -> Witnessing | None:
        """Compare the log with what its witness has seen; None when it has none."""
        settings = self.settings.audit
        client = make_client(settings)
        if client is None:
            return None
        witnessing = Witnessing(client, self.audit, signer, self.database, settings, self.clock)
        witnessing.compare()
        return witnessing

    def witness_state(self) -> WitnessState | None:
        """Return how it stands with the witness; None when the log has none. Raises what the database raises."""
        return self._witnessing.state() if self._witnessing is not None else None

    def have_witnessed(self) -> None:
        """Take what is signed to the witness now; nothing without one. FrsError WITNESS_* as it goes."""
        if self._witnessing is not None:
            self._witnessing.sync()

    @property
    def checkpoint_failure(self) -> FrsError | None:
        """Why the log could not be signed last, or None."""
        return self._timer.failure if self._timer is not None else None

    @property
    def upkeep_fault(self) -> str:
        """What falls due and could not be done at the last look; empty when all was."""
        return self._upkeep.fault if self._upkeep is not None else ""

    def rebuild(self) -> RebuildReport:
        """Fill the index from the database and say how long it took."""
        self.rebuilt = self.watchlists.rebuild()
        return self.rebuilt

    def start(self) -> None:
        """Log the start and begin background work: jobs, checkpoints, expiry."""
        model = self.engine.model
        said: dict[str, Json] = {
            "version": __version__,
            "model": model.id,
            "profile": model.profile,
            "provider": model.provider,
        }
        self.journal.record(Actor.system(), Action.SERVICE_STARTED, said)
        self.key_rotation.settle()
        # Undone in reverse, each whatever becomes of the others: no new work, then the stop is logged, then signed.
        if self._witnessing is not None:
            self._witnessing.start()
            self._stack.callback(self._witnessing.close)  # takes what was signed last
        self._timer = CheckpointTimer(self.audit, self.settings.audit.checkpoint_seconds)
        self._timer.start()
        self._stack.callback(self._timer.close)
        stopped: dict[str, Json] = {"version": __version__}
        self._stack.callback(self.journal.record, Actor.system(), Action.SERVICE_STOPPED, stopped)
        self._upkeep = Upkeep(
            *(self.deployments, self.uploads, self.retention_runs, self.settings.retention.run_seconds), self.cases
        )
        self._upkeep.start()
        self._stack.callback(self._upkeep.close)
        ageing = VigilanceAgeing(self.database, self.vault, self.cases, self.settings.retention, self.clock)
        checks = VigilanceTimer(self.vigilance, ageing, self.settings.retention.run_seconds)
        checks.start()
        self._stack.callback(checks.close)
        self.jobs.start()
        self._stack.callback(self.jobs.close)

    def close(self) -> None:
        """Stop background work, log the stop, sign the log and let everything go. Again is harmless.

        Raises FrsError when the stop could not be logged or the log not signed; everything is let go all the same.
        """
        self._stack.close()
