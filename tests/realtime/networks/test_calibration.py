"""What "auto" takes, from times that are made up."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime.errors import ModelError
from realtime.gallery import ModelFile, Style
from realtime.networks import calibration
from realtime.networks.calibration import (
    Goal,
    Pair,
    calibrate,
    calibration_key,
    explain,
    measure,
    order,
    read_cache,
    remember,
    write_cache,
)
from realtime.networks.model_choice import ModelChoice, choose_file, with_network
from realtime.program.folders import user_cache_folder
from tests.fakes import FakeClock, style_of

CHOICE = ModelChoice(provider="cpu")
MEGAPIXEL = 1e6 / (640 * 480)


def style_with(*pairs: Pair, sha256: str = "a") -> Style:
    models: dict[str, dict[str, ModelFile]] = {}
    for tier, precision in pairs:
        models.setdefault(tier, {})[precision] = ModelFile(Path(f"{tier}.{precision}.onnx"), f"{sha256}{tier}{precision}")
    return Style("made_up", "Made up", "", "", "", 0, models)


class TimedStylizer:
    """Takes the milliseconds that a table says for 640x480, on a clock that nothing else moves."""

    def __init__(self, clock: FakeClock, ms: float) -> None:
        self.clock, self.ms = clock, ms

    def warm_up(self, size_wh: tuple[int, int]) -> None:
        self.style(np.zeros((size_wh[1], size_wh[0], 3), np.uint8))

    def style(self, picture: Any) -> Any:
        self.clock.advance(self.ms / 1000 * picture.shape[0] * picture.shape[1] / (640 * 480))
        return picture


def make_of(clock: FakeClock, table: dict[Pair, float], made: list[Pair]) -> Any:
    def make(style: Style, choice: ModelChoice) -> Any:
        pair = (choice.tier, choice.precision)
        made.append(pair)
        if pair not in table:
            raise ModelError("unusable")
        return TimedStylizer(clock, table[pair])

    return make


def times(**table: float) -> dict[Pair, float]:
    """Milliseconds at 640x480, as fast_int8=10, for a megapixel."""
    return {(name.split("_")[0], name.split("_")[1]): ms * MEGAPIXEL for name, ms in table.items()}


# ---------------------------------------------------------------------------------------------------- choosing


@pytest.mark.parametrize(
    ("measured", "chosen"),
    [
        (times(fast_fp32=30, fast_int8=10), ("fast", "int8")),  # dot products of bytes
        (times(fast_fp32=20, fast_int8=40), ("fast", "fp32")),  # none of them
        (times(fast_fp32=10.5, fast_int8=10), ("fast", "fp32")),  # not worth the rounding
        (times(fast_int8=4, fine_int8=16), ("fine", "int8")),  # 30 frames a second leave 16.7 ms
        (times(fast_int8=4, fine_int8=17), ("fast", "int8")),
        (times(fast_int8=50, fine_int8=80), ("fast", "int8")),  # neither holds it: the faster
        (times(fine_fp16=2, fine_fp32=5, fast_fp16=1), ("fine", "fp16")),  # a GPU
    ],
)
def test_best_file_for_thirty_frames_a_second(measured: dict[Pair, float], chosen: Pair) -> None:
    assert order(measured, Goal())[0] == chosen


def test_goal_decides() -> None:
    measured = times(fast_int8=10, fine_int8=25)
    assert order(measured, Goal(fps=60))[0] == ("fast", "int8")
    assert order(measured, Goal(size_wh=(1280, 720)))[0] == ("fast", "int8")
    assert order(measured, Goal(fps=15, size_wh=(320, 240)))[0] == ("fine", "int8")


def test_reason_names_the_times_and_the_room() -> None:
    line = explain(times(fast_fp32=30, fast_int8=10), Goal())
    assert line == "fast int8: at 640x480 fast fp32 30.0 ms, fast int8 10.0 ms; 30 fps leave 16.7 ms for painting"


def test_what_was_found_is_taken_where_a_style_has_it() -> None:
    preferred = replace(CHOICE, preferred=(("fine", "int8"), ("fast", "fp32")))
    assert choose_file(style_with(("fast", "fp32"), ("fast", "int8"), ("fine", "int8")), preferred) == ("fine", "int8")
    assert choose_file(style_with(("fast", "fp32"), ("fast", "int8")), preferred) == ("fast", "fp32")
    assert choose_file(style_with(("fast", "fp32"), ("fine", "int8")), replace(preferred, tier="fast")) == ("fast", "fp32")


@pytest.mark.parametrize("provider", ["cuda", "tensorrt", "coreml"])
def test_a_gpu_takes_the_finest_before_anything_is_measured(provider: str) -> None:
    style = style_with(("fast", "fp32"), ("fast", "fp16"), ("fine", "fp32"), ("fine", "fp16"))
    assert choose_file(style, replace(CHOICE, provider=provider)) == ("fine", "fp16")


def test_precision_that_one_tier_alone_has_is_found() -> None:
    style = style_with(("fast", "fp32"), ("fine", "fp16"))
    assert choose_file(style, replace(CHOICE, precision="fp16")) == ("fine", "fp16")


# --------------------------------------------------------------------------------------------------- measuring


def test_every_file_is_measured_for_a_megapixel(clock: FakeClock) -> None:
    table = {("fast", "fp32"): 30.0, ("fast", "int8"): 10.0, ("fine", "fp32"): 90.0}
    measured = measure(style_with(*table), CHOICE, None, make_of(clock, table, []), clock)
    assert measured == {pair: pytest.approx(ms * MEGAPIXEL) for pair, ms in table.items()}


def test_start_is_not_held_up(clock: FakeClock) -> None:
    table = {(tier, precision): 2000.0 for tier in ("fast", "fine") for precision in ("fp32", "int8")}
    made: list[Pair] = []
    began = clock()
    measured = measure(style_with(*table), CHOICE, 0.4, make_of(clock, table, made), clock)
    assert len(made) == len(measured) == 1  # the likeliest; the rule decides among the others
    assert clock() - began == pytest.approx(1.0)  # to warm up, and one run


def test_what_disturbs_one_run_does_not_count(clock: FakeClock) -> None:
    class Disturbed(TimedStylizer):
        def style(self, picture: Any) -> Any:
            self.ms = 40 - self.ms
            return super().style(picture)

    measured = measure(style_with(("fast", "fp32")), CHOICE, 0.4, lambda *_: Disturbed(clock, 30.0), clock)
    assert measured == {("fast", "fp32"): pytest.approx(10 * MEGAPIXEL)}


def test_files_that_cannot_be_run_are_passed_over(clock: FakeClock) -> None:
    style = style_with(("fast", "fp32"), ("fast", "int8"))
    measured = measure(style, CHOICE, None, make_of(clock, {("fast", "fp32"): 5.0}, []), clock)
    assert measured[("fast", "int8")] == math.inf
    assert order(measured, Goal()) == (("fast", "fp32"),)
    assert "int8" not in explain(measured, Goal())


def test_file_that_cannot_be_run_is_no_reason_to_measure_at_every_start(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Style] = []

    def fail_in_part(style: Style, *_: object) -> dict[Pair, float]:
        begun.append(style)
        return {("fast", "fp32"): 30.0, ("fast", "int8"): math.inf}

    monkeypatch.setattr(calibration, "measure", fail_in_part)
    styles = [style_with(("fast", "fp32"), ("fast", "int8"))]
    for _ in range(3):
        assert calibrate(styles, 0, CHOICE, Goal()).preferred == (("fast", "fp32"),)
    assert len(begun) == 1


def test_file_that_fails_once_is_measured_at_the_next_start(clock: FakeClock) -> None:
    """There may have been no memory at that moment."""

    class Failing(TimedStylizer):
        def style(self, picture: Any) -> Any:
            raise ModelError("the network failed")

    measured = measure(style_with(("fast", "fp32")), CHOICE, None, lambda *_: Failing(clock, 1.0), clock)  # type: ignore[arg-type,return-value]
    assert measured == {}


def test_file_that_was_mended_is_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "fast.onnx"
    path.write_bytes(b"damaged")
    style = style_of(path, sha256="a")
    before = calibration_key([style], CHOICE)
    path.write_bytes(b"as it was made")
    assert calibration_key([style], CHOICE) != before


def test_processor_does_not_consider_float16_unless_asked_for_it(clock: FakeClock) -> None:
    table = {("fast", "fp32"): 30.0, ("fast", "int8"): 10.0, ("fine", "fp16"): 5.0}
    made: list[Pair] = []
    measure(style_with(*table), CHOICE, None, make_of(clock, table, made), clock)
    assert ("fine", "fp16") not in made
    assert measure(style_with(*table), replace(CHOICE, precision="fp16"), None, make_of(clock, table, made), clock)


def test_only_files_that_the_user_allows_are_measured(clock: FakeClock) -> None:
    table = {("fast", "fp32"): 30.0, ("fast", "int8"): 10.0, ("fine", "int8"): 20.0}
    made: list[Pair] = []
    measure(style_with(*table), replace(CHOICE, precision="int8"), None, make_of(clock, table, made), clock)
    assert sorted(made) == [("fast", "int8"), ("fine", "int8")]


# ----------------------------------------------------------------------------------------------------- keeping


@pytest.fixture
def measured_with(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """The budgets with which measurements were made."""
    budgets: list[float | None] = []

    def count(style: Style, choice: ModelChoice, budget_s: float | None) -> dict[Pair, float]:
        budgets.append(budget_s)
        return times(fast_fp32=30, fast_int8=10)

    monkeypatch.setattr(calibration, "measure", count)
    return budgets


def test_machine_is_measured_once(measured_with: list[float | None]) -> None:
    styles = [style_with(("fast", "fp32"), ("fast", "int8"))]
    for _ in range(3):
        assert calibrate(styles, 0, CHOICE, Goal()).preferred[0] == ("fast", "int8")
    assert measured_with == [calibration.START_BUDGET_S]
    assert (user_cache_folder() / "calibration.json").is_file()


def test_another_style_set_or_provider_is_another_measurement(measured_with: list[float | None]) -> None:
    pairs = (("fast", "fp32"), ("fast", "int8"))
    calibrate([style_with(*pairs)], 0, CHOICE, Goal())
    calibrate([style_with(*pairs), style_with(*pairs, sha256="b")], 0, CHOICE, Goal())
    calibrate([style_with(*pairs)], 0, replace(CHOICE, threads=1), Goal())
    assert len(measured_with) == 3


def test_measurement_cut_short_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under load the budget may end after the first file; what a rule says is then taken, and measured again next time."""
    monkeypatch.setattr(calibration, "measure", lambda *_: times(fast_int8=80))
    styles = [style_with(("fast", "fp32"), ("fast", "int8"))]
    assert calibrate(styles, 0, CHOICE, Goal()).preferred == (("fast", "int8"),)
    assert not (user_cache_folder() / "calibration.json").exists()


