"""Subject access: the person gets all that is theirs, nobody else's, and that it was given is on record first."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from frs.audit.texts import texts_of
from frs.errors import FrsError, Reason
from frs.oversight.access_events import WITHHELD, own_part
from frs.oversight.access_photograph import PhotographSearch
from frs.oversight.access_report import report_html
from frs.oversight.subject_access import SubjectAccess
from frs.store.schema import outside_copy, subject
from tests.installation import Installation
from tests.match import clips
from tests.match.search_desk import found_in
from tests.retention.person_house import NOMINAL, OTHER, PROTECTION, PersonHouse

ASKED = ("request 12/26", "the person <b>herself</b>")


@pytest.fixture
def house(installation: Installation, sample_people: tuple[bytes, ...]) -> Iterator[PersonHouse]:
    for house in PersonHouse.over(installation):
        house.fill(sample_people)
        yield house


@pytest.fixture
def access(house: PersonHouse) -> SubjectAccess:
    made = house.installation
    photographs = PhotographSearch(made.store.database, made.galleries, made.watchlists, made.engine, made.settings)
    return SubjectAccess(made.store.database, made.store.vault, made.audit, photographs, made.clock)


def given_to(access: SubjectAccess, nominal: str = NOMINAL) -> tuple[dict[str, Any], dict[str, bytes]]:
    files = dict(access.of_nominal(PROTECTION, nominal, *ASKED).files)
    return json.loads(files["data.json"]), files


def test_everything_that_is_theirs_is_in_the_package(house: PersonHouse, access: SubjectAccess) -> None:
    """Entries with images, alerts with both pictures, searches, job candidates and every event with its payload."""
    data, files = given_to(access)
    assert {entry["watchlist"]: entry["state"] for entry in data["entries"]} == {
        "wanted": "enrolled",
        "missing": "enrolled",
    }
    assert all(files[image["picture"]][:2] == b"\xff\xd8" for entry in data["entries"] for image in entry["images"])
    (alert,) = data["alerts"]
    assert (alert["state"], alert["adjudicated_by"]) == ("true", "olga")
    assert files[alert["picture"]] == b"planted probe of " + NOMINAL.encode()
    assert files[alert["reference_picture"]] == b"planted reference of " + NOMINAL.encode()
    (search,) = data["searches"]
    assert search["reason"] == f"planted reason for a search of {NOMINAL}"
    (candidate,) = data["job_candidates"]
    assert (candidate["watchlist"], candidate["rank"]) == ("wanted", 1)
    actions = [event["action"] for event in data["events"]]
    assert {"subject.enrolled", "alert.raised", "alert.adjudicated", "operator.search"} <= set(actions)
    raised = next(event for event in data["events"] if event["action"] == "alert.raised")
    assert raised["payload"]["details"]["score"] == 0.97


def test_nobody_else_is_in_it(house: PersonHouse, access: SubjectAccess) -> None:
    """No file of the package names the other person, whom the same lists, jobs and deployment concern."""
    _, files = given_to(access)
    assert not any(OTHER.encode() in data for data in files.values())
    assert not any(b"probe of " + OTHER.encode() in data for data in files.values())


def test_the_face_of_somebody_else_is_withheld(house: PersonHouse, access: SubjectAccess) -> None:
    """While nobody decided, and when it was decided that the camera saw somebody else, its picture is not given."""
    data, _ = given_to(access, OTHER)
    assert data["alerts"][0]["picture"] == "withheld: nobody has decided whom it shows"
    house.adjudicate(OTHER, False, "another nose")
    data, files = given_to(access, OTHER)
    assert data["alerts"][0]["picture"] == "withheld: it shows somebody else"
    assert data["alerts"][0]["reference_picture"] in files
    assert data["searches"][0]["probe"] == "withheld: nobody has decided whom it shows"


def test_it_is_on_record_before_it_is_given(house: PersonHouse, access: SubjectAccess) -> None:
    """The event names recipient and counts, the copy is known to certificates, and without the log nothing is given."""
    data, files = given_to(access)
    event = house.desk.last_event("subject.access-given")
    assert (event["recipient"], event["reason"]) == (ASKED[1], ASKED[0])
    assert event["given"]["alerts"] == 1
    assert event["given"]["pictures"] == len(files) - 2
    with house.desk.database.read() as connection:
        (copy,) = connection.execute(sa.select(outside_copy)).all()
    assert (copy.id, copy.kind, copy.place, copy.made_by) == (data["access"], "subject-access", ASKED[1], "dora")
    assert copy.subject == data["pseudonym"]
    done = house.erasures.request(PROTECTION, NOMINAL, "asked", "the person").done
    assert done is not None
    assert [each["place"] for each in done["outside"]["copies"]] == [ASKED[1]]  # type: ignore[index,call-overload,union-attr]
    with house.desk.log_broken(), pytest.raises(FrsError) as refused:
        given_to(access, OTHER)
    assert refused.value.reason is Reason.LOG_UNAVAILABLE


def test_an_erased_person_still_gets_the_events(house: PersonHouse, access: SubjectAccess) -> None:
    """What is left is that they were listed, alerted for and erased; everything else says erased."""
    house.erasures.request(PROTECTION, NOMINAL, "asked", "the person")
    data, files = given_to(access)
    assert {entry["state"] for entry in data["entries"]} == {"erased"}
    assert {entry["justification"] for entry in data["entries"]} == {""}
    assert data["alerts"][0]["picture"] == data["alerts"][0]["reference_picture"] == "erased"
    assert set(files) == {"data.json", "report.html"}
    assert data["erasures"][0]["certificate"]["destroyed"]["subjects"] == 2
    said = {event["action"]: event["payload"] for event in data["events"]}
    assert said["subject.enrolled"] == "erased"
    assert said["erasure.done"]["details"]["destroyed"]["alerts"] == 1


def test_an_erasure_meanwhile_is_heeded(
    house: PersonHouse, access: SubjectAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is erased between reading and giving out: nothing of what was read leaves, for no certificate names it."""
    times = 0

    def erasing(data: Any, pictures: Any) -> str:
        nonlocal times
        times += 1
        if times == 1:
            house.erasures.request(PROTECTION, NOMINAL, "the person asked", "the person")
        return report_html(data, pictures)

    monkeypatch.setattr("frs.oversight.subject_access.report_html", erasing)
    data, files = given_to(access)
    assert times == 2
    assert {entry["state"] for entry in data["entries"]} == {"erased"}
    assert not any(b"planted" in content for content in files.values())
    with house.installation.store.database.read() as connection:
        assert len(connection.execute(sa.select(outside_copy)).all()) == 1


