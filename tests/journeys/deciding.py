"""What people decide about an alert, by calls: reviewers its case, an officer what came of it."""

from __future__ import annotations

from frs.v1 import officer_pb2, officer_pb2_grpc, review_pb2, review_pb2_grpc
from tests.journeys.service import Service

SEEN = review_pb2.Observation(
    features=[
        review_pb2.FeatureFinding(feature=each, finding=review_pb2.FINDING_AGREES)
        for each in (review_pb2.FEATURE_NOSE, review_pb2.FEATURE_EARS, review_pb2.FEATURE_MOUTH)
    ],
    probe_quality=review_pb2.SEEN_QUALITY_USABLE,
    reference_quality=review_pb2.SEEN_QUALITY_GOOD,
    occlusions=[review_pb2.OCCLUSION_NONE],
)
"""An observation that the policy accepts."""


def case_of(service: Service, alert: str) -> str:
    """Return the open case of an alert; a case does not name its alert, so it is found by what both show."""
    found = service.stub(review_pb2_grpc.ReviewServiceStub, "superintendent").GetAlert(
        review_pb2.GetAlertRequest(name=alert)
    )
    stub = service.stub(review_pb2_grpc.ReviewServiceStub, "reviewer")
    listed = stub.ListCases(review_pb2.ListCasesRequest(deployment=found.deployment, page_size=1000)).cases
    (name,) = [
        case.name
        for case in listed
        if (case.capture_time, case.camera_id) == (found.capture_time, found.camera_id)
        and [each.nominal for each in case.candidates] == [found.candidate.nominal]
    ]
    return name


def adjudicate(
    service: Service, alert: str, decision: review_pb2.Decision.ValueType, reason: str = "looked twice"
) -> review_pb2.Case:
    """Have the reviewer claim an alert's case, say what they see and decide it."""
    stub = service.stub(review_pb2_grpc.ReviewServiceStub, "reviewer")
    name = case_of(service, alert)
    stub.ClaimCase(review_pb2.ClaimCaseRequest(name=name))
    stub.RecordObservation(review_pb2.RecordObservationRequest(name=name, observation=SEEN))
    return stub.DecideCase(review_pb2.DecideCaseRequest(name=name, decision=decision, reason=reason))


def assignment_of(service: Service, alert: str) -> str:
    """Return the assignment of an alert that reviewers decided true."""
    stub = service.stub(officer_pb2_grpc.OfficerServiceStub, "officer")
    listed = stub.ListAssignments(officer_pb2.ListAssignmentsRequest(page_size=1000)).assignments
    (name,) = [each.name for each in listed if each.alert == alert]
    return name


def acknowledged(service: Service, alert: str) -> str:
    """Have the officer take an alert's assignment; returns its name."""
    name = assignment_of(service, alert)
    stub = service.stub(officer_pb2_grpc.OfficerServiceStub, "officer")
    stub.Acknowledge(officer_pb2.AcknowledgeRequest(name=name))
    return name
