"""The versions of the policy: which settings are in it, when a new one begins, and what the log says of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from frs.audit.log import EventFilter
from frs.retention.policy import MACHINERY, digest_of, policy_of
from frs.retention.policy_book import PolicyBook
from frs.settings import Settings
from frs.types import Actor, ModelInfo
from tests.audit_house import AuditHouse, alert_event
from tests.installation import lay_out
from tests.manual_clock import ManualClock

MODEL = ModelInfo("starter", "abcdef012345", 128, "mirror", "CPUExecutionProvider")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def house(tmp_path: Path, clock: ManualClock) -> Iterator[AuditHouse]:
    settings = Settings(data_dir=tmp_path / "data")
    lay_out(settings)
    house = AuditHouse(settings, clock)
    yield house
    house.close()


def begin(house: AuditHouse, model: ModelInfo = MODEL, **changes: object) -> PolicyBook:
    """Start as the service does, with some settings changed."""
    settings = Settings.model_validate({"data_dir": house.settings.data_dir, **changes})
    book = PolicyBook(house.store.database, house.log, settings, house.clock)
    book.record(Actor.system(), model)
    return book


def logged(house: AuditHouse) -> list[tuple[str, dict[str, Any], int]]:
    """Return action, details and policy version of every event."""
    found = []
    for event in house.log.list(EventFilter(), 100, "").items:
        payload: Any = house.log.get(event.seq, open_payload=True).payload
        found.append((event.action, payload["details"], payload["policy"]))
    return found


def test_the_first_start_records_the_whole_policy_and_the_model(house: AuditHouse, clock: ManualClock) -> None:
    """Version 1 says what every deciding setting is; both events are done under it already."""
    book = begin(house)
    assert (book.version, book.since) == (1, clock.now())
    (policy, said, under), (model, told, under_too) = logged(house)

    assert (policy, model, under, under_too) == ("policy.changed", "model.changed", 1, 1)
    expected = policy_of(Settings(data_dir=house.settings.data_dir))
    assert said["changed"] == {name: {"before": None, "after": value} for name, value in expected.items()}
    assert said["sha256"] == digest_of(expected)
    assert told == {"version": 1, "before": None, "after": {"model": MODEL.id, "profile": "mirror"}}
    assert book.at(1) == expected
    assert book.at(2) is None


def test_a_start_with_the_same_policy_records_nothing(house: AuditHouse, clock: ManualClock) -> None:
    """The version stays, and since when it holds; events go on under it."""
    first = begin(house)
    size = house.log.size()
    house.restart()
    clock.advance(days=3)
    again = begin(house)

    assert (again.version, again.since, house.log.size()) == (1, first.since, size)
    house.append(alert_event(1))
    assert logged(house)[-1][2] == 1


def test_a_changed_setting_begins_the_next_version(house: AuditHouse, clock: ManualClock) -> None:
    """The event names each changed setting with what it was and is, and nothing else; the model's is not repeated."""
    begin(house)
    house.append(alert_event(1))
    house.restart()
    clock.advance(hours=1)
    book = begin(house, retention={"alert_hours": 12.0}, statistics={"groups": ["one", "two"]})

    action, said, under = logged(house)[-1]
    assert (action, under, book.version, book.since) == ("policy.changed", 2, 2, clock.now())
    assert said["version"] == 2
    assert said["changed"] == {
        "retention.alert_hours": {"before": 24, "after": 12},
        "statistics.groups": {
            "before": ["asian", "black", "mixed", "white", "other", "not-stated"],
            "after": ["one", "two"],
        },
    }
    assert [entry[2] for entry in logged(house)] == [1, 1, 1, 2]


@pytest.mark.parametrize(
    "model",
    [
        ModelInfo("starter", "999999999999", 128, "mirror", "CPUExecutionProvider"),
        ModelInfo("starter", "abcdef012345", 128, "plain", "CPUExecutionProvider"),
    ],
    ids=["version", "profile"],
)
def test_another_model_or_profile_begins_the_next_version(house: AuditHouse, model: ModelInfo) -> None:
    """Scores of two do not compare, so the change is an event of its own; no setting has changed."""
    begin(house)
    house.restart()
    assert begin(house, model).version == 2
    (policy, said, _), (action, told, under) = logged(house)[-2:]

    assert (policy, said["changed"], action, under) == ("policy.changed", {}, "model.changed", 2)
    assert told["before"] == {"model": MODEL.id, "profile": "mirror"}
    assert told["after"] == {"model": model.id, "profile": model.profile}


def test_another_provider_is_the_same_model(house: AuditHouse) -> None:
    """What runs the model is no policy."""
    begin(house)
    on_a_gpu = ModelInfo("starter", "abcdef012345", 128, "mirror", "CUDAExecutionProvider")
    assert begin(house, on_a_gpu).version == 1


def test_machinery_is_no_policy(house: AuditHouse) -> None:
    """Addresses, folders and threads change without a new version."""
    begin(house)
    machine: dict[str, Any] = {
        "server": {"address": "127.0.0.1:9", "request_workers": 3},
        "embed": {"threads": 2, "pack": "/elsewhere"},
        "audit": {"witness_url": "http://127.0.0.1:1"},
        "store": {"keyring_dir": "/keys"},
    }
    assert begin(house, **machine).version == 1


def names(group: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the dotted name of every setting."""
    for name, field in group.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from names(kind, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_every_setting_decides_or_is_named_as_machinery() -> None:
    """The policy and the machinery are all the settings there are, and share none."""
    every = set(names(Settings))
    assert set(policy_of(Settings())) == every - MACHINERY
    assert every >= MACHINERY


def test_what_the_policy_must_hold_is_in_it() -> None:
    """Periods, thresholds of quality, evidence, categories, groups and the witness's duty are policy."""
    policy = policy_of(Settings())
    assert {
        "retention.alert_hours",
        "quality.min_face",
        "embed.detector_score",
        "embed.profile",
        "live.min_frames",
        "watchlist.categories",
        "operator.keep_matched_probe",
        "retrospective.max_candidates",
        "statistics.groups",
        "audit.witness_policy",
        "store.keyring_backup_days",
    } <= set(policy)


def test_an_older_version_is_kept_as_it_was(house: AuditHouse) -> None:
    """Each row says what was in force, so that a decision of long ago can be shown with its policy."""
    book = begin(house)
    begin(house, quality={"min_face": 40.0})
    assert json.dumps(book.at(1), sort_keys=True) != json.dumps(book.at(2), sort_keys=True)
    assert (book.at(1) or {})["quality.min_face"] == 32.0