def test_times_of_other_files_are_kept_beside(measured_with: list[float | None]) -> None:
    styles = [style_with(("fast", "fp32"), ("fast", "int8"), ("fine", "int8"))]
    remember(styles, CHOICE, times(fine_int8=70))
    remember(styles, CHOICE, times(fast_fp32=30, fast_int8=10))
    kept = read_cache(user_cache_folder() / "calibration.json", calibration_key(styles, CHOICE))
    assert len(kept) == 3


def test_options_that_allow_more_are_a_reason_to_measure(measured_with: list[float | None]) -> None:
    styles = [style_with(("fast", "fp32"), ("fast", "int8"), ("fine", "int8"))]
    remember(styles, CHOICE, times(fast_int8=10, fine_int8=70))
    assert calibrate(styles, 0, replace(CHOICE, precision="int8"), Goal()).preferred[0] == ("fast", "int8")
    assert measured_with == []
    calibrate(styles, 0, CHOICE, Goal())
    assert measured_with == [calibration.START_BUDGET_S]


def test_recalibration_forgets_and_takes_its_time(measured_with: list[float | None]) -> None:
    styles = [style_with(("fast", "fp32"), ("fast", "int8"))]
    calibrate(styles, 0, CHOICE, Goal())
    calibrate(styles, 0, CHOICE, Goal(), again=True)
    calibrate(styles, 0, CHOICE, Goal())
    assert measured_with == [calibration.START_BUDGET_S, None]


