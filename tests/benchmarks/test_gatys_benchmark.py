"""The comparison of two searches: its figures from curves by hand, its plot, and a short run of all of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from benchmarks import gatys
from benchmarks.loss_plot import draw_losses
from models.stills.arguments import build_parser
from models.stills.objective import Evaluation, StylePicture
from models.stills.settings import GatysSettings
from realtime.errors import OutputError, UserError
from tests.models.stills.fakes import CONTENT_LAYERS, STYLE_LAYERS, painting, photo, picture_file, weights_file

CURVE = [(1.0, 9.0), (5.0, 4.0), (10.0, 2.0)]


def side(name: str, curve: list[tuple[float, float]]) -> gatys.Side:
    seconds, loss = curve[-1]
    return gatys.Side(name, curve, seconds, seconds, loss, len(curve), "float32", torch.zeros(3, 8, 8))


def test_figures_from_two_curves() -> None:
    found = gatys.report(side("fast", CURVE), side("published", [(50.0, 8.0), (100.0, 3.9)]))
    assert found["within_5_percent_after_s"] == 5.0
    assert found["time_ratio"] == pytest.approx(0.1)
    assert found["loss_ratio"] == pytest.approx(2 / 3.9)
    assert found["goal_met"] is True
    late = gatys.report(side("fast", [(20.0, 3.9)]), side("published", [(100.0, 3.9)]))
    assert late["goal_met"] is False
    never = gatys.report(side("fast", [(2.0, 5.0)]), side("published", [(100.0, 3.9)]))
    assert never["within_5_percent_after_s"] is None and never["goal_met"] is False


def test_the_loss_at_a_time_is_the_lowest_until_then() -> None:
    assert [gatys.loss_at(CURVE, seconds) for seconds in (0.5, 1.0, 7.0, 60.0)] == [9.0, 9.0, 4.0, 2.0]


def test_a_pause_is_not_counted() -> None:
    clock = gatys.PausedClock()
    before = clock()
    clock.paused_s += 1000
    assert clock() < before - 900
    assert clock.pause(lambda: 3.5) == 3.5


def test_processor_time_of_the_judge_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged_s = 0.0

    class Judge:
        def evaluate(self, picture: torch.Tensor) -> Evaluation:
            nonlocal judged_s
            judged_s += 1000
            return Evaluation(0.5, {}, picture)

    own_time = gatys.time.process_time
    monkeypatch.setattr(gatys.time, "process_time", lambda: own_time() + judged_s)
    monkeypatch.setattr(gatys, "_judge", lambda *_: Judge())
    small = GatysSettings(content_layers=CONTENT_LAYERS, style_layers=STYLE_LAYERS, size=48, iterations=4, precision="float32")
    args = gatys.build_parser().parse_args(["--vgg", str(weights_file(tmp_path))])
    side = gatys.measure("fast", small, photo(), [StylePicture(painting())], args, 4)
    assert len(side.curve) == 5
    assert 0 < side.processor_s < 900


def test_a_curve_that_falls_is_drawn_from_top_left_to_bottom_right() -> None:
    picture = draw_losses({"fast": [(1.0, 100.0), (10.0, 10.0), (100.0, 1.0)]})
    first_colour = np.all(picture == (40, 90, 200), axis=2)
    rows, columns = np.nonzero(first_colour[:, :660])  # left of the legend
    assert np.corrcoef(rows, columns)[0, 1] > 0.99
    marked = draw_losses({"fast": CURVE}, [60.0])
    assert not np.array_equal(marked, draw_losses({"fast": CURVE}))


def test_figures_stand_at_the_axis_and_a_marked_time_stands_above_its_line() -> None:
    dark = [draw_losses({"fast": [(1.0, 100.0), (10.0, 10.0), (100.0, 1.0)]}, marks).min(2) < 128 for marks in ((), (60.0,))]
    for columns, there in ((slice(0, 50), False), (slice(60, 90), True)):  # of the axis of losses, which is at 90
        assert dark[0][40:560, columns].any() == there
    line = np.nonzero(dark[1][565] & ~dark[0][565])[0]
    above = np.nonzero((dark[1] & ~dark[0])[:28].any(0))[0]
    assert len(line) == 1
    assert above.min() < line[0] < above.max() < line[0] + 30


def test_the_memory_is_that_of_the_same_device_and_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        asked.append(command[3:])
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(gatys.subprocess, "run", run)
    for options in ([], ["--device", "cuda:1", "--threads", "3"]):
        gatys.peak_memory_mib(gatys.build_parser().parse_args(options), tmp_path / "photo.png", tmp_path / "style.png")
    found = [build_parser().parse_args(words) for words in asked]
    assert [(args.device, args.threads) for args in found] == [("cpu", None), ("cuda:1", 3)]


def test_figures_may_go_to_a_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise UserError("begun")

    monkeypatch.setattr(gatys, "peak_memory_mib", stop)  # the first piece of work
    picture = str(picture_file(tmp_path / "photo.png", photo()))
    assert gatys.main(["--content", picture, "--style", picture, "--json", os.devnull]) == 2


def test_a_short_run_writes_table_json_and_plot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = GatysSettings(content_layers=CONTENT_LAYERS, style_layers=STYLE_LAYERS, levels=1, iterations=6, precision="float32")
    monkeypatch.setattr(gatys, "PRESETS", {"fast": small, "paper": small, "best": small})
    monkeypatch.setattr(gatys, "peak_memory_mib", lambda *_: 123)
    arguments = ["--content", str(picture_file(tmp_path / "photo.png", photo()))]
    arguments += ["--style", str(picture_file(tmp_path / "style.png", painting())), "--vgg", str(weights_file(tmp_path))]
    arguments += ["--size", "48", "--reference-iterations", "9", "--threads", str(torch.get_num_threads())]
    arguments += [
        "--json",
        str(tmp_path / "a.json"),
        "--plot",
        str(tmp_path / "a.png"),
        "--pictures",
        str(tmp_path / "made" / "here"),
    ]
    assert gatys.main(arguments) == 0
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["peak_memory_mib"] == 123
    assert len(found["curves"]["published"]) == 10
    assert found["curves"]["published"][-1][1] == pytest.approx(found["reference_loss"])
    losses = [loss for _, loss in found["curves"]["fast"]]
    assert losses[-1] < losses[0]
    assert cv2.imread(str(tmp_path / "a.png")).shape == (640, 1000, 3)
    assert cv2.imread(str(tmp_path / "made" / "here" / "fast.png")).shape == (40, 48, 3)
    assert "published" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--pictures", "--json", "--plot"])
@pytest.mark.parametrize("source", ["--content", "--style", "--vgg"])
def test_what_is_read_is_not_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, option: str, source: str
) -> None:
    monkeypatch.setattr(gatys, "peak_memory_mib", None)  # the first piece of work
    mine = picture_file(tmp_path / "fast.png", photo())
    other = picture_file(tmp_path / "other.png", photo())
    before, read = mine.read_bytes(), {"--content": other, "--style": other} | {source: mine}
    arguments = [text for name, path in read.items() for text in (name, str(path))]
    assert gatys.main([*arguments, option, str(tmp_path if option == "--pictures" else mine)]) == 5
    assert f"error: {option} {mine}: is the source itself" in capsys.readouterr().err
    assert mine.read_bytes() == before


def test_a_disk_that_is_full_leaves_the_old_plot_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plot = tmp_path / "a.png"
    plot.write_bytes(b"of last week")
    monkeypatch.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OutputError, match=r"--plot .*a\.png: cannot be written \(No space left on device\)"):
        gatys._write(plot, b"curves", "--plot")
    assert plot.read_bytes() == b"of last week"


@pytest.mark.parametrize("option", ["--pictures", "--json", "--plot"])
def test_a_place_that_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gatys, "peak_memory_mib", None)  # the first piece of work
    picture = str(picture_file(tmp_path / "photo.png", photo()))
    assert gatys.main(["--content", picture, "--style", picture, option, f"{picture}/there"]) == 5
    assert f"error: {option} {picture}/there" in capsys.readouterr().err
