"""What commands print: JSON that machines read, tables that people and grep read."""

from __future__ import annotations

import json

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from frs.cli.output import as_json, progress, short, show_fields, show_messages, show_table, when
from frs.v1 import common_pb2, deployment_pb2, oversight_pb2, review_pb2

IDENTIFIER = "0123456789abcdef0123456789abcdef"


def test_messages_have_the_contracts_names_and_numbers() -> None:
    """Field names as in the protos, enum values by name, 64-bit integers as numbers at every depth."""
    deployment = deployment_pb2.Deployment(
        name="deployments/1",
        state=deployment_pb2.DEPLOYMENT_STATE_RUNNING,
        cameras=[deployment_pb2.CameraCount(camera_id="c", faces_seen=2**40)],
    )
    value = as_json(deployment)
    assert value["state"] == "DEPLOYMENT_STATE_RUNNING"
    assert value["cameras"][0]["faces_seen"] == 2**40
    assert value["authorising_officer"] == ""
    event = oversight_pb2.Event(index=7, checkpoint=oversight_pb2.Checkpoint(tree_size=9))
    assert (as_json(event)["index"], as_json(event)["checkpoint"]["tree_size"]) == (7, 9)


def test_pictures_are_left_out_at_every_depth() -> None:
    """Biometrics do not end up in a terminal's history."""
    alert = review_pb2.Alert(
        probe_image_jpeg=b"probe", candidate=common_pb2.Candidate(reference_image_jpeg=b"reference", nominal="N/1")
    )
    value = as_json(alert, "probe_image_jpeg", "reference_image_jpeg")
    assert "probe_image_jpeg" not in value
    assert "reference_image_jpeg" not in value["candidate"]
    assert value["candidate"]["nominal"] == "N/1"


def test_a_list_is_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing found is an empty list, not nothing."""
    show_messages([])
    assert json.loads(capsys.readouterr().out) == []


def test_piped_tables_have_one_line_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    """Identifiers are whole, however many columns stand beside them."""
    row = [IDENTIFIER, *(f"a column of some length {n}" for n in range(8))]
    show_table([f"c{n}" for n in range(9)], [row])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1].split()[0] == IDENTIFIER


def test_brackets_in_what_people_wrote_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """A place named ``[bold]`` is no markup, and an unclosed bracket is no failure."""
    show_table(("place",), [("[bold]Station[/] road [/oops]",)])
    show_fields([("reason", "[red]x[/nothing]")])
    printed = capsys.readouterr().out
    assert "[bold]Station[/] road [/oops]" in printed
    assert "[red]x[/nothing]" in printed


def test_an_empty_table_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """A person is not left with a blank screen."""
    show_table(("a",), [])
    show_table(("a",), [], "Cameras")
    assert capsys.readouterr().out.splitlines() == ["nothing to show", "Cameras: none"]


def test_progress_is_silent_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither stream carries a bar into a file."""
    with progress() as bar:
        bar.update(bar.add_task("upload", total=2), completed=1)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ALERT_STATE_CONFIRMED_TRUE", "confirmed true"),
        ("GRADING_RED", "red"),
        ("OUTCOME_STATE_OWED", "owed"),
        ("OUTCOME_COULD_NOT_TELL", "could not tell"),
        ("SOMETHING_NEWER", "SOMETHING_NEWER"),
    ],
)
def test_states_are_words_for_people(name: str, shown: str) -> None:
    """A value of a newer server is shown as it came."""
    assert short(name) == shown


def test_an_unset_instant_is_empty() -> None:
    """Not the first of January 1970."""
    assert when(Timestamp()) == ""
    assert when(Timestamp(seconds=1_800_000_000)) == "2027-01-15 08:00:00Z"
