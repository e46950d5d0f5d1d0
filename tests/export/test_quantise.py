"""int8 made from float32: bytes in, bytes out, nearly the same painting."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from export import description, quantise, to_onnx
from export.description import MEASURED, tell
from export.parity import Parity
from export.quantise import PhotoReader
from models.generator import build_generator
from models.images import load_image, resize_short_side, save_image
from realtime.errors import ModelError
from realtime.gallery import read_style, verify
from realtime.program import argument_types
from tests.fakes_torch import NARROW, write_run
from tests.program import mistake_of


def soft_photo(seed: int, height: int = 64, width: int = 96) -> torch.Tensor:
    coarse = torch.rand(1, 3, 5, 7, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")[0]


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("content")
    for number in range(5):
        save_image(folder / f"{number}.png", soft_photo(number))
    return folder


@pytest.fixture(scope="module")
def style(tmp_path_factory: pytest.TempPathFactory, content: Path) -> Path:
    """A style with its int8 network, made by the command lines."""
    torch.manual_seed(0)
    generator = build_generator(NARROW)
    with torch.no_grad():
        generator.paint.weight.mul_(2)
    run, styles = write_run(tmp_path_factory.mktemp("run"), generator), tmp_path_factory.mktemp("styles")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(to_onnx, "_PARITY_SIZES_HW", ((32, 40),))
        assert to_onnx.main([str(run), "--name", "wave", "--styles", str(styles), "--licence", "CC0"]) == 0
    assert quantise.main([str(styles / "wave"), "--content", str(content)]) == 0
    return styles / "wave"


def session_of(style: Path, name: str) -> ort.InferenceSession:
    return ort.InferenceSession(style / name, providers=["CPUExecutionProvider"])


def frames_of(*pictures: torch.Tensor) -> Any:
    return np.stack([(p.flip(0).permute(1, 2, 0).numpy() * 255).astype(np.uint8) for p in pictures])


def test_it_takes_and_returns_bytes_under_the_same_names(style: Path) -> None:
    for found, name in (
        (session_of(style, "fast.int8.onnx").get_inputs(), "frame"),
        (session_of(style, "fast.int8.onnx").get_outputs(), "styled"),
    ):
        assert [value.name for value in found] == [name]
        assert found[0].type == "tensor(uint8)"
        assert found[0].shape == ["batch", "height", "width", 3]


def test_its_convolutions_are_quantised(style: Path) -> None:
    model = onnx.load(style / "fast.int8.onnx")
    producers = {output: node for node in model.graph.node for output in node.output}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert len(convolutions) >= 6
    for node in convolutions:
        assert all(producers[name].op_type == "DequantizeLinear" for name in node.input[:2]), node.name


def test_every_channel_of_weights_has_a_scale_of_its_own(style: Path) -> None:
    model = onnx.load(style / "fast.int8.onnx")
    producers = {output: node for node in model.graph.node for output in node.output}
    constants = {constant.name: onnx.numpy_helper.to_array(constant) for constant in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Conv":
            weight, scale = (constants[name] for name in producers[node.input[1]].input[:2])
            assert scale.shape == weight.shape[:1]


def test_it_asks_for_no_operators_that_it_does_not_use(style: Path) -> None:
    model = onnx.load(style / "fast.int8.onnx")
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", to_onnx.OPSET)]
    onnx.checker.check_model(model, full_check=True)


@pytest.mark.parametrize("size_hw", [(64, 96), (40, 48)])
def test_it_paints_nearly_what_float32_paints(style: Path, size_hw: tuple[int, int]) -> None:
    frames = frames_of(soft_photo(10, *size_hw), soft_photo(11, *size_hw))
    exact, coarse = (session_of(style, name).run(None, {"frame": frames})[0] for name in ("fast.onnx", "fast.int8.onnx"))
    assert coarse.shape == frames.shape
    assert coarse.dtype == np.uint8
    assert np.abs(exact.astype(np.int16) - coarse).mean() < 6
    assert np.abs(exact.astype(np.int16) - frames).mean() > 1  # it does paint


def test_the_metadata_are_kept_but_for_the_precision(style: Path) -> None:
    exact, coarse = (
        {entry.key: entry.value for entry in onnx.load(style / name).metadata_props} for name in ("fast.onnx", "fast.int8.onnx")
    )
    assert coarse["precision"] == "int8"
    assert exact["precision"] == "fp32"
    for key in ("contract", "name", "title", "licence", "tier", "stride", "generator"):
        assert coarse[key] == exact[key]


def test_style_json_lists_both_networks(style: Path) -> None:
    networks = json.loads((style / "style.json").read_text(encoding="utf-8"))["tiers"]["fast"]
    assert set(networks) == {"fp32", "int8"}
    data = (style / "fast.int8.onnx").read_bytes()
    expected = {"file": "fast.int8.onnx", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert networks["int8"].items() >= (expected | {"percentile": 99.9}).items()
    assert 0 < networks["int8"]["parity_mean"] < networks["int8"]["parity_largest"]
    for model in read_style(style / "style.json").models["fast"].values():
        assert verify(model)


def test_nothing_else_is_left_in_the_folder(style: Path) -> None:
    assert sorted(path.name for path in style.iterdir()) == ["fast.int8.onnx", "fast.onnx", "style.json"]


def test_photos_are_handed_out_as_frames_of_one_size_from_their_middle(tmp_path: Path) -> None:
    save_image(tmp_path / "a.png", soft_photo(0, 70, 100))
    reader = PhotoReader([tmp_path / "a.png"], side=64)
    frame = reader.get_next()["frame"]
    assert frame.shape == (1, 64, 64, 3)
    assert frame.dtype == np.uint8
    assert np.array_equal(frame[0, 5, 7, ::-1], load_image(tmp_path / "a.png")[:, 5 + 3, 7 + 18].numpy())
    assert reader.get_next() is None


def test_large_photos_are_seen_as_a_whole_not_through_a_keyhole(tmp_path: Path) -> None:
    """White in the middle, and black around it: the middle of such a photo at its own size is all white."""
    picture = torch.zeros(3, 400, 600)
    picture[:, 100:300, 200:400] = 1
    save_image(tmp_path / "a.png", picture)
    frame = PhotoReader([tmp_path / "a.png"], side=64).get_next()["frame"]
    assert frame.shape == (1, 64, 64, 3)
    assert float(frame.mean()) / 255 == pytest.approx((36 / 64) ** 2, abs=0.01)  # of 72 pixels, the photo's short side


@pytest.mark.parametrize(("size_hw", "enlarged_hw"), [((2, 4000), (64, 256)), ((4000, 2), (256, 64)), ((20, 60), (64, 192))])
def test_no_more_is_enlarged_of_a_stripe_than_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size_hw: tuple[int, int], enlarged_hw: tuple[int, int]
) -> None:
    sizes = []

    def resize(picture: torch.Tensor, short_side: int) -> torch.Tensor:
        resized = resize_short_side(picture, short_side)
        sizes.append(tuple(resized.shape[1:]))
        return resized

    monkeypatch.setattr(quantise, "resize_short_side", resize)
    picture = torch.zeros(3, *size_hw)
    picture[:, size_hw[0] // 2 :, size_hw[1] // 2 :] = 1
    save_image(tmp_path / "stripe.png", picture)
    frame = PhotoReader([tmp_path / "stripe.png"], side=64).get_next()["frame"]
    assert sizes == [enlarged_hw]
    assert float(frame.mean()) / 255 == pytest.approx(0.25, abs=0.05)  # its middle


def test_calibration_is_spread_over_all_photos_but_those_for_measuring(
    style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, given = tmp_path / "photos", []
    photos.mkdir()
    for number in range(300):
        (photos / f"{number:03d}.jpg").touch()

    def take(source: Path, target: Path, chosen: list[Path], _percentile: float) -> Parity:
        given.extend(int(photo.stem) for photo in chosen)
        shutil.copy(source, target)
        return Parity(0, 0.0)

    monkeypatch.setattr(quantise, "quantise", take)
    copy = Path(shutil.copytree(style, tmp_path / "wave"))
    assert quantise.main([str(copy), "--content", str(photos)]) == 0
    assert len(given) == 48
    assert given == sorted(set(given))
    assert not [number for number in given if number % 50 == 0]
    assert given[0] < 10
    assert given[-1] > 280
    assert max(after - before for before, after in itertools.pairwise(given)) < 10


@pytest.mark.skipif(sys.platform != "linux", reason="file systems elsewhere take no such names")
def test_a_folder_whose_name_is_no_text_is_no_hindrance(
    style: Path, content: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy, photos = (
        Path(shutil.copytree(found, tmp_path / os.fsdecode(found.name.encode() + b"\xe9"))) for found in (style, content)
    )
    assert quantise.main([str(copy), "--content", str(photos)]) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path}/wave\\udce9/fast.int8.onnx: ")
    assert (copy / "fast.int8.onnx").read_bytes() == (style / "fast.int8.onnx").read_bytes()


def test_photos_smaller_than_that_are_enlarged(tmp_path: Path) -> None:
    save_image(tmp_path / "tiny.png", soft_photo(0, 20, 100))
    save_image(tmp_path / "large.png", soft_photo(0, 140, 100))
    reader = PhotoReader([tmp_path / "tiny.png", tmp_path / "large.png"], side=64)
    assert [reader.get_next()["frame"].shape for _ in range(2)] == [(1, 64, 64, 3)] * 2
    assert reader.get_next() is None


def test_no_step_is_spent_on_what_a_relu_throws_away(style: Path) -> None:
    """A ReLU left between two quantised tensors halves or quarters the steps of the one before it."""
    model = onnx.load(style / "fast.int8.onnx")
    assert [node.name for node in model.graph.node if node.op_type == "Relu"] == []


def test_no_floats_are_made_to_read_their_size(style: Path) -> None:
    model = onnx.load(style / "fast.int8.onnx")
    producers = {output: node for node in model.graph.node for output in node.output}
    asked = [
        producers[node.input[0]].op_type for node in model.graph.node if node.op_type == "Shape" and node.input[0] in producers
    ]
    assert asked
    assert "DequantizeLinear" not in asked


def test_the_last_sum_becomes_bytes_at_once(style: Path) -> None:
    """The pair that the quantiser puts before the last step would round twice."""
    model = onnx.load(style / "fast.int8.onnx")
    producers = {output: node for node in model.graph.node for output in node.output}
    last = producers["styled"]
    while last.op_type != "QuantizeLinear":
        last = producers[last.input[0]]
    assert producers[last.input[0]].op_type == "Add"


def test_a_graph_that_ends_in_other_steps_than_grey_levels_is_refused(style: Path) -> None:
    model = onnx.load(style / "fast.onnx")
    scale = next(node for node in model.graph.node if node.op_type == "QuantizeLinear").input[1]
    for constant in model.graph.initializer:
        if constant.name == scale:
            constant.CopyFrom(onnx.numpy_helper.from_array(np.array(2, np.float32), scale))
    with pytest.raises(ModelError, match="does not end with grey levels"):
        quantise._end_in_bytes(model)


def test_making_it_prints_one_line(style: Path, content: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    copy = Path(shutil.copytree(style, tmp_path / "wave"))
    assert quantise.main([str(copy), "--content", str(content)]) == 0
    said = capfd.readouterr()
    assert len(said.out.splitlines()) == 1
    assert re.search(r"bytes, \d+\.\d\d grey levels from float32 in the mean$", said.out.strip())
    assert said.err == ""


def test_a_larger_share_of_the_values_widens_the_ranges_and_is_written_down(style: Path, content: Path, tmp_path: Path) -> None:
    def largest_scale(folder: Path) -> float:
        constants = onnx.load(folder / "fast.int8.onnx").graph.initializer
        return max(float(onnx.numpy_helper.to_array(found).max()) for found in constants if found.name.endswith("_scale"))

    scales = []
    for percentile in ("99", "100"):
        copy = Path(shutil.copytree(style, tmp_path / percentile))
        assert quantise.main([str(copy), "--content", str(content), "--percentile", percentile]) == 0
        described = json.loads((copy / "style.json").read_text(encoding="utf-8"))
        assert described["tiers"]["fast"]["int8"]["percentile"] == float(percentile)
        scales.append(largest_scale(copy))
    assert scales[0] < scales[1]


@pytest.mark.parametrize("text", ["98.9", "100.1", "nan", "many"])
def test_shares_that_are_none_are_refused(text: str, style: Path, content: Path) -> None:
    with pytest.raises(SystemExit, match="2"):
        quantise.main([str(style), "--content", str(content), "--percentile", text])


def test_int8_that_paints_something_else_is_refused_and_leaves_what_was_there(
    style: Path, content: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A range that holds a hundredth of the values: nearly all of them are cut."""
    monkeypatch.setattr(argument_types, "percentile", float)
    copy = Path(shutil.copytree(style, tmp_path / "wave"))
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    code, said = error_of([str(copy), "--content", str(content), "--percentile", "1"], capsys)
    assert code == 4
    assert re.search(r"int8 differs by \d+\.\d grey levels in the mean, allowed are 12\.0; use float32", said)
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


