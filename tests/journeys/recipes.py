"""A successful call of every method of the contract: who makes it, and with which request.

A recipe prepares what its call needs, by calls of other identities where it can, and returns the identity and the
request; the call itself is made, and what it logs compared with the table, by ``test_journey_events``.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from frs.v1 import (
    administration_pb2,
    common_pb2,
    deployment_pb2,
    identity_pb2,
    identity_pb2_grpc,
    officer_pb2,
    officer_pb2_grpc,
    operator_pb2,
    operator_pb2_grpc,
    oversight_pb2,
    retention_pb2,
    retention_pb2_grpc,
    retrospective_pb2,
    retrospective_pb2_grpc,
    review_pb2,
    review_pb2_grpc,
    vigilance_pb2,
    vigilance_pb2_grpc,
    watchlist_pb2,
    watchlist_pb2_grpc,
)
from tests.journeys.asking import authority, photograph, still
from tests.journeys.conftest import MODES, SCORE, Desk, ahead
from tests.journeys.deciding import SEEN, case_of
from tests.journeys.pictures import frames
from tests.journeys.service import Service
from tests.journeys.streaming import frame, opening, play

REASON = "for the test of the log"


@dataclass(frozen=True)
class Call:
    """One call to be made."""

    identity: str
    request: Message | Sequence[Message]
    """Several messages where the client streams."""


class Stage:
    """A service with people on its lists, and what the recipes share; each part is made when it is first asked for."""

    def __init__(self, service: Service, people: tuple[bytes, ...], group: bytes) -> None:
        self.service, self.people, self.group = service, people, group
        self.desk = Desk(service)
        self._numbers = itertools.count(100)

    def stub(self, kind: Callable[..., Any], identity: str) -> Any:
        return self.service.stub(kind, identity)

    @cached_property
    def wanted(self) -> str:
        """An active list with NOM-0 to NOM-2 on it."""
        return self.desk.active_list(self.people[:3]).name

    @cached_property
    def deployment(self) -> str:
        return self.desk.deployment(self.wanted).name

    @cached_property
    def alerts(self) -> list[str]:
        """Two alerts, of NOM-0 and NOM-1."""
        drawn = frames(self.people[:2], 12)
        sent = [opening(self.deployment, "cam-9"), *(frame(n, data) for n, data in enumerate(drawn, 1))]
        heard = play(self.service, sent)
        assert heard.error is None
        assert len(heard.alerts) == 2
        return heard.alerts

    @cached_property
    def assignments(self) -> list[str]:
        """Two assignments on offer, of a deployment whose officers are sent alerts at once."""
        policy = deployment_pb2.ReviewPolicy(officers_before_adjudication=True)
        name = self.desk.deployment(self.wanted, review_policy=policy).name
        drawn = frames(self.people[:2], 12)
        play(self.service, [opening(name, "cam-8"), *(frame(n, data) for n, data in enumerate(drawn, 1))])
        stub = self.stub(officer_pb2_grpc.OfficerServiceStub, "officer")
        listed = stub.ListAssignments(officer_pb2.ListAssignmentsRequest(deployment=name)).assignments
        assert len(listed) == 2
        return [each.name for each in listed]

    @property
    def review(self) -> Any:
        return self.stub(review_pb2_grpc.ReviewServiceStub, "reviewer")

    @cached_property
    def _observed_case(self) -> str:
        name = case_of(self.service, self.alerts[0])
        self.review.ClaimCase(review_pb2.ClaimCaseRequest(name=name))
        self.review.RecordObservation(review_pb2.RecordObservationRequest(name=name, observation=SEEN))
        return name

    def held_case(self) -> str:
        """Have the reviewer hold the case of the alert of NOM-0, in which they have recorded what they see."""
        self.review.ClaimCase(review_pb2.ClaimCaseRequest(name=self._observed_case))
        return self._observed_case

    def listed_case(self, nominal: str) -> str:
        """Return the case of the face of the job's picture that found this person."""
        kind, job = review_pb2.CASE_KIND_CANDIDATES, self.job
        listed = self.review.ListCases(review_pb2.ListCasesRequest(kind=kind, page_size=1000)).cases
        (name,) = (each.name for each in listed if each.job == job and nominal == each.candidates[0].nominal)
        return str(name)

    @cached_property
    def job(self) -> str:
        """A job that has found people, and ended."""
        stub = self.stub(retrospective_pb2_grpc.RetrospectiveServiceStub, "investigator")
        name: str = stub.CreateJob(self.job_request([self.upload(self.group)])).name
        *_, last = stub.WatchJob(retrospective_pb2.WatchJobRequest(name=name), timeout=60)
        assert last.state == retrospective_pb2.JOB_STATE_DONE
        return name

    def job_request(self, uploads: Sequence[str]) -> retrospective_pb2.CreateJobRequest:
        return retrospective_pb2.CreateJobRequest(authority=authority(), watchlists=[self.wanted], uploads=uploads)

    def announcement(self, data: bytes) -> retrospective_pb2.CreateUploadRequest:
        upload = retrospective_pb2.Upload(
            kind=retrospective_pb2.MEDIA_KIND_STILL,
            file_name="still.jpg",
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )
        return retrospective_pb2.CreateUploadRequest(upload=upload)

    def announced(self, data: bytes) -> str:
        stub = self.stub(retrospective_pb2_grpc.RetrospectiveServiceStub, "investigator")
        name: str = stub.CreateUpload(self.announcement(data)).name
        return name

    def upload(self, data: bytes) -> str:
        """Return a complete upload."""
        name = self.announced(data)
        stub = self.stub(retrospective_pb2_grpc.RetrospectiveServiceStub, "investigator")
        stub.WriteUpload(iter([retrospective_pb2.WriteUploadRequest(name=name, data=data)]))
        return name

    def person(self, nominal: str = "", picture: int = 3) -> watchlist_pb2.Subject:
        """Enrol somebody on a draft of their own."""
        return self.desk.enrol(self.desk.draft().name, nominal or f"NOM-{next(self._numbers)}", self.people[picture])

    def hold(self, target: str) -> retention_pb2.PlaceHoldRequest:
        return retention_pb2.PlaceHoldRequest(target=target, reason=REASON, owner="Insp. B", end_time=ahead(days=9))

    def held(self, target: str) -> str:
        stub = self.stub(retention_pb2_grpc.RetentionServiceStub, "protection")
        name: str = stub.PlaceHold(self.hold(target)).name
        return name

    def erasure(self, nominal: str) -> retention_pb2.RequestErasureRequest:
        return retention_pb2.RequestErasureRequest(nominal=nominal, reason=REASON, requested_by="the person")

    @cached_property
    def undecided(self) -> str:
        """An erasure that a hold stands against."""
        nominal = self.person().nominal
        self.held(f"nominals/{nominal}")
        stub = self.stub(retention_pb2_grpc.RetentionServiceStub, "protection")
        asked = stub.RequestErasure(self.erasure(nominal))
        assert asked.state == retention_pb2.ERASURE_STATE_UNDECIDED
        name: str = asked.name
        return name

    def search(self) -> str:
        """Return a search of an officer that found NOM-1."""
        stub = self.stub(operator_pb2_grpc.OperatorServiceStub, "officer")
        answer = stub.Identify(photograph(self.people[1], self.wanted))
        assert answer.outcome_owed
        name: str = answer.search
        return name


