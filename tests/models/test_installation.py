"""Without PyTorch and its like, as after pip install -r requirements-cpu.txt: one line and 4."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {
    "models": ["exemplar", "gatys", "train", "trunk"],
    "export": ["figures", "half", "quantise", "to_onnx"],
}


@pytest.fixture
def without(tmp_path: Path) -> dict[str, str]:
    """The environment of an interpreter that finds none of the packages of which requirements-cpu.txt knows nothing."""
    missing = ["torch", "torchvision", "onnx", "onnxscript", "safetensors"]
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({missing!r}))\n")
    return os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}


def run(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("program", [f"{room}.{name}" for room, names in PROGRAMS.items() for name in names])
def test_a_program_names_what_is_missing_and_how_to_get_it(without: dict[str, str], program: str) -> None:
    done = run(without, "-m", program)
    assert done.returncode == 4
    assert done.stderr.startswith("error: packages: torch, ")
    assert done.stderr.endswith("-m pip install -r requirements.txt\n")
    assert done.stderr.count("\n") == 1


def test_a_room_that_is_only_imported_ends_nothing(without: dict[str, str]) -> None:
    done = run(without, "-c", "import models, export, models.photos_of_nobody")
    assert done.returncode == 1
    assert "No module named 'models.photos_of_nobody'" in done.stderr
