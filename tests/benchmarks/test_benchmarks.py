"""The measures where their answers are known, and what the benchmarks refuse."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from benchmarks import beside, latency, levels, networks, quality, speed, stability
from benchmarks.quality import load_photos, load_targets, measure_quality, paintings_of
from benchmarks.reference import ReferenceNetwork, export_reference
from benchmarks.report import check_json, data_folder, print_table, write_json
from benchmarks.speed import Contender
from benchmarks.stability import FRAMES, WIDTH, measure_flicker, measure_warp_error, read_clip, read_flow
from export.description import graph_sha256
from models.losses import CONTENT_LAYER, STYLE_LAYERS
from models.vgg import LossNetwork, VGGFeatures
from realtime.errors import OutputError, SourceError, UserError
from realtime.frame import Image
from realtime.gallery import load_gallery
from realtime.networks.providers import SessionSettings, create_session
from tests.fakes import style_of, write_style_onnx
from tests.fakes_torch import made_up_vgg, make_vgg_narrow
from tests.program import StreamWithoutReader

FLOW_FOLDER = data_folder() / "video" / "flow"
FLOW_MAGIC = 202021.25


class Unchanged:
    """Stands for a network that returns the frame."""

    def style(self, image_bgr: Image) -> Image:
        return image_bgr


class Contrast(Unchanged):
    """Stands for a network that multiplies differences from grey."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def style(self, image_bgr: Image) -> Image:
        return np.clip(128 + (image_bgr.astype(np.float32) - 128) * self.factor, 0, 255).astype(np.uint8)


class OneColour(Unchanged):
    """Stands for a network that paints everything grey."""

    def style(self, image_bgr: Image) -> Image:
        return np.full_like(image_bgr, 128)


def any_stylizer(stand_in: Unchanged) -> Any:
    return stand_in


def soft_picture(height: int, width: int, seed: int, low: int = 100, high: int = 156) -> Image:
    coarse = np.random.default_rng(seed).integers(low, high, (6, 8, 3)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)).clip(low, high).astype(np.uint8)


def write_picture(path: Path, image_bgr: Image) -> Path:
    assert cv2.imwrite(str(path), image_bgr)
    return path


def write_flow(path: Path, flow: Any) -> Path:
    height, width = flow.shape[:2]
    path.write_bytes(struct.pack("<fii", FLOW_MAGIC, width, height) + flow.astype("<f4").tobytes())
    return path


# --- flow files


def test_a_flow_file_is_read_row_by_row_right_then_down(tmp_path: Path) -> None:
    flow = np.arange(3 * 4 * 2, dtype=np.float32).reshape(3, 4, 2)
    found = read_flow(write_flow(tmp_path / "a.flo", flow))
    assert found.shape == (3, 4, 2)
    assert np.array_equal(found, flow)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PIEH",
        struct.pack("<fii", 1.0, 1, 1) + bytes(8),
        struct.pack("<fii", FLOW_MAGIC, 2, 1) + bytes(8),
        struct.pack("<fii", FLOW_MAGIC, 1, 1) + bytes(9),
        struct.pack("<fii", FLOW_MAGIC, -1, -1) + bytes(8),
        struct.pack("<fii", FLOW_MAGIC, 0, 5),
        struct.pack("<fii", FLOW_MAGIC, 2**30, 2**30),
    ],
    ids=["empty", "header only", "other format", "too short", "too long", "negative", "no width", "huge"],
)
def test_a_bad_flow_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.flo"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"flow .*a\.flo"):
        read_flow(path)