Recipe = Callable[[Stage], Call]
RECIPES: dict[str, Recipe] = {}


def recipe(method: str) -> Callable[[Recipe], Recipe]:
    """File a recipe under the method's full name."""

    def file(made: Recipe) -> Recipe:
        RECIPES[method if method.startswith("/") else f"/frs.v1.{method}"] = made
        return made

    return file


def simple(method: str, identity: str, request: Message | Callable[[Stage], Message]) -> None:
    """File a recipe that is one request, or one expression over the stage."""
    recipe(method)(lambda stage: Call(identity, request if isinstance(request, Message) else request(stage)))


# --- watchlists -------------------------------------------------------------------------------------------------------

w = watchlist_pb2


@recipe("WatchlistService/CreateWatchlist")
def _(stage: Stage) -> Call:
    watchlist = w.Watchlist(
        purpose="People wanted on warrant",
        category="wanted",
        legal_basis="Common law policing powers",
        authorising_officer="Supt A. Ray",
        expire_time=ahead(days=1),
        default_grading=common_pb2.GRADING_RED,
        thresholds=[w.Threshold(mode=mode, score=SCORE) for mode in MODES],
    )
    return Call("manager", w.CreateWatchlistRequest(watchlist_id="made-by-recipe", watchlist=watchlist))


