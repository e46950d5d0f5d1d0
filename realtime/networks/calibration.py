"""What "auto" takes: measured once for each machine and set of styles, and kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from realtime.errors import UserError
from realtime.gallery import PRECISIONS, TIERS, Style
from realtime.networks.model_choice import ModelChoice, allowed_files, by_rule
from realtime.networks.processor import core_count, processor_name
from realtime.networks.providers import expected_provider
from realtime.program.folders import user_cache_folder
from realtime.stylizer import Stylizer

Pair = tuple[str, str]  # tier, precision
START_BUDGET_S = 0.4  # a first start may be longer by this much; later ones read what was kept
_PROBE_WH, _THOROUGH_WH = (320, 240), (640, 480)
_PROBE_RUNS, _THOROUGH_RUNS = 4, 12
_ROOM = 0.5  # share of a frame's time that `fine` may take: capture, window and other programs need cores too, and a
# picture that does not hold its rate is made smaller, which costs more than `fine` gains
_WORTH_IT = 1.1  # a coarser precision has to be faster by so much
_KEPT_ENTRIES = 16
_SESSIONS = "exact sums"  # how sessions are made, where that changes their times: changed with it
_MAX_CACHE_BYTES = 1_000_000


@dataclass(frozen=True)
class Goal:
    """What the choice has to hold: a rate at a size."""

    fps: float = 30.0
    size_wh: tuple[int, int] = (640, 480)

    def milliseconds(self, ms_per_megapixel: float) -> float:
        """Time for a frame of the goal's size; a network's time grows with its pixels."""
        return ms_per_megapixel * self.size_wh[0] * self.size_wh[1] / 1e6

    @property
    def room_ms(self) -> float:
        """What painting a frame may take."""
        return _ROOM * 1000 / self.fps


def calibrate(styles: list[Style], first: int, choice: ModelChoice, goal: Goal, again: bool = False) -> ModelChoice:
    """The choice with what was measured filled in for "auto"; the choice itself where there is nothing to choose.

    Args:
        styles: the gallery; a file in it that changes is a reason to measure again.
        first: number of the style that is measured.
        again: forget what was kept, and measure without hurry.
    """
    allowed = compared_files(styles[first], choice)
    if len(allowed) < 2:
        return choice
    kept = {} if again else read_cache(_cache_file(), calibration_key(styles, choice))
    measured = {pair: ms for pair, ms in kept.items() if pair in allowed}
    if not measured.keys() >= set(allowed):
        measured = measure(styles[first], choice, None if again else START_BUDGET_S)
        if again or measured.keys() >= set(allowed):  # times taken at different starts, under different loads, mislead
            remember(styles, choice, measured)
    return replace(choice, preferred=order(measured, goal))


def compared_files(style: Style, choice: ModelChoice) -> list[Pair]:
    """The files among which "auto" chooses: float16 is for GPUs, a processor gains nothing by it."""
    allowed = allowed_files(style, choice)
    if expected_provider(choice.provider) != "cpu" or choice.precision == "fp16":
        return allowed
    return [pair for pair in allowed if pair[1] != "fp16"]


def remember(styles: list[Style], choice: ModelChoice, measured: Mapping[Pair, float]) -> None:
    """Keeps times for the next start, beside those of files that were not allowed this time."""
    path, key = _cache_file(), calibration_key(styles, choice)
    write_cache(path, key, read_cache(path, key) | dict(measured))


def _cache_file() -> Path:
    return user_cache_folder() / "calibration.json"


def order(measured: Mapping[Pair, float], goal: Goal) -> tuple[Pair, ...]:
    """The files that were measured, the best first.

    Of each tier the fastest precision, the finer one where the gain is small; fine before fast where it holds the goal.

    Args:
        measured: milliseconds for a megapixel; infinite for a file that cannot be loaded, which is none of the order.
    """
    best: dict[str, Pair] = {}
    for tier in TIERS:
        pairs = [(tier, precision) for precision in PRECISIONS if math.isfinite(measured.get((tier, precision), math.inf))]
        if pairs:
            fastest = min(measured[pair] for pair in pairs)
            best[tier] = next(pair for pair in pairs if measured[pair] <= fastest * _WORTH_IT)
    holds = {tier: goal.milliseconds(measured[pair]) <= goal.room_ms for tier, pair in best.items()}
    tiers = [tier for tier in reversed(TIERS) if holds.get(tier)] + [tier for tier in TIERS if tier in best and not holds[tier]]
    return tuple(best[tier] for tier in tiers)


def explain(measured: Mapping[Pair, float], goal: Goal) -> str:
    """Why the first of the order is the first, in one line."""
    chosen, *_ = order(measured, goal)
    size = f"{goal.size_wh[0]}x{goal.size_wh[1]}"
    times = ", ".join(
        f"{' '.join(pair)} {goal.milliseconds(ms):.1f} ms" for pair, ms in sorted(measured.items()) if ms < math.inf
    )
    return f"{' '.join(chosen)}: at {size} {times}; {goal.fps:g} fps leave {goal.room_ms:.1f} ms for painting"


def measure(
    style: Style,
    choice: ModelChoice,
    budget_s: float | None,
    make: Callable[[Style, ModelChoice], Stylizer] = Stylizer,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Pair, float]:
    """Milliseconds for a megapixel of each file among which "auto" may choose, the likeliest first.

    Args:
        budget_s: begin no further file after so many seconds; None to measure all of them, and longer.
    Returns:
        Infinite for a file that cannot be loaded: it is not chosen, and its error is said when it is asked for.
    """
    size_wh, runs = (_THOROUGH_WH, _THOROUGH_RUNS) if budget_s is None else (_PROBE_WH, _PROBE_RUNS)
    allowed = compared_files(style, choice)
    began = clock()
    measured: dict[Pair, float] = {}
    for pair in [pair for pair in by_rule(choice.provider) if pair in allowed]:
        if measured and budget_s is not None and clock() - began > budget_s / 2:  # half of it may go to what is begun
            break
        try:
            stylizer = make(style, replace(choice, tier=pair[0], precision=pair[1]))
        except UserError:
            measured[pair] = math.inf
            continue
        with suppress(UserError):  # there is no memory at this moment, perhaps: measured again at the next start
            longest_s = math.inf if budget_s is None else budget_s / 5
            measured[pair] = _fastest_ms(stylizer, size_wh, runs, longest_s, clock) * 1e6 / (size_wh[0] * size_wh[1])
    return measured


def _fastest_ms(stylizer: Stylizer, size_wh: tuple[int, int], runs: int, longest_s: float, clock: Callable[[], float]) -> float:
    """Of several runs the fastest: what disturbs can only slow it down. No further run after so many seconds."""
    picture = np.random.default_rng(0).integers(0, 256, (size_wh[1], size_wh[0], 3), np.uint8)
    stylizer.warm_up(size_wh)
    began, fastest = clock(), math.inf
    for _ in range(runs):
        started = clock()
        stylizer.style(picture)
        fastest = min(fastest, clock() - started)
        if clock() - began > longest_s:
            break
    return fastest * 1000


def calibration_key(styles: list[Style], choice: ModelChoice) -> str:
    """What the measured times hang on: processor, onnxruntime, provider, threads and every network of the gallery."""
    networks = sorted(
        f"{model.sha256 or model.path} {_state(model.path)}"
        for style in styles
        for models in style.models.values()
        for model in models.values()
    )
    provider = expected_provider(choice.provider)
    parts = [_SESSIONS, processor_name(), str(core_count()), ort.__version__, provider, str(choice.threads), *networks]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _state(path: Path) -> str:
    """Size and time of change of a file, which tell that a damaged one was mended."""
    try:
        found = path.stat()
    except OSError:
        return "missing"
    return f"{found.st_size} {found.st_mtime_ns}"


def read_cache(path: Path, key: str) -> dict[Pair, float]:
    """What was measured under a key; empty where there is nothing usable."""
    entry = _read_entries(path).get(key)
    if not isinstance(entry, dict):
        return {}
    found = {(tier, precision): entry.get(f"{tier} {precision}", "") for tier in TIERS for precision in PRECISIONS}
    times = {pair: math.inf if ms is None else ms for pair, ms in found.items()}
    return {pair: float(ms) for pair, ms in times.items() if isinstance(ms, int | float) and (0 < ms < 1e6 or ms == math.inf)}


def write_cache(path: Path, key: str, measured: Mapping[Pair, float]) -> None:
    """Keeps what was measured, the oldest entries dropped; a folder that cannot be written costs a measurement next time."""
    entries = _read_entries(path)
    entries.pop(key, None)
    entries[key] = {" ".join(pair): round(ms, 3) if ms < math.inf else None for pair, ms in measured.items()}
    kept = dict(list(entries.items())[-_KEPT_ENTRIES:])
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
        os.replace(partial, path)
    with suppress(OSError):  # of a disk that is full, or a place that is none
        partial.unlink(missing_ok=True)


def _read_entries(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_CACHE_BYTES:
            return {}
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