def test_nothing_to_choose_is_nothing_to_measure(measured_with: list[float | None]) -> None:
    style = style_with(("fast", "fp32"), ("fast", "int8"))
    assert calibrate([style_with(("fast", "fp32"))], 0, CHOICE, Goal()).preferred == ()
    assert calibrate([style], 0, replace(CHOICE, precision="fp32"), Goal()).preferred == ()
    assert measured_with == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"KEY": 3}', '{"KEY": {"fast int8": "soon"}}', '{"KEY": {"fast int8": -1}}'])
def test_damaged_cache_is_no_cache(tmp_path: Path, text: str) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(text)
    assert read_cache(path, "KEY") == {}
    write_cache(path, "KEY", {("fast", "int8"): 2.0})
    assert read_cache(path, "KEY") == {("fast", "int8"): 2.0}


def test_cache_does_not_grow_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "calibration.json"
    for number in range(40):
        write_cache(path, f"key {number}", {("fast", "fp32"): 1.0})
    assert len(json.loads(path.read_text())) == 16
    assert read_cache(path, "key 39")
    for key in ("key 24", "key 40"):  # the oldest of them is measured again, and one more
        write_cache(path, key, {("fast", "fp32"): 1.0})
    assert read_cache(path, "key 24") and not read_cache(path, "key 25")
    assert [file.name for file in path.parent.iterdir()] == ["calibration.json"]


def test_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    write_cache(tmp_path / "file" / "calibration.json", "KEY", {("fast", "fp32"): 1.0})
    (tmp_path / "calibration.json").mkdir()
    write_cache(tmp_path / "calibration.json", "KEY", {("fast", "fp32"): 1.0})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["calibration.json", "file"]


def test_key_hangs_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    styles = [style_with(("fast", "fp32"))]
    before = calibration_key(styles, CHOICE)
    assert calibration_key(styles, CHOICE) == before
    monkeypatch.setattr(calibration, "processor_name", lambda: "another one")
    assert calibration_key(styles, CHOICE) != before


def test_a_network_told_by_its_digest_fills_in_for_auto() -> None:
    style = style_with(("fast", "fp32"), ("fast", "int8"), ("fine", "fp32"))
    found = with_network(style, CHOICE, "afastint8")
    assert (found.tier, found.precision, found.provider) == ("fast", "int8", "cpu")
    assert with_network(style, CHOICE, "of another style") == CHOICE
    assert with_network(style, CHOICE, None) == CHOICE
    asked = replace(CHOICE, precision="fp32")  # the user's own word comes first
    assert with_network(style, asked, "afastint8") == asked