@recipe("WatchlistService/UpdateWatchlist")
def _(stage: Stage) -> Call:
    changed = w.Watchlist(name=stage.desk.draft().name, purpose="Another purpose")
    return Call("manager", w.UpdateWatchlistRequest(watchlist=changed, update_mask=FieldMask(paths=["purpose"])))


@recipe("WatchlistService/ApproveWatchlist")
def _(stage: Stage) -> Call:
    draft = stage.person().name.partition("/subjects")[0]
    return Call("superintendent", w.ApproveWatchlistRequest(name=draft))


@recipe("WatchlistService/ActivateWatchlist")
def _(stage: Stage) -> Call:
    draft = stage.person().name.partition("/subjects")[0]
    stub = stage.stub(watchlist_pb2_grpc.WatchlistServiceStub, "superintendent")
    stub.ApproveWatchlist(w.ApproveWatchlistRequest(name=draft))
    return Call("superintendent", w.ActivateWatchlistRequest(name=draft))


@recipe("WatchlistService/EnrolSubject")
def _(stage: Stage) -> Call:
    draft = stage.desk.draft().name
    request = w.EnrolSubjectRequest(
        parent=draft,
        subject=w.Subject(nominal="NOM-90", justification="Warrant 12/26", lawfully_held=True),
        images=[w.ImageDraft(data=stage.people[4], source="custody", taken_on="2026-01-31")],
    )
    return Call("manager", request)


@recipe("WatchlistService/AddSubjectImage")
def _(stage: Stage) -> Call:
    image = w.ImageDraft(data=stage.people[5], source="custody", taken_on="2026-01-31")
    return Call("manager", w.AddSubjectImageRequest(parent=stage.person().name, image=image))


@recipe("WatchlistService/RemoveSubjectImage")
def _(stage: Stage) -> Call:
    person = stage.desk.enrol(stage.desk.draft().name, "NOM-91", stage.people[3], stage.people[4])
    return Call("manager", w.RemoveSubjectImageRequest(name=person.images[0].name, reason=REASON))


simple("WatchlistService/GetWatchlist", "officer", lambda s: w.GetWatchlistRequest(name=s.wanted))
simple("WatchlistService/ListWatchlists", "officer", w.ListWatchlistsRequest())
simple(
    "WatchlistService/ReviewWatchlist",
    "superintendent",
    lambda s: w.ReviewWatchlistRequest(name=s.desk.active_list(s.people[:1]).name),
)
simple(
    "WatchlistService/RetireWatchlist",
    "manager",
    lambda s: w.RetireWatchlistRequest(name=s.desk.draft().name, reason=REASON),
)
simple("WatchlistService/GetSubject", "oversight", lambda s: w.GetSubjectRequest(name=s.person().name))
simple("WatchlistService/ListSubjects", "oversight", lambda s: w.ListSubjectsRequest(parent=s.wanted))
simple(
    "WatchlistService/WithdrawSubject",
    "superintendent",
    lambda s: w.WithdrawSubjectRequest(name=s.person().name, reason=REASON),
)

# --- deployments and live ---------------------------------------------------------------------------------------------

d = deployment_pb2


@recipe("DeploymentService/OpenDeployment")
def _(stage: Stage) -> Call:
    stub = stage.stub(watchlist_pb2_grpc.WatchlistServiceStub, "superintendent")
    stub.ReviewWatchlist(w.ReviewWatchlistRequest(name=stage.wanted))
    wanted = d.Deployment(
        purpose="Find wanted people",
        place="Station Road",
        authorising_officer="Supt A. Ray",
        watchlists=[stage.wanted],
        end_time=ahead(hours=1),
    )
    return Call("superintendent", d.OpenDeploymentRequest(deployment=wanted))


