"""Cases between the contract and the room: every value has its word, and a form that contradicts itself is refused."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frs.errors import FrsError, Reason
from frs.review.case import CaseKind, CaseState, Decision, Feature, Finding, Observation, Occlusion, SeenQuality
from frs.server.conversions import cases as conversions
from frs.server.conversions.cases import observation, observation_message
from frs.v1 import review_pb2 as pb

NOTHING = frozenset({Occlusion.NONE})
HIDDEN = st.frozensets(st.sampled_from([each for each in Occlusion if each is not Occlusion.NONE]), min_size=1)
OBSERVATIONS = st.builds(
    Observation,
    st.dictionaries(st.sampled_from(Feature), st.sampled_from(Finding), min_size=1),
    st.sampled_from(SeenQuality),
    st.sampled_from(SeenQuality),
    st.one_of(st.just(NOTHING), HIDDEN),
    st.text("abc ", max_size=5).map(str.strip),
)


@pytest.mark.parametrize(
    ("table", "values", "numbers", "unsaid"),
    [
        (conversions.KINDS, CaseKind, pb.CaseKind, {CaseKind.VIGILANCE}),
        (conversions.STATES, CaseState, pb.CaseState, set()),
        (conversions.DECISIONS, Decision, pb.Decision, set()),
        (conversions.FEATURES, Feature, pb.Feature, set()),
        (conversions.FINDINGS, Finding, pb.Finding, set()),
        (conversions.OCCLUSIONS, Occlusion, pb.Occlusion, set()),
        (conversions.SEEN_QUALITIES, SeenQuality, pb.SeenQuality, set()),
    ],
)
def test_every_value_has_one_number(
    table: Mapping[Any, int], values: type[Enum], numbers: Any, unsaid: set[Any]
) -> None:
    """Of the contract's, each used once; that a case is a vigilance check is told to nobody."""
    assert set(table) == set(values) - unsaid
    assert sorted(table.values()) == sorted(set(numbers.values()) - {0})


@settings(max_examples=25, deadline=None)
@given(OBSERVATIONS)
def test_an_observation_comes_back_as_it_was_given(seen: Observation) -> None:
    """Over the wire and back."""
    message = observation_message(seen)
    assert message is not None
    assert observation(pb.Observation.FromString(message.SerializeToString())) == seen


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"features": [(1, 1), (1, 2)]}, "observation.features"),
        ({"occlusions": [pb.OCCLUSION_NONE, pb.OCCLUSION_HAIR]}, "observation.occlusions"),
    ],
)
def test_a_form_that_contradicts_itself_is_refused(changes: dict[str, Any], field: str) -> None:
    """One feature that agrees and differs; nothing that hides the face, beside hair."""
    given_values = {"features": [(1, 1), (2, 2)], "occlusions": [pb.OCCLUSION_NONE], **changes}
    message = pb.Observation(
        features=[pb.FeatureFinding(feature=what, finding=how) for what, how in given_values["features"]],
        probe_quality=pb.SEEN_QUALITY_GOOD,
        reference_quality=pb.SEEN_QUALITY_GOOD,
        occlusions=given_values["occlusions"],
    )
    with pytest.raises(FrsError) as refused:
        observation(message)
    assert (refused.value.reason, refused.value.metadata["field"]) == (Reason.INVALID_FIELD, field)
