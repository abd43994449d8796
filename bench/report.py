"""Results as files: ``bench/results/NAME.json``, with the machine and the versions they were measured on."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = (
    "dlib-bin",
    "faiss-cpu",
    "faiss-gpu",
    "grpcio",
    "insightface",
    "numpy",
    "onnxruntime",
    "onnxruntime-gpu",
    "opencv-python",
    "pillow",
    "sqlalchemy",
)


def machine() -> dict[str, Any]:
    """Describe where a benchmark runs: processor, cores that this process may use, versions, date, load before it."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "date": datetime.now(UTC).date().isoformat(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
    }


def write(name: str, result: Mapping[str, Any], file: Path | None = None) -> Path:
    """Write a result and the machine to ``file`` or ``bench/results/NAME.json``; return which."""
    path = file or RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"benchmark": name, "machine": machine(), **result}, indent=2) + "\n", encoding="utf-8")
    return path


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