@recipe("LiveService/Stream")
def _(stage: Stage) -> Call:
    drawn = frames(stage.people[5:], 2)
    return Call("camera", [opening(stage.deployment, "cam-1"), *(frame(n, data) for n, data in enumerate(drawn, 1))])


simple("DeploymentService/GetDeployment", "reviewer", lambda s: d.GetDeploymentRequest(name=s.deployment))
simple("DeploymentService/ListDeployments", "reviewer", d.ListDeploymentsRequest())
simple(
    "DeploymentService/EndDeployment",
    "superintendent",
    lambda s: d.EndDeploymentRequest(name=s.desk.deployment(s.wanted).name),
)
simple(
    "DeploymentService/StopDeployment",
    "reviewer",
    lambda s: d.StopDeploymentRequest(name=s.desk.deployment(s.wanted).name, reason=REASON),
)

# --- retrospective ----------------------------------------------------------------------------------------------------

r = retrospective_pb2


@recipe("RetrospectiveService/WriteUpload")
def _(stage: Stage) -> Call:
    data = stage.people[3]
    name, half = stage.announced(data), len(data) // 2
    first = r.WriteUploadRequest(name=name, data=data[:half])
    return Call("investigator", [first, r.WriteUploadRequest(offset=half, data=data[half:])])


@recipe("RetrospectiveService/CancelJob")
def _(stage: Stage) -> Call:
    stub = stage.stub(retrospective_pb2_grpc.RetrospectiveServiceStub, "investigator")
    uploads = [stage.upload(stage.group) for _ in range(9)]
    stub.CreateJob(stage.job_request(uploads[:-1]))  # the one worker is busy
    return Call("investigator", r.CancelJobRequest(name=stub.CreateJob(stage.job_request(uploads[-1:])).name))


simple("RetrospectiveService/SearchStill", "investigator", lambda s: still(s.people[0], s.wanted))
simple("RetrospectiveService/CreateUpload", "investigator", lambda s: s.announcement(b"picture"))
simple(
    "RetrospectiveService/GetUpload",
    "investigator",
    lambda s: r.GetUploadRequest(name=s.announced(b"picture")),
)
simple(
    "RetrospectiveService/DeleteUpload",
    "investigator",
    lambda s: r.DeleteUploadRequest(name=s.announced(b"picture")),
)
simple("RetrospectiveService/CreateJob", "investigator", lambda s: s.job_request([s.upload(s.people[5])]))
simple("RetrospectiveService/GetJob", "investigator", lambda s: r.GetJobRequest(name=s.job))
simple("RetrospectiveService/ListJobs", "investigator", r.ListJobsRequest())
simple("RetrospectiveService/WatchJob", "investigator", lambda s: r.WatchJobRequest(name=s.job))
simple("RetrospectiveService/ListJobResults", "investigator", lambda s: r.ListJobResultsRequest(parent=s.job))
simple("RetrospectiveService/ListJobSubjects", "investigator", lambda s: r.ListJobSubjectsRequest(parent=s.job))

# --- operator-initiated -----------------------------------------------------------------------------------------------

o = operator_pb2

simple("OperatorService/Identify", "officer", lambda s: photograph(s.people[1], s.wanted))
simple(
    "OperatorService/RecordOutcome",
    "officer",
    lambda s: o.RecordOutcomeRequest(name=s.search(), outcome=o.OUTCOME_SAME_PERSON, reason=REASON),
)
simple("OperatorService/ListSearches", "officer", o.ListSearchesRequest())

# --- review -----------------------------------------------------------------------------------------------------------

v = review_pb2


@recipe("ReviewService/WatchAlerts")
def _(stage: Stage) -> Call:
    assert stage.alerts
    return Call("superintendent", v.WatchAlertsRequest())


@recipe("ReviewService/DecideCase")
def _(stage: Stage) -> Call:
    name = stage.listed_case("NOM-1")
    stage.review.ClaimCase(v.ClaimCaseRequest(name=name))
    stage.review.RecordObservation(v.RecordObservationRequest(name=name, observation=SEEN))
    return Call("reviewer", v.DecideCaseRequest(name=name, decision=v.DECISION_FALSE, reason=REASON))