def test_nothing_held_is_no_package(house: PersonHouse, access: SubjectAccess) -> None:
    """A nominal on which nothing is held or logged is refused, and nothing is logged as given."""
    with pytest.raises(FrsError) as refused:
        access.of_nominal(PROTECTION, "NOBODY-1", *ASKED)
    assert refused.value.reason is Reason.PERSON_NOT_FOUND
    assert house.desk.actions("subject.access-given") == []


def test_a_photograph_finds_the_person_and_is_not_kept(
    house: PersonHouse, access: SubjectAccess, sample_people: tuple[bytes, ...]
) -> None:
    """One nominal is answered with its package; pixels are overwritten, no byte of the photograph is on the disk."""
    photograph = clips.retaken(sample_people[0])
    with house.desk.watching_analyses() as analyses:
        package = access.of_photograph(PROTECTION, photograph, *ASKED)
    assert json.loads(package.files["data.json"])["nominal"] == NOMINAL
    assert all(not analysis.picture.any() for analysis in analyses)
    assert found_in(house.data_dir, {"photograph": photograph}) == set()
    search = house.desk.last_event("subject.read")
    assert {each["nominal"] for each in search["candidates"]} == {NOMINAL}
    assert {each["watchlist"] for each in search["searched"]} == {"missing", "wanted"}
    assert search["probe"].startswith("p:")