def test_a_damaged_photo_is_skipped_as_in_training(
    style: Path, content: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    copy, photos = Path(shutil.copytree(style, tmp_path / "wave")), Path(shutil.copytree(content, tmp_path / "photos"))
    (photos / "2.png").write_bytes(b"not a picture")
    assert quantise.main([str(copy), "--content", str(photos)]) == 0
    assert [line.split(":")[0] for line in capfd.readouterr().err.splitlines()] == ["skipped"]
    for photo in photos.iterdir():
        photo.write_bytes(b"not a picture")
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    assert quantise.main([str(copy), "--content", str(photos)]) == 3
    assert "none of the photographs for calibration can be read" in capfd.readouterr().err
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


def test_figures_of_the_float32_network_are_not_claimed(style: Path, content: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(style, tmp_path / "wave"))
    tell(copy, "fast", "fp32", dict.fromkeys(MEASURED, "0.5"))
    assert quantise.main([str(copy), "--content", str(content)]) == 0
    found = {entry.key: entry.value for entry in onnx.load(copy / "fast.int8.onnx").metadata_props}
    assert not set(MEASURED) & set(found)
    assert (found["precision"], found["title"]) == ("int8", "Wave")


def test_a_full_disk_ends_with_5_and_keeps_what_was_there(
    style: Path, content: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(style, tmp_path / "wave"))
    before = {path.name: path.read_bytes() for path in copy.iterdir()}

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    for room, name in ((description.onnx, "save"), (description.json, "dumps")):
        with monkeypatch.context() as patch:
            patch.setattr(room, name, full)
            code, said = error_of([str(copy), "--content", str(content)], capsys)
        assert code == 5
        assert "cannot be written (No space left on device)" in said
        assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


error_of = functools.partial(mistake_of, quantise.main)


def test_a_style_that_is_not_there_ends_with_4(tmp_path: Path, content: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = error_of([str(tmp_path), "--content", str(content)], capsys)
    assert code == 4
    assert "fast.onnx: no such file; export the style first" in said


def test_no_photos_to_calibrate_with_end_with_3(style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = error_of([str(style), "--content", str(tmp_path)], capsys)
    assert code == 3
    assert "no photographs found" in said


@pytest.mark.parametrize(("name", "reason"), [("fast.onnx", "its SHA-256 is not"), ("style.json", "cannot be read as JSON")])
def test_a_damaged_style_ends_with_4_and_keeps_what_it_had(
    style: Path, content: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, reason: str
) -> None:
    damaged = Path(shutil.copytree(style, tmp_path / "wave"))
    (damaged / name).write_bytes(b"{ not what it should be")
    before = {path.name: path.read_bytes() for path in damaged.iterdir()}
    code, said = error_of([str(damaged), "--content", str(content)], capsys)
    assert code == 4
    assert reason in said
    assert {path.name: path.read_bytes() for path in damaged.iterdir()} == before