@recipe("ReviewService/RecordObservation")
def _(stage: Stage) -> Call:
    name = stage.listed_case("NOM-0")
    stage.review.ClaimCase(v.ClaimCaseRequest(name=name))
    return Call("reviewer", v.RecordObservationRequest(name=name, observation=SEEN))


@recipe("ReviewService/Work")
def _(stage: Stage) -> Call:
    assert stage.held_case()  # sent again before any other, so that none is taken from the other recipes
    return Call("reviewer", [v.WorkRequest(credit=1)])


simple("ReviewService/ListAlerts", "superintendent", v.ListAlertsRequest())
simple("ReviewService/GetAlert", "superintendent", lambda s: v.GetAlertRequest(name=s.alerts[0]))
simple("ReviewService/ListCases", "reviewer", v.ListCasesRequest())
simple("ReviewService/GetCase", "reviewer", lambda s: v.GetCaseRequest(name=s.held_case()))
simple("ReviewService/ClaimCase", "reviewer", lambda s: v.ClaimCaseRequest(name=s.held_case()))
simple("ReviewService/ReleaseCase", "reviewer", lambda s: v.ReleaseCaseRequest(name=s.held_case()))
simple("ReviewService/ExplainCase", "reviewer", lambda s: v.ExplainCaseRequest(name=s.held_case()))
simple(
    "ReviewService/UnblurFrame",
    "superintendent",
    lambda s: v.UnblurFrameRequest(name=s.held_case(), reason=REASON),
)

# --- officers ---------------------------------------------------------------------------------------------------------

f = officer_pb2


@recipe("OfficerService/WatchAssignments")
def _(stage: Stage) -> Call:
    assert stage.assignments
    return Call("officer", f.WatchAssignmentsRequest())


@recipe("OfficerService/RecordEngagement")
def _(stage: Stage) -> Call:
    name = stage.assignments[1]
    stage.stub(officer_pb2_grpc.OfficerServiceStub, "officer").Acknowledge(f.AcknowledgeRequest(name=name))
    return Call("officer", f.RecordEngagementRequest(name=name, engagement=f.ENGAGEMENT_CONFIRMED_FALSE))


simple("OfficerService/ListAssignments", "officer", f.ListAssignmentsRequest())
simple("OfficerService/Acknowledge", "officer", lambda s: f.AcknowledgeRequest(name=s.assignments[0]))

# --- identities -------------------------------------------------------------------------------------------------------

n = identity_pb2
SOMEBODY = "identities/somebody"

simple("IdentityService/WhoAmI", "camera", n.WhoAmIRequest())
simple("IdentityService/ListIdentities", "technician", n.ListIdentitiesRequest())
simple(
    "IdentityService/LimitIdentity",
    "technician",
    n.LimitIdentityRequest(name=SOMEBODY, roles=["feed"], scope=n.Scope(sites=["north"]), reason=REASON),
)
simple("IdentityService/RevokeIdentity", "technician", n.RevokeIdentityRequest(name=SOMEBODY, reason=REASON))


@recipe("IdentityService/RestoreIdentity")
def _(stage: Stage) -> Call:
    stub = stage.stub(identity_pb2_grpc.IdentityServiceStub, "technician")
    stub.RevokeIdentity(n.RevokeIdentityRequest(name=SOMEBODY, reason=REASON))
    return Call("technician", n.RestoreIdentityRequest(name=SOMEBODY, reason=REASON))


# --- vigilance --------------------------------------------------------------------------------------------------------

g = vigilance_pb2


def known_pair(stage: Stage, reference: int) -> g.AddPairRequest:
    pair = g.VigilancePair(nominal="T-1", source="volunteers of the training school")
    return g.AddPairRequest(pair=pair, probe=stage.people[4], reference=stage.people[reference])


@recipe("VigilanceService/RemovePair")
def _(stage: Stage) -> Call:
    stub = stage.stub(vigilance_pb2_grpc.VigilanceServiceStub, "superintendent")
    return Call("protection", g.RemovePairRequest(name=stub.AddPair(known_pair(stage, 3)).name, reason=REASON))