def test_several_people_are_a_question(
    house: PersonHouse, access: SubjectAccess, sample_people: tuple[bytes, ...]
) -> None:
    """Where several nominals reach a threshold none of their packages is given, and who they are is answered."""
    house.desk.listed("lenient", {"N-1": sample_people[0], "N-2": sample_people[3]}, score=0.5)
    package = access.of_photograph(PROTECTION, clips.retaken(sample_people[0]), *ASKED)
    assert set(package.files) == {"candidates.json"}
    answer = json.loads(package.files["candidates.json"])
    assert {each["nominal"] for each in answer["candidates"]} >= {NOMINAL, "N-2"}
    assert all(each["score"] >= each["threshold"] for each in answer["candidates"])
    assert house.desk.actions("subject.access-given") == []
    assert house.desk.actions("subject.read") == ["subject.read"]


def test_a_stranger_is_told_that_nobody_looks_like_them(
    house: PersonHouse, access: SubjectAccess, sample_people: tuple[bytes, ...], group_picture: bytes
) -> None:
    """Below every threshold there is no person; a photograph of several people is no photograph of one."""
    with pytest.raises(FrsError) as nobody:
        access.of_photograph(PROTECTION, clips.retaken(sample_people[5]), *ASKED)
    assert nobody.value.reason is Reason.PERSON_NOT_FOUND
    assert "probe" not in house.desk.last_event("subject.read")
    with pytest.raises(FrsError) as several:
        access.of_photograph(PROTECTION, group_picture, *ASKED)
    assert several.value.reason is Reason.SEVERAL_FACES


class _Reader(HTMLParser):
    """Collects the tags and addresses of a page, and checks that what is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "action", "srcset"}]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_report_stands_alone_and_escapes(house: PersonHouse, access: SubjectAccess) -> None:
    """No script, no address of another place, the recipient's markup is text, and every section is there."""
    update = subject.update().where(subject.c.nominal == NOMINAL).values(justification="<script>alert(1)</script>&\"'")
    house.desk.database.write(lambda tx: tx.connection.execute(update))
    _, files = given_to(access)
    page = files["report.html"].decode()
    reader = _Reader()
    reader.feed(page)
    assert {"script", "link", "iframe", "b"} & set(reader.tags) == set()
    assert reader.addresses
    assert all(address.startswith("data:image/jpeg;base64,") for address in reader.addresses)
    assert not re.search(r"url\(|@import|https?://", page)
    text = "".join(reader.text)
    assert "<script>alert(1)</script>&\"'" in text
    assert ASKED[1] in text
    assert "The log: every act on your data" in text


def test_an_empty_record_still_makes_a_report() -> None:
    """Each section says that there is nothing."""
    kinds = ("entries", "alerts", "searches", "job_candidates", "holds", "erasures", "copies", "events")
    head = ("nominal", "made", "made_by", "recipient", "reason", "installation", "access", "pseudonym")
    page = report_html({**dict.fromkeys(head, ""), **{kind: [] for kind in kinds}}, {})
    assert page.count('class="none"') == 7


ONE, TWO = 'N-"ONE"', "N-TWO\\2"
NAMES = st.sampled_from(["N-ME", ONE, TWO])
LEAF = st.one_of(st.none(), st.integers(), st.text(max_size=8), NAMES, NAMES.map(lambda name: f"looks like {name}"))
DETAILS = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["nominal", "reason", "candidates", "score"]), inner, max_size=3),
    ),
    max_leaves=12,
)


@given(details=st.dictionaries(st.sampled_from(["nominal", "candidates", "subjects", "reason"]), DETAILS, max_size=4))
def test_a_payload_never_tells_of_others(details: dict[str, Any]) -> None:
    """Whatever a payload holds, no other person's nominal is left of it, or all of it is withheld."""
    payload = {"actor": {"name": "olga"}, "subjects": ["N-ME", ONE, TWO], "details": details, "policy": 1}
    kept = own_part(payload, ("N-ME", "s:00"))
    assert not _names(kept)
    if not _names(details):
        assert kept != WITHHELD
        assert isinstance(kept, dict)


def _names(value: Any) -> bool:
    return any(name in text for text in texts_of(value) for name in (ONE, TWO))
