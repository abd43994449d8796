"""The pinned requirements: hashes everywhere, no index lines, one ONNX Runtime for each machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = ("bootstrap", "cpu", "gpu", "dev", "vulnerabilities")


def pinned(name: str) -> dict[str, str]:
    """Return package -> version of a compiled file."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", text, flags=re.MULTILINE))


@pytest.mark.parametrize("name", FILES)
def test_every_requirement_is_pinned_with_hashes(name: str) -> None:
    """Each package is followed by at least one SHA-256, and nothing is named without a version."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    starts = [line for line in text.splitlines() if re.match(r"^[A-Za-z0-9]", line)]
    assert starts
    for line in starts:
        assert re.match(r"^[A-Za-z0-9_.-]+==\S+ (; .+ )?\\$", line), line
    assert text.count("--hash=sha256:") >= len(starts)


@pytest.mark.parametrize("name", FILES)
def test_no_requirements_file_names_an_index_or_a_host(name: str) -> None:
    """The files install from whichever registry the machine is set up with."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    assert "index-url" not in text
    assert "find-links" not in text
    assert "://" not in text


def test_each_machine_gets_one_onnx_runtime() -> None:
    """The GPU file carries onnxruntime-gpu in place of onnxruntime; the others the reverse."""
    assert "onnxruntime-gpu" in pinned("gpu")
    assert "onnxruntime" not in pinned("gpu")
    assert "onnxruntime" in pinned("cpu")
    assert "onnxruntime-gpu" not in pinned("cpu")


def test_the_three_environments_agree_on_versions() -> None:
    """What is tested is what runs: a package has one version in all files."""
    cpu, gpu, dev = pinned("cpu"), pinned("gpu"), pinned("dev")
    assert {k: v for k, v in gpu.items() if k != "onnxruntime-gpu"} == {
        k: v for k, v in cpu.items() if k != "onnxruntime"
    }
    assert {k: v for k, v in dev.items() if k in cpu} == cpu