# --- warp error


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A scene that moves by three pixels to the right and one down, its light a little brighter in the second picture."""
    folder = tmp_path / "flow"
    folder.mkdir()
    scene = soft_picture(60, 80, 0)
    write_picture(folder / "0_img0.png", scene[4:52, 6:70])
    write_picture(folder / "0_img1.png", scene[3:51, 3:67] + np.uint8(2))
    flow = np.zeros((48, 64, 2), np.float32)
    flow[..., 0], flow[..., 1] = 3, 1
    write_flow(folder / "0_flow01.flo", flow)
    return folder


def test_the_warp_error_of_a_network_that_changes_nothing_is_1(pair: Path) -> None:
    assert measure_warp_error(any_stylizer(Unchanged()), pair) == 1.0


def test_the_warp_error_of_grey_is_0(pair: Path) -> None:
    assert measure_warp_error(any_stylizer(OneColour()), pair) == 0.0


def test_the_warp_error_of_twice_the_contrast_is_2(pair: Path) -> None:
    assert measure_warp_error(any_stylizer(Contrast(2)), pair) == pytest.approx(2.0, abs=0.02)


def test_flow_moves_the_second_picture_onto_the_first(pair: Path) -> None:
    """Had the flow the wrong sign or its axes exchanged, the photographs themselves would not agree."""
    first, second = (cv2.imread(str(pair / f"0_img{k}.png")) for k in (0, 1))
    assert first is not None
    assert second is not None
    flow = read_flow(pair / "0_flow01.flo")
    inner = stability._inside(flow)
    differences = stability._differences(np.asarray(first, np.uint8), np.asarray(second, np.uint8), flow)
    assert np.allclose(differences[inner], 2, atol=0.01)
    assert inner.sum() == (64 - 3) * (48 - 1)


def test_pixels_of_unknown_flow_do_not_count(pair: Path) -> None:
    flow = np.array(read_flow(pair / "0_flow01.flo"))
    flow[10:20, 10:20] = 1.6e9
    write_flow(pair / "0_flow01.flo", flow)
    assert measure_warp_error(any_stylizer(Unchanged()), pair) == 1.0


def test_a_folder_without_pairs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="flow pairs: none in"):
        measure_warp_error(any_stylizer(Unchanged()), tmp_path)


def test_a_pair_without_its_picture_is_refused(pair: Path) -> None:
    (pair / "0_img1.png").unlink()
    with pytest.raises(SourceError, match=r"0_img1\.png: cannot be read"):
        measure_warp_error(any_stylizer(Unchanged()), pair)


@pytest.mark.parametrize("number", [0, 1])
def test_pictures_of_another_size_than_their_flow_are_refused(pair: Path, number: int) -> None:
    write_picture(pair / f"0_img{number}.png", soft_picture(24, 32, 0))
    sizes = ", ".join(["32x24" if number == k else "64x48" for k in (0, 1)] + ["64x48"])
    with pytest.raises(SourceError, match=rf"flow pair .*0_flow01\.flo: found sizes {sizes}"):
        measure_warp_error(any_stylizer(Unchanged()), pair)


def test_pictures_without_change_are_refused(pair: Path) -> None:
    for number in (0, 1):
        write_picture(pair / f"0_img{number}.png", np.full((48, 64, 3), 90, np.uint8))
    with pytest.raises(SourceError, match="found no change along the flow"):
        measure_warp_error(any_stylizer(Unchanged()), pair)


def test_a_flow_that_cannot_be_read_is_refused(pair: Path) -> None:
    (pair / "0_flow01.flo").unlink()
    (pair / "0_flow01.flo").mkdir()
    with pytest.raises(SourceError, match=r"flow .*0_flow01\.flo: cannot be read \("):
        measure_warp_error(any_stylizer(Unchanged()), pair)


@pytest.mark.skipif(not FLOW_FOLDER.is_dir(), reason=f"no {FLOW_FOLDER}; name the data folder with STYLECAM_DATA")
def test_the_shared_pairs_agree_along_their_flow() -> None:
    assert measure_warp_error(any_stylizer(Unchanged()), FLOW_FOLDER) == 1.0
    assert measure_warp_error(any_stylizer(OneColour()), FLOW_FOLDER) == 0.0


# --- flicker


def moving_frames() -> list[Image]:
    return [soft_picture(32, 48, seed) for seed in range(4)]


def test_the_flicker_of_a_network_that_changes_nothing_is_1() -> None:
    found = measure_flicker(any_stylizer(Unchanged()).style, moving_frames())
    assert found["flicker"] == 1.0
    assert found["grey_levels"] > 1


def test_the_flicker_of_grey_is_0() -> None:
    assert set(measure_flicker(any_stylizer(OneColour()).style, moving_frames()).values()) == {0.0}


def test_the_flicker_of_twice_the_contrast_is_2() -> None:
    assert measure_flicker(any_stylizer(Contrast(2)).style, moving_frames())["flicker"] == pytest.approx(2.0, abs=0.02)


def test_what_steadying_leaves_of_the_flicker_stands_beside_it() -> None:
    """Noise of a camera whose picture stands still."""
    random = np.random.default_rng(0)
    frames = [np.clip(random.normal(120, 6, (64, 96, 3)), 0, 255).astype(np.uint8) for _ in range(12)]
    found = measure_flicker(any_stylizer(Unchanged()).style, frames)
    assert found["flicker"] == 1.0
    assert 0.02 < found["steadied"] < 0.25


def test_flicker_by_hand() -> None:
    frames = [np.full((8, 8, 3), level, np.uint8) for level in (100, 104, 80)]
    found = measure_flicker(any_stylizer(Unchanged()).style, frames)
    assert (found["flicker"], found["grey_levels"]) == (1.0, 14.0)
    assert found["grey_levels_steadied"] == pytest.approx(10.25, abs=0.2)  # 100, 100 and a quarter, 80
    assert found["steadied"] == pytest.approx(found["grey_levels_steadied"] / 14, abs=0.001)


def test_a_clip_is_read_at_the_measures_size(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 40))
    for level in range(30):
        writer.write(np.full((40, 64, 3), level * 5, np.uint8))
    writer.release()
    frames = read_clip(path)
    assert len(frames) == FRAMES == 24
    assert {frame.shape for frame in frames} == {(round(40 * WIDTH / 64 / 32) * 32, WIDTH, 3)}
    assert [round(float(frame.mean()) / 5) for frame in frames] == list(range(24))


@pytest.mark.parametrize("count", [1, 12])
def test_a_clip_in_which_nothing_moves_is_refused(tmp_path: Path, count: int) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "still.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 40))
    for _ in range(count):
        writer.write(np.full((40, 64, 3), 90, np.uint8))
    writer.release()
    with pytest.raises(SourceError, match=rf"clip .*still\.avi: found no motion in its first {count} frames"):
        read_clip(tmp_path / "still.avi")


# --- quality


@pytest.fixture
def small_vgg(monkeypatch: pytest.MonkeyPatch) -> VGGFeatures:
    make_vgg_narrow(monkeypatch)
    return VGGFeatures((*STYLE_LAYERS, CONTENT_LAYER), made_up_vgg())


@pytest.fixture
def small_paintings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "PAINTING_SIZES", (48, 64, 80))


@pytest.mark.usefixtures("small_paintings")
def test_a_network_that_changes_nothing_has_no_content_error(tmp_path: Path, small_vgg: VGGFeatures) -> None:
    folder = tmp_path / "content"
    folder.mkdir()
    write_picture(folder / "0.png", soft_picture(64, 96, 0, 0, 255))
    painting = write_picture(tmp_path / "painting.png", soft_picture(80, 120, 9, 0, 120))
    found = measure_quality(
        any_stylizer(Unchanged()).style, load_targets(painting, small_vgg), load_photos(folder, small_vgg), small_vgg
    )
    assert found["content_error"] == 0
    assert found["style_error"] > 0.01
    assert found["photos"] == 1


@pytest.mark.usefixtures("small_paintings")
@pytest.mark.parametrize("light", sorted(levels.LIGHTS))
def test_levels_bring_dim_and_pale_photos_back(tmp_path: Path, small_vgg: VGGFeatures, light: str) -> None:
    """Against the photo as it was; a network that changes nothing tells them apart best."""
    folder = tmp_path / "content"
    folder.mkdir()
    write_picture(folder / "0.png", soft_picture(64, 96, 0, 0, 255))
    targets = load_targets(write_picture(tmp_path / "painting.png", soft_picture(80, 120, 9, 0, 120)), small_vgg)
    frames = [soft_picture(64, 96, seed, 0, 255) for seed in range(3)]
    photos, stylizer = load_photos(folder, small_vgg), any_stylizer(Unchanged())
    found = levels.measure(stylizer, targets, photos, frames, small_vgg, light)
    own, auto = found["as it is"], found["auto levels"]
    if light == "as it was":
        assert own["content_error"] == auto["content_error"] == 0
        assert auto["grey_levels"] == pytest.approx(own["grey_levels"], rel=0.05)
    else:
        assert auto["content_error"] < 0.6 * own["content_error"]
        assert auto["grey_levels"] > 1.5 * own["grey_levels"]  # what moves, moves as far as in daylight again


def test_other_light_is_what_its_name_says() -> None:
    picture = soft_picture(64, 96, 0, 0, 255)
    assert levels.in_light(picture, "as it was", 0) is picture
    assert levels.in_light(picture, "dim", 0).mean() == pytest.approx(0.3 * picture.mean(), abs=1)
    pale = levels.in_light(picture, "pale", 0)
    assert pale.min() > 75
    assert pale.max() < 180
    assert (levels.in_light(picture, "pale", 1) != pale).any()  # other noise for each frame


@pytest.mark.usefixtures("small_paintings")
def test_a_photo_of_the_painting_has_no_style_error_at_the_paintings_own_size(tmp_path: Path, small_vgg: VGGFeatures) -> None:
    folder = tmp_path / "content"
    folder.mkdir()
    painting = write_picture(folder / "0.png", soft_picture(64, 96, 0, 0, 255))
    found = measure_quality(
        any_stylizer(Unchanged()).style, load_targets(painting, small_vgg), load_photos(folder, small_vgg), small_vgg
    )
    assert found["style_error"] == 0
    assert found["painting_size"] == 64
    assert set(found["style_error_by_size"]) == {"48", "64", "80"}
    assert found["style_error_by_size"]["48"] > 0


def test_a_photo_that_cannot_be_read_is_left_out_and_none_takes_its_place(
    tmp_path: Path, small_vgg: VGGFeatures, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(51):  # of which the first and the last are for measuring
        write_picture(tmp_path / f"{number:02d}.png", soft_picture(48, 64, number, 0, 255))
    (tmp_path / "00.png").write_bytes(b"no picture")
    (found,) = load_photos(tmp_path, small_vgg)
    assert np.array_equal(found.image_bgr, cv2.imread(str(tmp_path / "50.png")))
    assert "skipped: " in capsys.readouterr().err
    (tmp_path / "50.png").write_bytes(b"no picture")
    with pytest.raises(SourceError, match="none of the photographs to measure with can be used"):
        load_photos(tmp_path, small_vgg)


def test_large_photos_are_shrunk_and_others_stay_as_they_are(tmp_path: Path, small_vgg: VGGFeatures) -> None:
    for number, size_wh in enumerate([(400, 300), (384, 288), (64, 48)]):
        write_picture(tmp_path / f"{50 * number:03d}.png", soft_picture(size_wh[1], size_wh[0], number, 0, 255))
    for number in range(101):
        (tmp_path / f"{number:03d}.png").touch()
    with torch.no_grad():
        found = load_photos(tmp_path, small_vgg)
    assert [photo.image_bgr.shape for photo in found] == [(288, 384, 3), (288, 384, 3), (48, 64, 3)]
    for photo, name in zip(found[1:], ("050.png", "100.png"), strict=True):
        assert np.array_equal(photo.image_bgr, cv2.imread(str(tmp_path / name)))


def test_photos_too_small_for_vgg_are_left_out(
    tmp_path: Path, small_vgg: VGGFeatures, capsys: pytest.CaptureFixture[str]
) -> None:
    write_picture(tmp_path / "0.png", soft_picture(31, 200, 0))
    with pytest.raises(SourceError, match="none of the photographs"):
        load_photos(tmp_path, small_vgg)
    told = f"skipped: photo {tmp_path / '0.png'}: 200x31 pixels; expected at least 32 on each side\n"
    assert capsys.readouterr().err == told


def test_memory_that_is_wanting_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def load(*_: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(quality, "load_loss_network", lambda *_: LossNetwork(torch.nn.Identity(), "0" * 64, "none"))
    monkeypatch.setattr(quality, "paintings_of", lambda *_: {})
    monkeypatch.setattr(quality, "load_photos", load)
    assert quality.main([]) == 2
    assert capsys.readouterr().err.startswith("error: not enough memory to measure with; ")


@pytest.mark.usefixtures("small_paintings")
def test_the_best_size_of_the_painting_counts_and_photos_are_averaged(tmp_path: Path, small_vgg: VGGFeatures) -> None:
    folder = tmp_path / "content"
    folder.mkdir()
    for number in range(51):  # of which the first and the last are for measuring
        write_picture(folder / f"{number:02d}.png", soft_picture(48, 64, number, 0, 255))
    painting = write_picture(tmp_path / "painting.png", soft_picture(80, 120, 99, 0, 120))
    photos = load_photos(folder, small_vgg)
    assert len(photos) == 2
    assert np.array_equal(photos[1].image_bgr, cv2.imread(str(folder / "50.png")))
    targets = load_targets(painting, small_vgg)
    found = measure_quality(any_stylizer(OneColour()).style, targets, photos, small_vgg)
    alone = [measure_quality(any_stylizer(OneColour()).style, targets, [photo], small_vgg) for photo in photos]
    assert found["style_error"] == min(found["style_error_by_size"].values())
    assert found["content_error"] == pytest.approx(np.mean([one["content_error"] for one in alone]), abs=1e-4)
    assert found["content_error"] > 0.1


@pytest.mark.parametrize("measure", ["quality", "stability"])
def test_each_figure_tells_of_which_graph_it_is(measure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    style = style_of(write_style_onnx(tmp_path / "tiny.onnx"))
    graph = graph_sha256(tmp_path / "tiny.onnx")
    write_style_onnx(tmp_path / "tiny.onnx", metadata={"title": "Other words"})
    module = importlib.import_module(f"benchmarks.{measure}")
    monkeypatch.setattr(networks, "load_gallery", lambda _: [style])
    monkeypatch.setattr(module, "write_json", lambda _, found: rows.extend(found[measure]))
    errors = {"style_error": 0.5, "content_error": 0.5, "painting_size": 256}
    monkeypatch.setattr(quality, "measure_quality", lambda *_: errors)
    monkeypatch.setattr(stability, "measure_warp_error", lambda *_: 1.0)
    monkeypatch.setattr(quality, "load_loss_network", lambda *_: LossNetwork(torch.nn.Identity(), "0" * 64, "none"))
    monkeypatch.setattr(quality, "load_photos", lambda *_: [])
    monkeypatch.setattr(quality, "paintings_of", lambda *_: {style.name: tmp_path})
    monkeypatch.setattr(quality, "load_targets", lambda *_: {})
    monkeypatch.setattr(stability, "CLIPS", ())
    rows: list[dict[str, Any]] = []
    assert module.main([]) == 0
    assert [row["graph_sha256"] for row in rows] == [graph]


def test_a_painting_that_cannot_be_read_is_told_before_anything_is_measured(
    tmp_path: Path,
    styles_folder: Path,
    small_vgg: VGGFeatures,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("night_sky", "wild_sea"):
        write_picture(tmp_path / f"{name}.png", soft_picture(80, 120, 9))
    (tmp_path / "wild_sea.png").write_bytes(b"no picture")
    monkeypatch.setattr(quality, "load_loss_network", lambda *_: LossNetwork(small_vgg, "0" * 64, "none"))
    monkeypatch.setattr(quality, "load_photos", lambda *_: [])
    monkeypatch.setattr(quality, "measure_quality", lambda *_: pytest.fail("something was measured"))
    words = ["--styles", str(styles_folder), "--style", "night_sky", "--style", "wild_sea", "--paintings", str(tmp_path)]
    assert quality.main(words) == 3
    assert "wild_sea.png: not a picture" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["night_sky", None])
def test_styles_of_another_folder_are_measured_too(styles_folder: Path, name: str | None) -> None:
    shipped = {style.name for style in load_gallery()}
    found = networks.chosen_styles(None if name is None else [name], styles_folder)
    expected = {"night_sky"} if name is not None else {"night_sky", "plain_day", "wild_sea"} | shipped
    assert {style.name for style in found} == expected


@pytest.mark.parametrize("measure", ["quality", "stability"])
def test_a_folder_with_styles_that_is_none_is_told(
    measure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(quality, "load_loss_network", lambda *_: None)
    module = importlib.import_module(f"benchmarks.{measure}")
    assert module.main(["--styles", str(tmp_path / "gone")]) == 4
    assert f"--styles {tmp_path / 'gone'}: not a folder" in capsys.readouterr().err


def test_styles_of_ones_own_without_a_painting_are_left_out_unless_named(
    tmp_path: Path, styles_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    styles = load_gallery(styles_folder)
    named = [style for style in styles if style.name in ("night_sky", "wild_sea")]
    with pytest.raises(SourceError, match="none of the gallery's styles"):
        paintings_of(named, tmp_path, named=False)
    painting = write_picture(tmp_path / "wild_sea.png", soft_picture(80, 120, 9))
    capsys.readouterr()
    assert paintings_of(named, tmp_path, named=False) == {"wild_sea": painting}
    assert capsys.readouterr().err.startswith("left out: night_sky")
    with pytest.raises(SourceError, match="painting of night_sky"):
        paintings_of(named, tmp_path, named=True)


# --- speed and latency


def test_the_reference_network_is_johnsons() -> None:
    network = ReferenceNetwork().eval()
    kernels = [tuple(p.shape) for name, p in network.named_parameters() if name.endswith("weight") and p.dim() == 4]
    assert kernels == [
        (32, 3, 9, 9),
        (64, 32, 3, 3),
        (128, 64, 3, 3),
        *[(128, 128, 3, 3)] * 10,
        (128, 64, 3, 3),
        (64, 32, 3, 3),
        (3, 32, 9, 9),
    ]
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_679_235
    with torch.no_grad():
        painted = network(torch.rand(2, 3, 32, 40) * 255)
    assert painted.shape == (2, 3, 32, 40)
    assert float(painted.min()) >= 127.5 - 150
    assert float(painted.max()) <= 127.5 + 150


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reference") / "reference.onnx"
    export_reference(path, (40, 32))
    return path


def test_the_exported_reference_takes_floats_of_a_fixed_size(reference: Path) -> None:
    session, provider = create_session(reference, SessionSettings("cpu", 1), "reference")
    assert provider == "cpu"
    assert session.get_inputs()[0].shape == [1, 3, 32, 40]
    assert session.get_inputs()[0].type == "tensor(float)"
    painted = session.run(None, {"image": np.full((1, 3, 32, 40), 128, np.float32)})[0]
    assert painted.shape == (1, 3, 32, 40)
    assert np.isfinite(painted).all()


def test_the_first_run_of_a_turn_is_not_counted(reference: Path) -> None:
    session, _ = create_session(reference, SessionSettings("cpu", 1), "reference")
    contender = Contender("reference", "fp32", session, np.zeros((1, 3, 32, 40), np.float32))
    contender.take_turn(2)
    contender.take_turn(1)
    assert len(contender.milliseconds) == 3
    assert min(contender.milliseconds) <= contender.median_ms <= max(contender.milliseconds)


def test_speed_is_given_beside_the_reference(reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "export_reference", lambda path, _: path.write_bytes(reference.read_bytes()))
    monkeypatch.setattr(speed, "load_gallery", list)
    style = write_style_onnx(tmp_path / "unchanged.onnx", inverts=False)
    rows = speed.measure(str(style), (40, 32), SessionSettings("cpu", 1), rounds=2)
    assert [row["network"] for row in rows] == ["reference fp32", "fast fp32"]
    assert rows[0]["times_reference"] == 1.0
    assert all(row["size_wh"] == (40, 32) and row["ms"] >= 0 for row in rows)


def test_a_style_that_is_not_there_ends_with_4(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(speed, "load_gallery", list)
    assert speed.main(["--style", "gone.onnx", "--size", "40x32"]) == 4
    assert capsys.readouterr().err.startswith("error: ")


FAKE_PROGRAM = """
import json, sys
arguments = sys.argv[1:]
if "--fail" in arguments:
    sys.exit("error: no camera")
