"""One person on whom everything is held: entries, alerts, searches, jobs, events; and a look at every trace of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.verify import VerificationReport, verify_database
from frs.match.alerting import PROBE, REFERENCE
from frs.match.bell import Bell
from frs.match.candidate_records import probe_owner
from frs.retention.certificate import Certificates
from frs.retention.erasers import Erasers
from frs.retention.erasure import Erasures
from frs.retention.holds import Holds
from frs.review.alerts import Alerts
from frs.review.cases import Cases
from frs.review.pictures import CasePictures
from frs.settings import OperatorSettings
from frs.store.schema import alert, alert_feed, deployment, job_probe, operator_search, reference_image, subject
from frs.store.transaction import Transaction
from frs.types import Actor, Event, ListVersion, Quality, References, Role, SearchAuthority, new_id
from frs.watchlist.rebuilding import CROP, TEMPLATE
from tests.deciding import adjudicate, open_case
from tests.installation import Installation
from tests.match import clips
from tests.match.search_desk import INVESTIGATOR, OFFICER, SearchDesk

PROTECTION = Actor("dora", frozenset({Role.DATA_PROTECTION_OFFICER}), "certificate:0d")
QUALITY = Quality(size=90.0, sharpness=210.0, pose=0.1, brightness=120.0, detector_score=0.9)
NOMINAL, OTHER = "NOMINAL-4711", "NOMINAL-0815"
JUSTIFICATION = "planted justification about the person"
REASON = f"planted reason for a search of {NOMINAL}"


class PersonHouse:
    """The rooms that hold something on people, over an installation."""

    traces: dict[str, tuple[str, bytes, bytes]]
    """What was sealed of the person, where a test keeps it."""

    def __init__(self, installation: Installation) -> None:
        installation.settings = installation.settings.model_copy(
            update={"operator": OperatorSettings(keep_matched_probe=True)}
        )
        self.installation = installation
        self.desk = SearchDesk(installation)
        self.compose()

    @classmethod
    def over(cls, installation: Installation) -> Iterator[PersonHouse]:
        """Use as ``yield from`` in a fixture."""
        house = cls(installation)
        yield house
        house.desk.jobs.close()

    def compose(self) -> None:
        made, desk = self.installation, self.desk
        database, vault, audit, clock = made.store.database, made.store.vault, made.audit, made.clock
        self.bell = Bell()
        self.alerts = Alerts(database, vault, audit, self.bell, clock)
        pictures = CasePictures(vault, made.watchlists)
        self.cases = Cases(database, vault, audit, pictures, made.settings, clock, lambda: 7)
        desk.jobs.heed_matches(self.cases.open_candidates)
        self.holds = Holds(database, vault, audit, clock)
        self.erasers = Erasers(
            *(database, vault, audit, made.galleries, made.watchlists.erasing, desk.uploads, made.settings, clock),
            self.bell,
            self.cases,
        )
        self.erasures = Erasures(*(database, vault, audit, made.watchlists, self.erasers, self.holds, clock), lambda: 7)
        self.certificates = Certificates(database, vault, audit)

    def restart(self) -> None:
        self.desk.restart()
        self.compose()

    def close(self) -> None:
        self.desk.close()

    # --- what is held ---

    def fill(self, people: tuple[bytes, ...]) -> None:
        """List two people on two lists, alert for both, search for and find both in both other modes."""
        self.desk.listed("wanted", {NOMINAL: people[0], OTHER: people[1]})
        self.desk.listed("missing", {NOMINAL: people[0]})
        place = self.deployment()
        self.alert_ids = {name: self.alert(place, name) for name in (NOMINAL, OTHER)}
        self.adjudicate(NOMINAL, True, f"planted note: surely {NOMINAL}")
        self.search_ids = {}
        for name, picture in ((NOMINAL, people[0]), (OTHER, people[1])):
            asked = (f"planted reason for a search of {name}", "s. 1 Act", "phone", ("wanted",), 0)
            self.search_ids[name] = self.desk.operator.identify(OFFICER, clips.retaken(picture), *asked).search
        self.desk.jobs.start()
        media = [self.desk.upload(clips.retaken(picture)) for picture in people[:2]]
        authority = SearchAuthority(f"looking for {NOMINAL}", "INC", "AUTH", self.desk.clock.now() + timedelta(hours=1))
        self.job_id = self.desk.finished(self.desk.jobs.submit(INVESTIGATOR, authority, ["wanted"], media, 0)).id

    def adjudicate(self, nominal: str, is_subject: bool, reason: str) -> None:
        """Have somebody decide the alert for a person."""
        adjudicate(self.desk.database, self.cases, OFFICER, self.alert_ids[nominal], is_subject, reason)

    def deployment(self) -> str:
        name, now = new_id(), self.desk.clock.now()
        who = {"purpose": "p", "place": "Square", "authorising_officer": "AO", "opened_by": "ada"}
        when = {"starts_at": now, "ends_at": now + timedelta(hours=1), "opened_at": now, "cooldown_seconds": 60.0}
        row = {"id": name, "state": "open", **who, **when}
        self.desk.database.write(lambda tx: tx.connection.execute(sa.insert(deployment).values(row)))
        return name

    def alert(self, where: str, nominal: str) -> str:
        """Put an alert there, and its event, as live matching leaves them."""
        name, now = new_id(), self.desk.clock.now()
        with self.desk.database.read() as connection:
            entry = connection.scalars(
                sa.select(subject.c.id).where(subject.c.nominal == nominal, subject.c.watchlist_id == "wanted")
            ).one()

        def act(tx: Transaction) -> None:
            seal = self.desk.vault.seal
            pictures = {
                "probe_quality": QUALITY.as_json(),
                "probe_sealed": seal(f"alert:{name}", b"planted probe of " + nominal.encode(), PROBE),
                "reference_sealed": seal(f"alert:{name}", b"planted reference of " + nominal.encode(), REFERENCE),
            }
            row = {
                "id": name,
                "deployment_id": where,
                "camera_id": "cam-1",
                "track_id": "t-1",
                "state": "pending",
                "captured_at": now,
                "first_seen_at": now,
                "decided_at": now,
                "created_at": now,
                "watchlist_id": "wanted",
                "watchlist_version": 3,
                "subject_id": entry,
                "nominal": nominal,
                "score": 0.97,
                "threshold": 0.95,
                "frames": 5,
                "model": "m@1",
                "profile": "plain",
                "notice": "",
                "reference_id": new_id(),
                "grading": "red",
                "reference_quality": QUALITY.as_json(),
                **pictures,
            }
            tx.connection.execute(sa.insert(alert).values(row))
            tx.connection.execute(sa.insert(alert_feed).values(alert_id=name, kind="raised", created_at=now))
            concerns = References((ListVersion("wanted", 3),), (nominal,), deployment=where, alert=name)
            event = Event(Action.ALERT_RAISED, Actor.system(), concerns, {"nominal": nominal, "score": 0.97})
            self.installation.audit.append(tx, event)
            open_case(tx, self.cases, name)

        self.desk.database.write(act)
        return name

    # --- what is left ---

    @property
    def data_dir(self) -> Path:
        return self.desk.data_dir

    def sealed(self, nominal: str) -> dict[str, tuple[str, bytes, bytes]]:
        """Return what is sealed of a person, by name: owner, sealed bytes and context."""
        found = {}
        with self.desk.database.read() as connection:
            entries = sa.select(subject.c.id).where(subject.c.nominal == nominal)
            for row in connection.execute(
                sa.select(reference_image).where(reference_image.c.subject_id.in_(entries))
            ).all():
                found[f"template {row.id}"] = (f"subject:{row.subject_id}", row.template_sealed, TEMPLATE)
                found[f"crop {row.id}"] = (f"subject:{row.subject_id}", row.crop_sealed, CROP)
            for row in connection.execute(sa.select(alert).where(alert.c.nominal == nominal)).all():
                found[f"alert probe {row.id}"] = (f"alert:{row.id}", row.probe_sealed, PROBE)
                found[f"alert reference {row.id}"] = (f"alert:{row.id}", row.reference_sealed, REFERENCE)
            search = self.search_ids[nominal]
            kept = sa.select(operator_search.c.probe_sealed).where(operator_search.c.id == search)
            found["kept probe"] = (f"search:{search}", connection.execute(kept).scalar_one(), b"")
            position = 0 if nominal == NOMINAL else 1
            for row in connection.execute(sa.select(job_probe).where(job_probe.c.position == position)).all():
                found[f"job crop {row.id}"] = (probe_owner(row.id), row.crop_sealed, b"")
        assert len(found) >= (8 if nominal == NOMINAL else 6)
        return found

    def files_with(self, trace: bytes) -> list[str]:
        """Return the files of the data directory, the keyring's and the uploads included, that hold some bytes."""
        found = []
        for path in self.data_dir.rglob("*"):
            with suppress(FileNotFoundError, IsADirectoryError):  # a used upload may be going at this moment
                if trace in path.read_bytes():
                    found.append(path.name)
        return found

    def payloads_with(self, text: str) -> list[str]:
        """Return the actions of the events whose payload still opens and holds a text."""
        audit, found = self.installation.audit, []
        for seq in range(audit.size()):
            event = audit.get(seq, open_payload=True)
            if event.payload is not None and text in repr(event.payload):
                found.append(event.action)
        return found

    def verify(self) -> VerificationReport:
        with self.desk.database.read() as connection:
            return verify_database(connection, self.installation.audit.vkey, self.desk.vault)