simple("VigilanceService/AddPair", "superintendent", lambda s: known_pair(s, 5))
simple("VigilanceService/ListPairs", "oversight", g.ListPairsRequest())

# --- oversight --------------------------------------------------------------------------------------------------------

e = oversight_pb2

simple("OversightService/ListEvents", "oversight", e.ListEventsRequest(action="nothing"))
simple("OversightService/GetEvent", "oversight", e.GetEventRequest(name="events/0"))
simple("OversightService/GetCheckpoint", "oversight", e.GetCheckpointRequest())
simple(
    "OversightService/GetConsistencyProof",
    "oversight",
    e.GetConsistencyProofRequest(old_size=1, new_size=2),
)
simple("OversightService/StreamLeaves", "oversight", e.StreamLeavesRequest(end_index=2))
simple("OversightService/WatchEvents", "oversight", e.WatchEventsRequest(from_index=0))
simple(
    "OversightService/ExportEvents",
    "oversight",
    e.ExportEventsRequest(recipient="the commissioner", reason=REASON, with_payloads=True),
)
simple(
    "OversightService/Statistics",
    "superintendent",
    e.StatisticsRequest(since=ahead(hours=-1), until=ahead(hours=1)),
)

# --- retention --------------------------------------------------------------------------------------------------------

t = retention_pb2


@recipe("RetentionService/RunRetention")
def _(stage: Stage) -> Call:
    stage.announced(b"never used")  # due at once: see the service's settings
    return Call("protection", t.RunRetentionRequest())


@recipe("RetentionService/ReleaseHold")
def _(stage: Stage) -> Call:
    name = stage.held(stage.wanted)
    return Call("protection", t.ReleaseHoldRequest(name=name, reason=REASON))


@recipe("RetentionService/DecideErasure")
def _(stage: Stage) -> Call:
    decision = t.ERASURE_DECISION_ERASE
    return Call("protection", t.DecideErasureRequest(name=stage.undecided, decision=decision, reason=REASON))


simple("RetentionService/GetRetentionPolicy", "superintendent", t.GetRetentionPolicyRequest())
simple("RetentionService/PlanRetention", "oversight", t.PlanRetentionRequest())
simple("RetentionService/PlaceHold", "superintendent", lambda s: s.hold(s.wanted))
simple("RetentionService/ListHolds", "oversight", t.ListHoldsRequest(all=True))
simple("RetentionService/RequestErasure", "protection", lambda s: s.erasure(s.person().nominal))
simple("RetentionService/GetErasure", "oversight", lambda s: t.GetErasureRequest(name=s.undecided))
simple("RetentionService/ListErasures", "oversight", t.ListErasuresRequest())
simple(
    "RetentionService/SubjectAccess",
    "protection",
    lambda s: t.SubjectAccessRequest(nominal=s.person().nominal, reason=REASON, recipient="the person"),
)

# --- administration and the standard services -------------------------------------------------------------------------

a = administration_pb2

simple("AdministrationService/CreateBackup", "technician", a.CreateBackupRequest(kept_at="vault 1"))
simple("AdministrationService/BackupKeyring", "technician", a.BackupKeyringRequest(kept_at="vault 2"))
simple("AdministrationService/RotateKey", "technician", a.RotateKeyRequest(reason=REASON))
simple("/grpc.health.v1.Health/Check", "camera", health_pb2.HealthCheckRequest())
simple("/grpc.health.v1.Health/List", "camera", health_pb2.HealthListRequest())
simple("/grpc.health.v1.Health/Watch", "camera", health_pb2.HealthCheckRequest())
recipe("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")(
    lambda _: Call("camera", [reflection_pb2.ServerReflectionRequest(list_services="")])
)

WITHOUT_END = {
    "/frs.v1.OfficerService/WatchAssignments",
    "/frs.v1.ReviewService/WatchAlerts",
    "/frs.v1.OversightService/WatchEvents",
    "/grpc.health.v1.Health/Watch",
}
"""Streams that go on until the caller leaves: after the first message."""
