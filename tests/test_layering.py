"""Which room may import what: read from the source, and tried where loading is the point."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("realtime", "models", "export", "benchmarks")


def module_files() -> dict[str, Path]:
    """Every module of the rooms, and the programs beside them, by name."""
    files = {path.stem: path for path in ROOT.glob("*.py")}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return files


MODULES = module_files()


def imports_of(path: Path) -> set[str]:
    """Names of all modules that a file imports, anywhere in it, their packages included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found | {name.rpartition(".")[0] for name in found if "." in name}


IMPORTS = {name: imports_of(path) for name, path in MODULES.items()}


def reached_from(name: str) -> Iterator[tuple[str, str]]:
    """(our module, what it imports) for a module and all of ours that it leads to."""
    waiting, seen = [name], {name}
    while waiting:
        current = waiting.pop()
        for imported in sorted(IMPORTS[current]):
            yield current, imported
            if imported in MODULES and imported not in seen:
                seen.add(imported)
                waiting.append(imported)


def offenders(name: str, forbidden: set[str]) -> list[str]:
    """Imports, direct or through others of ours, of packages that a module must do without."""
    return [f"{by} imports {what}" for by, what in reached_from(name) if what.split(".")[0] in forbidden]


def modules_of(room: str) -> list[str]:
    """Names of a room's modules."""
    return sorted(name for name in MODULES if name == room or name.startswith(f"{room}."))


def test_modules_were_found() -> None:
    assert "realtime.sources" in modules_of("realtime")
    assert "models.losses" in modules_of("models")
    assert "cv2" in IMPORTS["realtime.cameras"]
    assert any(what == "torch" for _, what in reached_from("export.to_onnx"))


@pytest.mark.parametrize("name", [*modules_of("realtime"), "run_cam"])
def test_live_filter_leads_neither_to_pytorch_nor_to_other_rooms(name: str) -> None:
    assert offenders(name, {"torch", "torchvision", "models", "export", "benchmarks"}) == []


@pytest.mark.parametrize("name", modules_of("models"))
def test_models_do_without_onnxruntime_and_export(name: str) -> None:
    assert offenders(name, {"onnxruntime", "export", "benchmarks"}) == []


@pytest.mark.parametrize("name", modules_of("models"))
def test_opencv_is_used_in_models_for_pictures_alone(name: str) -> None:
    assert "cv2" not in IMPORTS[name] or name == "models.images"


def test_textures_lead_to_no_training_of_generators_and_no_search_of_stills() -> None:
    rooms = ("distil", "content", "photos", "generator", "objective", "train_arguments", "stills.run", "stills.paint")
    reached = {what for _, what in reached_from("models.textures.__main__")}
    assert reached & {f"models.{room}" for room in rooms} == set()
    assert "models.textures.run" in reached


def run_python(code: str) -> str:
    """What a fresh interpreter in the project's folder prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_loading_the_whole_live_filter_loads_no_pytorch() -> None:
    names = ["run_cam", *modules_of("realtime")]
    code = (
        "import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "print(*sorted(name for name in sys.modules if name.partition('.')[0] in ('torch', 'models', 'export')))\n"
    )
    assert run_python(code).split() == []


def test_program_starts_without_pyav_and_loads_opencv_before_it() -> None:
    # PyAV takes a fifth of a second to load, and where it is loaded before OpenCV, OpenCV's windows hang.
    code = (
        "import sys, run_cam\n"
        "print('av' in sys.modules, 'cv2' in sys.modules, 'realtime.video.reader' in sys.modules)\n"
        "from realtime.sources import choose_source\n"
        "choose_source('demo')\n"
        "print('av' in sys.modules)\n"
    )
    assert run_python(code).split() == ["False", "True", "False", "False"]


def test_logs_are_silenced_before_opencv_is_loaded() -> None:
    code = "import os, run_cam; print(os.environ['OPENCV_LOG_LEVEL'], os.environ['OPENCV_FFMPEG_LOGLEVEL'])"
    assert run_python(code).split() == ["SILENT", "-8"]
