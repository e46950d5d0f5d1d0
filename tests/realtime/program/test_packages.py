"""Packages that are missing or do not load: one line that says what to do."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement  # pytest needs it too

from benchmarks import NEED_TORCH
from realtime.errors import EXIT_DONE, EXIT_MODEL, ModelError
from realtime.program.packages import as_typed, check_packages
from tests.program import ROOT


def test_everything_is_installed_here() -> None:
    check_packages()


@pytest.mark.parametrize(
    ("system", "machine", "expected"),
    [
        ("linux", "x86_64", "onnxruntime-gpu"),
        ("win32", "AMD64", "onnxruntime-gpu"),
        ("linux", "aarch64", "onnxruntime"),
        ("win32", "ARM64", "onnxruntime"),
        ("darwin", "arm64", "onnxruntime"),
        ("darwin", "x86_64", "onnxruntime"),
    ],
)
def test_each_machine_gets_the_one_onnxruntime_that_there_is_for_it(system: str, machine: str, expected: str) -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [Requirement(line) for line in lines if line.startswith("onnxruntime")]
    there = {"sys_platform": system, "platform_machine": machine}
    assert [found.name for found in wanted if found.marker is None or found.marker.evaluate(there)] == [expected]


def test_all_that_is_missing_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in ("cv2", "av") else find(name))
    with pytest.raises(ModelError, match=r"opencv-python, av not installed; \S+ -m pip install -r requirements\.txt"):
        check_packages()


@pytest.mark.parametrize(
    ("reason", "mend"),
    [
        ("libGL.so.1: cannot open shared object file: No such file or directory", "apt install libgl1"),
        ("numpy.core.multiarray failed to import\nand more", "pip install --force-reinstall opencv-python"),
    ],
)
def test_package_that_does_not_load_is_one_line(monkeypatch: pytest.MonkeyPatch, reason: str, mend: str) -> None:
    load = importlib.import_module

    def load_all_but_opencv(name: str) -> ModuleType:
        if name == "cv2":
            raise ImportError(reason)
        return load(name)

    monkeypatch.setattr(importlib, "import_module", load_all_but_opencv)
    with pytest.raises(ModelError, match="opencv-python does not load") as caught:
        check_packages()
    assert mend in str(caught.value)
    assert "\n" not in str(caught.value)


def test_program_without_any_package_says_what_to_install() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-S", str(ROOT / "run_cam.py"), "--version"]  # -S: nothing that was installed is found
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (EXIT_MODEL, "")
    assert done.stderr.startswith("error: packages: numpy, opencv-python, onnxruntime, ")
    assert "pip install -r requirements.txt (requirements-cpu.txt " in done.stderr
    assert len(done.stderr.splitlines()) == 1


_WITHOUT_TORCH = """
import importlib, sys
class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "onnx", "onnxscript", "safetensors"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Nowhere())
for name in sys.argv[1:]:
    try:
        importlib.import_module("benchmarks." + name)
    except ModuleNotFoundError:
        print(name)
"""


def test_the_benchmarks_that_need_torch_are_those_that_say_so() -> None:
    names = sorted(path.stem for path in (ROOT / "benchmarks").glob("[a-z]*.py"))
    found = subprocess.run([sys.executable, "-c", _WITHOUT_TORCH, *names], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(found.stdout.split()) == NEED_TORCH


@pytest.mark.parametrize(("program", "code"), [("benchmarks.speed", EXIT_MODEL), ("benchmarks.memory", EXIT_DONE)])
def test_a_benchmark_without_torch_says_what_to_install(tmp_path: Path, program: str, code: int) -> None:
    """A machine without the packages for training, where python -m is what a user types."""
    hide = "import sys\nfor name in ('torch', 'onnx', 'onnxscript'):\n    sys.modules[name] = None\n"
    (tmp_path / "sitecustomize.py").write_text(hide)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", program, "--help"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    if code:
        assert len(done.stderr.splitlines()) == 1
        assert "pip install -r requirements.txt" in done.stderr


def test_advice_can_be_typed_where_the_interpreters_path_has_spaces() -> None:
    assert as_typed("/opt/python") == "/opt/python"
    assert as_typed(r"C:\my env\python.exe") == r'"C:\my env\python.exe"'
