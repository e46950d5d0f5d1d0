"""The memory that all sessions on the processor share: one arena; what a size took is given back when it is painted no more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from realtime.gallery import load_gallery
from realtime.networks.arena import _REMEMBERED, ARENA
from realtime.networks.model_choice import ModelChoice
from realtime.stylizer import Stylizer

ROOT = Path(__file__).resolve().parents[3]
# Three styles painted in turn at 1280x720, then one at 320x240; resident megabytes after each.
_PAINT = """
import numpy as np
from pathlib import Path
from realtime.gallery import load_gallery
from realtime.networks.model_choice import ModelChoice
from realtime.stylizer import Stylizer

def resident_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024

choice = ModelChoice(tier="fast", precision="fp32", provider="cpu", threads=1)
stylizers = [Stylizer(style, choice) for style in load_gallery()[:3]]
found = [resident_mb()]
for stylizer in stylizers:
    for _ in range(3):
        stylizer.style(np.zeros((720, 1280, 3), np.uint8))
    found.append(resident_mb())
for _ in range(20):
    stylizers[0].style(np.zeros((240, 320, 3), np.uint8))
print(*found, resident_mb())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc")
def test_three_styles_take_the_memory_of_one_and_a_smaller_picture_gives_it_back() -> None:
    done = subprocess.run([sys.executable, "-c", _PAINT], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    before, first, _, third, smaller = map(float, done.stdout.split())
    taken = first - before
    assert taken > 60, "nothing to share"  # 1280x720 in float32
    assert third - first < taken / 2
    assert smaller - before < taken / 2


def gives_back(shape: tuple[int, ...]) -> bool:
    """Whether a run of this size ends with giving memory back."""
    options = ARENA.options_for(shape)
    return options is not None and options.get_run_config_entry("memory.enable_memory_arena_shrinkage") == "cpu:0"


def test_memory_is_given_back_after_a_sizes_first_run_and_when_it_is_no_longer_painted() -> None:
    small, large = (1, 48, 64, 3), (1, 96, 128, 3)
    for _ in range(2 * _REMEMBERED):
        ARENA.options_for(small)
    assert [gives_back(shape) for shape in (large, small) * _REMEMBERED] == [True] + [False] * (2 * _REMEMBERED - 1)
    following = [gives_back(small) for _ in range(2 * _REMEMBERED)]
    assert [number for number, is_given in enumerate(following) if is_given] == [_REMEMBERED - 2]


def test_sessions_on_the_processor_compute_in_it() -> None:
    options = ort.SessionOptions()
    ARENA.used_by(options)
    assert options.get_session_config_entry("session.use_env_allocators") == "1"


def test_a_picture_outlives_the_session_that_painted_it() -> None:
    """Its memory is the arena's, and is neither given back nor used again while somebody holds the picture."""
    choice = ModelChoice(tier="fast", precision="fp32", provider="cpu", threads=1)
    style = load_gallery()[0]
    photo = np.full((240, 320, 3), 120, np.uint8)
    stylizer = Stylizer(style, choice)
    painted = stylizer.style(photo)
    copied = painted.copy()
    del stylizer
    other = Stylizer(style, choice)
    for size in (64, 320, 160):
        other.style(np.zeros((size, size, 3), np.uint8))
    np.testing.assert_array_equal(painted, copied)