with open(arguments[arguments.index("--stats") + 1], "w") as file:
    json.dump({"arguments": arguments}, file)
"""


@pytest.fixture
def fake_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fake.py"
    path.write_text(FAKE_PROGRAM)
    monkeypatch.setattr(latency, "_PROGRAM", path)


@pytest.mark.usefixtures("fake_program")
def test_latency_is_what_the_program_says_of_itself() -> None:
    arguments = latency.measure("640x480", 30, 12, ["--precision", "int8"])["arguments"]
    for option, value in (("--source", "demo"), ("--size", "640x480"), ("--fps", "30"), ("--max-frames", "12")):
        assert arguments[arguments.index(option) + 1] == value
    assert {"--live", "--headless"} < set(arguments)
    assert arguments[-2:] == ["--precision", "int8"]


@pytest.mark.usefixtures("fake_program")
def test_a_run_that_failed_is_an_error_with_its_reason() -> None:
    with pytest.raises(UserError, match="the run ended with 1: error: no camera"):
        latency.measure("640x480", 30, 12, ["--fail"])


FAKE_LIVE_PROGRAM = """
import json, socket, sys
arguments = sys.argv[1:]
found = {"fps": 30.0, "latency_ms": {"p95": 9.0}, "recording": {"frames_dropped": 3}}
if "--serve" in arguments:
    server = socket.create_server(("127.0.0.1", 0))
    print(f"serving http://127.0.0.1:{server.getsockname()[1]}/", flush=True)
    viewers = [server.accept()[0] for _ in range(4)]
    found["serving"] = {"most_viewers": sum(viewer.recv(100).startswith(b"GET /stream.mjpg ") for viewer in viewers)}
    found["fps"] = 27.0
with open(arguments[arguments.index("--stats") + 1], "w") as file:
    json.dump(found, file)
"""


def test_what_goes_on_beside_the_picture_is_given_as_a_share_of_the_run_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "fake.py"
    path.write_text(FAKE_LIVE_PROGRAM)
    monkeypatch.setattr(beside, "_PROGRAM", path)
    assert beside.main(["--rounds", "2", "--seconds", "0.01", "--json", str(tmp_path / "out.json")]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    table = {row[0]: row for row in rows if row and row[0] in ("alone", "recording", "viewers")}
    assert [table[case][1:3] for case in table] == [["30.0", "1.000"], ["30.0", "1.000"], ["27.0", "0.900"]]
    assert "6" in table["recording"]
    assert table["viewers"][-1] == "4"
    assert len(json.loads((tmp_path / "out.json").read_text())["beside"]["viewers"]) == 2


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import sys; sys.exit('note: all well\\nerror: no such camera')", "the run ended with 1: error: no such camera"),
        ("import time; print('no address', flush=True); time.sleep(600)", "expected the address .*, found 'no address'"),
        ("import time; print('http://127.0.0.1:1/', flush=True); time.sleep(600)", "127.0.0.1:1/: cannot be reached "),
    ],
    ids=["ended", "no address", "refused"],
)
def test_a_run_that_serves_nobody_is_ended_and_told(
    program: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[subprocess.Popen[str]] = []

    class Noted(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            started.append(self)

    path = tmp_path / "fake.py"
    path.write_text(program)
    monkeypatch.setattr(beside, "_PROGRAM", path)
    monkeypatch.setattr(subprocess, "Popen", Noted)
    args = argparse.Namespace(size=(64, 48), fps=30.0, seconds=0.01, precision="int8")
    with pytest.raises(UserError, match=words):
        beside.measure("viewers", args)
    assert started[0].returncode is not None


# --- reports


def test_a_table_aligns_numbers_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("network", "ms"), [("reference", 120.5), ("fast", 9)])
    assert capsys.readouterr().out.splitlines() == [
        "network       ms",
        "---------  -----",
        "reference  120.5",
        "fast           9",
    ]


def test_a_table_that_nobody_reads_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", StreamWithoutReader())
    print_table(("network", "ms"), [("fast", 9)])
    print("and what follows it")


def test_a_result_is_written_with_its_machine(tmp_path: Path) -> None:
    write_json(tmp_path / "speed.json", {"speed": [1, 2]})
    found = json.loads((tmp_path / "speed.json").read_text(encoding="utf-8"))
    assert found["speed"] == [1, 2]
    assert {"processor", "cores", "onnxruntime", "date"} <= set(found["machine"])


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_a_result_for_a_pipe_does_not_replace_it(tmp_path: Path) -> None:
    pipe = tmp_path / "found"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    check_json(pipe)
    write_json(pipe, {"speed": [1]})
    found = json.loads(os.read(reader, 1 << 16))
    os.close(reader)
    assert (found["speed"], pipe.is_fifo()) == ([1], True)
    assert list(tmp_path.iterdir()) == [pipe]


def test_without_a_path_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_json(None, {"speed": []})
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_result_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"--json .*speed\.json: cannot be written"):
        write_json(tmp_path / "gone" / "speed.json", {})


def test_the_data_folder_is_named_by_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLECAM_DATA", "/data")
    assert data_folder() == Path("/data")
    monkeypatch.delenv("STYLECAM_DATA")
    assert data_folder() == Path("../shared")
