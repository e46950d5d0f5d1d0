"""From a checkpoint to an ONNX file that keeps the contract and paints what PyTorch paints."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import nn

from export import description, figures, parity, to_onnx
from export.description import file_entry, write_metadata
from export.graph import FrameContract
from export.parity import Parity, measure_parity
from export.to_onnx import OPSET, describe
from models.folding import count_parameters
from models.generator import CELLS, TIERS, Generator, GeneratorSettings, build_generator
from realtime.frame import Image
from realtime.gallery import read_style, user_styles_folder, verify
from tests.fakes_torch import NARROW, as_if_trained, write_run
from tests.program import mistake_of

ROOT = Path(__file__).resolve().parents[2]
RECIPE = {"style_weight": 5.0, "vgg_sha256": "0" * 64}
FACTS = ["--title", "The Wave", "--artist", "Hokusai", "--year", "1831", "--licence", "public domain", "--order", "7"]


def random_frames(batch: int, height: int, width: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (batch, height, width, 3), np.uint8)


@pytest.fixture(scope="module")
def generator() -> Generator:
    return as_if_trained()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, generator: Generator) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "wave", generator, recipe=RECIPE)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, run: Path) -> Path:
    """A style folder made by the command line, once for all tests that only look at it."""
    styles = tmp_path_factory.mktemp("styles")
    assert to_onnx.main([str(run), "--name", "wave", "--styles", str(styles), *FACTS]) == 0
    return styles / "wave"


@pytest.fixture(scope="module")
def session(exported: Path) -> ort.InferenceSession:
    return ort.InferenceSession(exported / "fast.onnx", providers=["CPUExecutionProvider"])


@pytest.fixture
def style(exported: Path, tmp_path: Path) -> Path:
    """A copy of the exported style that a test may change."""
    return Path(shutil.copytree(exported, tmp_path / "styles" / "wave"))


@pytest.fixture
def quick_export(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter hands out the graph that it has made already."""
    monkeypatch.setattr(to_onnx, "export_generator", lambda _, path: shutil.copy(exported / "fast.onnx", path))


error_of = functools.partial(mistake_of, to_onnx.main)


# --- the contract


def test_input_and_output_are_uint8_frames_with_free_dimensions(session: ort.InferenceSession) -> None:
    for found, name in ((session.get_inputs(), "frame"), (session.get_outputs(), "styled")):
        assert [value.name for value in found] == [name]
        assert found[0].type == "tensor(uint8)"
        assert found[0].shape == ["batch", "height", "width", 3]


def test_the_opset_is_18_and_nothing_outside_onnx_is_needed(exported: Path) -> None:
    model = onnx.load(exported / "fast.onnx")
    assert {entry.domain: entry.version for entry in model.opset_import}[""] == OPSET == 18
    assert {node.domain for node in model.graph.node} == {""}
    assert not model.functions


def test_a_style_is_one_onnx_file_and_its_description(exported: Path) -> None:
    assert sorted(path.name for path in exported.iterdir()) == ["fast.onnx", "style.json"]
    model = onnx.load(exported / "fast.onnx", load_external_data=False)
    assert not any(tensor.external_data for tensor in model.graph.initializer)


def test_the_file_says_nothing_about_the_machine_it_was_made_on(exported: Path) -> None:
    data = (exported / "fast.onnx").read_bytes()
    for word in (str(ROOT), "site-packages", "torch.nn", str(exported.parent)):
        assert word.encode() not in data


def test_an_export_of_the_same_weights_gives_the_same_graph(exported: Path, run: Path, tmp_path: Path) -> None:
    """In another process, whose sets have another order."""
    command = [sys.executable, "-m", "export.to_onnx", str(run), "--name", "wave", "--styles", str(tmp_path), *FACTS]
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "wave" / "fast.onnx").read_bytes() == (exported / "fast.onnx").read_bytes()
    assert not onnx.load(exported / "fast.onnx").graph.metadata_props


def test_the_exporters_notes_are_no_part_of_the_graph(style: Path) -> None:
    before = description.graph_sha256(style / "fast.onnx")
    model = onnx.load(style / "fast.onnx")
    model.graph.metadata_props.add(key="pkg.torch.export.ExportedProgram.range_constraints", value="{s1: 2, s0: 1}")
    onnx.save(model, style / "fast.onnx")
    assert description.graph_sha256(style / "fast.onnx") == before
    model.graph.node[0].name = "another"
    onnx.save(model, style / "fast.onnx")
    assert description.graph_sha256(style / "fast.onnx") != before


@pytest.mark.skipif(sys.platform != "linux", reason="file systems elsewhere take no such names")
def test_names_that_are_no_text_are_no_hindrance(
    generator: Generator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run", generator, recipe=RECIPE | {"painting": "caf\udce9.jpg"})
    styles = tmp_path / os.fsdecode(b"caf\xe9")
    argv = [str(run), "--name", "wave", "--styles", str(styles), *FACTS, "--title", "Caf\udce9"]
    assert to_onnx.main(argv) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path}/caf\\udce9/wave: PyTorch and onnxruntime differ by")
    found = json.loads((styles / "wave" / "style.json").read_text(encoding="utf-8"))
    assert (found["title"], found["recipe"]["fast"]["painting"]) == ("Caf?", "caf?.jpg")
    metadata = onnx.load(styles / "wave" / "fast.onnx").metadata_props
    assert {entry.key: entry.value for entry in metadata}["title"] == "Caf?"


def test_the_metadata_describe_the_style(exported: Path, generator: Generator) -> None:
    found = {entry.key: entry.value for entry in onnx.load(exported / "fast.onnx").metadata_props}
    assert found == {
        "contract": "1",
        "name": "wave",
        "title": "The Wave",
        "artist": "Hokusai",
        "year": "1831",
        "licence": "public domain",
        "tier": "fast",
        "precision": "fp32",
        "stride": "8",
        "generator": describe(generator),
    }


def test_the_generator_is_described_in_numbers(generator: Generator) -> None:
    text = describe(generator)
    assert text.startswith("stem 8, trunk 8 x 1 residual blocks, ")
    assert f" {count_parameters(generator)} parameters, " in text


def test_style_json_lists_the_file_as_it_is(exported: Path) -> None:
    found = json.loads((exported / "style.json").read_text(encoding="utf-8"))
    data = (exported / "fast.onnx").read_bytes()
    entry = found["tiers"]["fast"]["fp32"]
    assert (entry["file"], entry["bytes"]) == ("fast.onnx", len(data))
    assert entry["sha256"] == hashlib.sha256(data).hexdigest()
    assert entry["parity_largest"] <= 2
    assert entry["parity_mean"] <= 0.1
    assert found["recipe"]["fast"]["style_weight"] == 5.0
    assert {key: found[key] for key in ("name", "title", "artist", "year", "licence", "order")} == {
        "name": "wave",
        "title": "The Wave",
        "artist": "Hokusai",
        "year": "1831",
        "licence": "public domain",
        "order": 7,
    }


def test_the_gallery_takes_the_style(exported: Path) -> None:
    style = read_style(exported / "style.json")
    assert style.label == "The Wave, Hokusai"
    assert verify(style.models["fast"]["fp32"]) == (exported / "fast.onnx").read_bytes()


# --- what it paints


def test_onnxruntime_paints_what_pytorch_paints_at_two_sizes(exported: Path, generator: Generator) -> None:
    parity = measure_parity(generator, exported / "fast.onnx", ((64, 96), (136, 72)))
    assert parity.largest <= 2
    assert parity.mean <= 0.1
    assert parity.is_good


def test_parity_notices_another_generator(exported: Path) -> None:
    parity = measure_parity(as_if_trained(seed=1), exported / "fast.onnx", ((64, 64),))
    assert not parity.is_good


@pytest.mark.parametrize(("largest", "mean", "is_good"), [(2, 0.1, True), (3, 0.0, False), (1, 0.11, False), (0, 0.0, True)])
def test_parity_is_good_within_two_grey_levels_and_a_tenth(largest: int, mean: float, is_good: bool) -> None:
    assert Parity(largest, mean).is_good is is_good


class Painting:
    """A session that paints small frames a grey level otherwise than they are."""

    def run(self, _outputs: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        frame = inputs["frame"]
        return [frame ^ 1 if frame.shape[1] == 8 else frame]


def test_parity_is_that_of_all_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity, "_session", lambda _: Painting())
    sizes_hw = ((8, 8), (16, 12))  # a quarter of the pixels in the first
    assert parity.measure_parity(lambda batch: batch, tmp_path, sizes_hw) == Parity(1, 0.25)  # type: ignore[arg-type]
    sessions = [Painting(), SimpleNamespace(run=lambda _, inputs: [inputs["frame"]])]
    monkeypatch.setattr(parity, "_session", lambda _: sessions.pop())
    assert parity.measure_precision(tmp_path, tmp_path, parity.soft_frames(sizes_hw)) == Parity(1, 0.25)


@pytest.mark.parametrize("size_hw", [(8, 8), (40, 24), (64, 96)])
def test_any_multiple_of_the_stride_is_painted(session: ort.InferenceSession, size_hw: tuple[int, int]) -> None:
    frames = random_frames(1, *size_hw)
    (painted,) = session.run(["styled"], {"frame": frames})
    assert painted.shape == frames.shape
    assert painted.dtype == np.uint8
    assert np.abs(painted.astype(np.int16) - frames).mean() > 5


def test_a_batch_of_two_is_painted_as_each_alone(session: ort.InferenceSession) -> None:
    frames = random_frames(2, 40, 48)
    (together,) = session.run(["styled"], {"frame": frames})
    for number in range(2):
        (alone,) = session.run(["styled"], {"frame": frames[number : number + 1]})
        assert np.abs(alone[0].astype(np.int16) - together[number]).max() <= 1


@pytest.mark.parametrize("cell", CELLS)
def test_no_channel_row_or_column_changes_place(cell: int) -> None:
    """A generator that paints nothing returns the frame."""
    nothing = as_if_trained(replace(NARROW, cell=cell))
    with torch.no_grad():
        nothing.paint.weight.zero_()
        assert isinstance(nothing.paint.bias, nn.Parameter)
        nothing.paint.bias.zero_()
        nothing.keep.weight.copy_(torch.eye(len(nothing.keep.weight)))
    frames = random_frames(2, 16, 24)
    with torch.no_grad():
        painted = FrameContract(nothing)(torch.from_numpy(frames))
    assert np.array_equal(painted.numpy(), frames)


@pytest.mark.parametrize("cell", CELLS)
def test_the_contract_in_pytorch_paints_what_the_generator_paints(cell: int) -> None:
    generator = as_if_trained(replace(NARROW, cell=cell))
    frames: Image = random_frames(1, 32, 40)
    rgb = torch.from_numpy(np.ascontiguousarray(frames[..., ::-1])).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        expected = (generator(rgb) * 255).round().clamp(0, 255).to(torch.uint8).flip(1).permute(0, 2, 3, 1)
        found = FrameContract(generator)(torch.from_numpy(frames))
    difference = (found.short() - expected.short()).abs()
    assert int(difference.max()) <= 1
    assert float(difference.float().mean()) < 0.1  # rounded, not cut off


@pytest.mark.parametrize("tier", TIERS)
def test_every_convolution_fills_the_vectors_of_eight_bit_arithmetic(tier: str) -> None:
    """With 12 channels out instead of 16 a convolution of bytes takes three times as long."""
    contract = FrameContract(build_generator(TIERS[tier]))
    outputs = [layer.out_channels for layer in contract.modules() if isinstance(layer, nn.Conv2d)]
    assert len(outputs) == 5 + 2 * TIERS[tier].blocks
    assert [count % 16 for count in outputs] == [0] * len(outputs)


def test_the_fine_tier_is_exported_beside_the_fast_one(style: Path, tmp_path: Path) -> None:
    """It is normalised, each picture of a batch by itself."""
    narrow = GeneratorSettings("fine", stem_width=8, trunk_width=8, blocks=1, cell=2, normalised=True)
    run = write_run(tmp_path / "fine", as_if_trained(narrow), recipe=RECIPE)
    assert to_onnx.main([str(run), "--name", "wave", "--styles", str(style.parent), "--year", "1832"]) == 0
    found = read_style(style / "style.json")
    assert set(found.models) == {"fast", "fine"}
    assert (found.title, found.artist, found.order) == ("The Wave", "Hokusai", 7)
    metadata = onnx.load(style / "fine.onnx").metadata_props
    assert {entry.key: entry.value for entry in metadata}.items() >= {"title": "The Wave", "year": "1832"}.items()
    other = onnx.load(style / "fast.onnx").metadata_props  # says the same, and is the file that is described
    assert {entry.key: entry.value for entry in other}.items() >= {"title": "The Wave", "year": "1832", "tier": "fast"}.items()
    assert hashlib.sha256((style / "fast.onnx").read_bytes()).hexdigest() == found.models["fast"]["fp32"].sha256
    assert sorted(path.name for path in style.iterdir()) == ["fast.onnx", "fine.onnx", "style.json"]
    session = ort.InferenceSession(style / "fine.onnx", providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map["stride"] == "4"
    assert "instance normalisation" in session.get_modelmeta().custom_metadata_map["generator"]
    frames = random_frames(2, 36, 44)
    frames[1] //= 4
    (painted,) = session.run(["styled"], {"frame": frames})
    with torch.no_grad():
        expected = FrameContract(as_if_trained(narrow))(torch.from_numpy(frames))
    (alone,) = session.run(["styled"], {"frame": frames[1:]})
    assert np.abs(painted[1:].astype(np.int16) - alone).max() <= 1
    assert np.abs(painted.astype(np.int16) - expected.numpy()).max() <= 1


def test_a_network_that_cannot_be_read_does_not_keep_the_other_one_out(style: Path, tmp_path: Path) -> None:
    (style / "fast.onnx").write_bytes(b"damaged")
    narrow = GeneratorSettings("fine", stem_width=8, trunk_width=8, blocks=1, cell=2, normalised=True)
    run = write_run(tmp_path / "fine", as_if_trained(narrow), recipe=RECIPE)
    assert to_onnx.main([str(run), "--name", "wave", "--styles", str(style.parent), "--year", "1832"]) == 0
    assert (style / "fast.onnx").read_bytes() == b"damaged"


def test_an_exporter_without_nodes_for_bytes_is_named(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.onnx.is_in_onnx_export", lambda: False)  # as PyTorch before 2.8 says of its new exporter
    code, said = error_of([str(run), "--name", "wave", "--styles", str(tmp_path)], capsys)
    assert code == 4
    assert 'too old to write it; python -m pip install -U "torch>=2.8"' in said
    assert not (tmp_path / "wave").exists()


# --- metadata and figures


def test_metadata_are_added_and_replaced_and_nothing_else_changes(style: Path, session: ort.InferenceSession) -> None:
    path = style / "fast.onnx"
    write_metadata(path, {"title": "Great Wave – 神奈川沖浪裏", "style_error": "0.25"})
    found = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert found["title"] == "Great Wave – 神奈川沖浪裏"
    assert found["style_error"] == "0.25"
    assert found["artist"] == "Hokusai"
    frames = random_frames(1, 16, 16)
    again = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert again.get_modelmeta().custom_metadata_map == found
    assert np.array_equal(again.run(None, {"frame": frames})[0], session.run(None, {"frame": frames})[0])
    assert sorted(file.name for file in style.iterdir()) == ["fast.onnx", "style.json"]


def measured(folder: Path, style: Path, name: str = "wave", clip: str = figures.FLICKER_CLIP) -> tuple[Path, Path]:
    """Files as benchmarks.quality and benchmarks.stability write them."""
    graph = description.graph_sha256(style / "fast.onnx")
    network = {"style": name, "tier": "fast", "precision": "fp32", "graph_sha256": graph}
    quality = {
        "machine": {"date": "2026-01-31"},
        "vgg_sha256": "ab" * 32,
        "quality": [network | {"style_error": 0.125, "content_error": 0.5, "painting_size": 384}],
    }
    stability = {"stability": [network | {"clips": {clip: {"flicker": 1.25, "grey_levels": 3.0}}, "warp_error": 1.5}]}
    paths = folder / "quality.json", folder / "stability.json"
    for path, content in zip(paths, (quality, stability), strict=True):
        path.write_text(json.dumps(content), encoding="utf-8")
    return paths


def record_figures(folder: Path, quality: Path, stability: Path) -> int:
    return figures.main(["--quality", str(quality), "--stability", str(stability), "--styles", str(folder)])


def test_measured_figures_go_into_the_description_and_the_file(style: Path, tmp_path: Path) -> None:
    assert record_figures(style.parent, *measured(tmp_path, style)) == 0
    entry = json.loads((style / "style.json").read_text(encoding="utf-8"))["tiers"]["fast"]["fp32"]
    assert (entry["style_error"], entry["content_error"], entry["flicker"], entry["warp_error"]) == (0.125, 0.5, 1.25, 1.5)
    assert (entry["painting_size"], entry["vgg_sha256"], entry["measured"]) == (384, "ab" * 32, "2026-01-31")
    assert entry["parity_largest"] <= 2
    found = {prop.key: prop.value for prop in onnx.load(style / "fast.onnx").metadata_props}
    assert (found["style_error"], found["content_error"], found["flicker"]) == ("0.125", "0.5", "1.25")
    assert not {"painting_size", "vgg_sha256", "measured"} & set(found)  # how they were measured stands in style.json alone
    model = read_style(style / "style.json").models["fast"]["fp32"]
    assert model.figures == {"style_error": 0.125, "content_error": 0.5, "flicker": 1.25}
    assert verify(model) == (style / "fast.onnx").read_bytes()


def test_figures_of_a_network_that_the_style_lacks_are_refused(
    style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quality, stability = measured(tmp_path, style)
    quality.write_text(quality.read_text().replace('"fp32"', '"fp16"'))
    assert record_figures(style.parent, quality, stability) == 4
    assert "has no fast fp16" in capsys.readouterr().err


def test_figures_of_a_style_of_ones_own_go_into_the_users_gallery(
    style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quality, stability = measured(tmp_path, style)
    argv = ["--quality", str(quality), "--stability", str(stability)]
    assert figures.main(argv) == 4
    assert "style wave: not in the gallery; name its folder with --styles" in capsys.readouterr().err
    own = Path(shutil.copytree(style, user_styles_folder() / "wave"))
    assert figures.main(argv) == 0
    model = read_style(own / "style.json").models["fast"]["fp32"]
    assert model.figures == {"style_error": 0.125, "content_error": 0.5, "flicker": 1.25}
    assert verify(model)


def test_figures_that_cannot_be_written_end_with_5_and_leave_the_style_whole(
    style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in style.iterdir()}

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    quality, stability = measured(tmp_path, style)
    monkeypatch.setattr(description.json, "dumps", full)
    assert record_figures(style.parent, quality, stability) == 5
    assert "cannot be written (No space left on device)" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in style.iterdir()} == before


def test_figures_may_be_written_twice_and_graphs_are_told_apart(style: Path, tmp_path: Path) -> None:
    files = measured(tmp_path, style)
    before = description.graph_sha256(style / "fast.onnx")
    for _ in range(2):  # the first time changes the file, but not its graph
        assert record_figures(style.parent, *files) == 0
    assert description.graph_sha256(style / "fast.onnx") == before


@pytest.mark.parametrize("which", [0, 1], ids=["quality", "stability"])
@pytest.mark.parametrize("graph", ["another", "untold"])
def test_figures_of_another_network_are_refused(
    style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], which: int, graph: str
) -> None:
    before = {path.name: path.read_bytes() for path in style.iterdir()}
    files = measured(tmp_path, style)
    found = json.loads(files[which].read_text())
    (row,) = found["stability" if which else "quality"]
    if graph == "another":
        row["graph_sha256"] = "0" * 64
    else:
        del row["graph_sha256"]
    files[which].write_text(json.dumps(found))
    assert record_figures(style.parent, *files) == 4
    said = capsys.readouterr().err
    assert said.startswith("error: figures of wave fast fp32: ")
    assert ("measured of another network" if graph == "another" else "does not tell of which network") in said
    assert "measure again" in said
    assert {path.name: path.read_bytes() for path in style.iterdir()} == before


@pytest.mark.parametrize("damage", ["missing", "not JSON", "other clip", "other style"])
def test_figures_that_cannot_be_read_end_with_4(
    style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    before = (style / "style.json").read_text(encoding="utf-8")
    quality, stability = measured(
        tmp_path,
        style,
        name="nave" if damage == "other style" else "wave",
        clip="x.mp4" if damage == "other clip" else figures.FLICKER_CLIP,
    )
    if damage == "missing":
        quality.unlink()
    elif damage == "not JSON":
        stability.write_text("{")
    assert record_figures(style.parent, quality, stability) == 4
    said = capsys.readouterr().err
    assert said.startswith("error: style" if damage == "other style" else "error: figures cannot be read")
    assert (style / "style.json").read_text(encoding="utf-8") == before


# --- the command line


def test_an_existing_style_is_not_replaced_unasked(style: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (style / "fast.onnx").read_bytes()
    code, said = error_of([str(run), "--name", "wave", "--styles", str(style.parent)], capsys)
    assert code == 5
    assert "exists already; add --overwrite" in said
    assert (style / "fast.onnx").read_bytes() == before


@pytest.mark.usefixtures("quick_export")
def test_with_overwrite_it_is_replaced_and_what_was_made_from_the_old_one_forgotten(style: Path, run: Path) -> None:
    description = json.loads((style / "style.json").read_text(encoding="utf-8"))
    description["tiers"]["fast"]["int8"] = {"file": "fast.int8.onnx", "bytes": 1, "sha256": "0" * 64}
    description["tiers"]["fine"] = {"fp32": {"file": "fine.onnx", "bytes": 1, "sha256": "1" * 64}}
    for name in ("fast.int8.onnx", "fast.fp16.onnx", "fine.int8.onnx"):
        (style / name).touch()
    (style / "style.json").write_text(json.dumps(description), encoding="utf-8")
    argv = [str(run), "--name", "wave", "--styles", str(style.parent), "--overwrite", "--title", "Another Wave"]
    assert to_onnx.main(argv) == 0
    after = json.loads((style / "style.json").read_text(encoding="utf-8"))
    assert after["title"] == "Another Wave"
    assert list(after["tiers"]["fast"]) == ["fp32"]
    assert list(after["tiers"]["fine"]) == ["fp32"]
    assert sorted(path.name for path in style.iterdir()) == ["fast.onnx", "fine.int8.onnx", "style.json"]
    entry = file_entry(style / "fast.onnx")
    assert {key: after["tiers"]["fast"]["fp32"][key] for key in entry} == entry


@pytest.mark.usefixtures("quick_export")
@pytest.mark.parametrize(
    "damaged", ["{", "[]", '{"tiers": null, "recipe": 3}', '{"tiers": {"fast": [], "fine": 1}}', "[" * 9999]
)
def test_with_overwrite_a_damaged_description_is_replaced(style: Path, run: Path, damaged: str) -> None:
    (style / "style.json").write_text(damaged)
    assert to_onnx.main([str(run), "--name", "wave", "--styles", str(style.parent), "--overwrite"]) == 0
    found = read_style(style / "style.json")
    assert (found.title, list(found.models)) == ("Wave", ["fast"])
    assert verify(found.models["fast"]["fp32"])


@pytest.mark.usefixtures("quick_export")
@pytest.mark.parametrize("step", ["json.dumps", "onnx.save", "os.replace"])
def test_a_full_disk_ends_with_5_and_keeps_what_was_there(
    style: Path, run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], step: str
) -> None:
    before = {path.name: path.read_bytes() for path in style.iterdir()}

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    room, name = step.split(".")
    monkeypatch.setattr(getattr(description, room), name, full)
    code, said = error_of([str(run), "--name", "wave", "--styles", str(style.parent), "--overwrite"], capsys)
    assert code == 5
    assert "cannot be written (No space left on device)" in said
    assert {path.name: path.read_bytes() for path in style.iterdir()} == before


@pytest.mark.usefixtures("quick_export")
def test_title_and_place_have_defaults(run: Path, tmp_path: Path) -> None:
    assert to_onnx.main([str(run / "checkpoint.pt"), "--name", "great_wave", "--styles", str(tmp_path)]) == 0
    style = read_style(tmp_path / "great_wave" / "style.json")
    assert (style.title, style.artist, style.order) == ("Great wave", "", 1000)


@pytest.mark.usefixtures("quick_export")
def test_without_a_folder_it_goes_to_the_users_own_gallery(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(to_onnx, "user_styles_folder", lambda: tmp_path / "mine")
    assert to_onnx.main([str(run), "--name", "wave"]) == 0
    assert (tmp_path / "mine" / "wave" / "fast.onnx").is_file()


@pytest.mark.parametrize("name", ["Wave", "../wave", "wave/", "", "wave.onnx", "_wave", "w" * 62, "wave\n"])
def test_a_bad_name_ends_with_2(name: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert to_onnx.main([str(run), "--name", name, "--styles", str(tmp_path / "styles")]) == 2
    assert "expected small letters, digits and _" in capsys.readouterr().err
    assert not (tmp_path / "styles").exists()


def test_a_run_that_is_not_there_ends_with_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = error_of([str(tmp_path / "gone"), "--name", "wave", "--styles", str(tmp_path)], capsys)
    assert code == 4
    assert "cannot be read" in said
    assert not (tmp_path / "wave").exists()


def test_an_unwritable_folder_ends_with_5(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    code, said = error_of([str(run), "--name", "wave", "--styles", str(tmp_path / "file")], capsys)
    assert code == 5
    assert "cannot be made" in said


@pytest.mark.usefixtures("quick_export")
def test_a_graph_that_paints_otherwise_is_not_shipped(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(to_onnx, "measure_parity", lambda *_: Parity(9, 0.5))
    code, said = error_of([str(run), "--name", "wave", "--styles", str(tmp_path)], capsys)
    assert code == 4
    assert "differs from PyTorch by up to 9 grey levels (0.500 in the mean)" in said
    assert not (tmp_path / "wave").exists()
    (tmp_path / "wave").mkdir()  # somebody's own
    assert to_onnx.main([str(run), "--name", "wave", "--styles", str(tmp_path)]) == 4
    assert list((tmp_path / "wave").iterdir()) == []


# --- interruptions


def fail_at_the_description(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Lets the new network be put in place, and not the description that names it."""
    really_replace = os.replace

    def replace_or_fail(source: Path, target: Path) -> None:
        if Path(target).name == "style.json":
            raise error
        really_replace(source, target)

    monkeypatch.setattr(description.os, "replace", replace_or_fail)


@pytest.mark.usefixtures("quick_export")
@pytest.mark.parametrize(("error", "code"), [(OSError(28, "No space left on device"), 5), (KeyboardInterrupt(), 130)])
def test_what_comes_between_network_and_description_leaves_the_style_as_it_was(
    style: Path, run: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    write_metadata(style / "fast.onnx", {"title": "An earlier wave"})
    before = {path.name: path.read_bytes() for path in style.iterdir()}
    fail_at_the_description(monkeypatch, error)
    assert to_onnx.main([str(run), "--name", "wave", "--styles", str(style.parent), "--overwrite"]) == code
    assert {path.name: path.read_bytes() for path in style.iterdir()} == before
    assert to_onnx.main([str(run), "--name", "tide", "--styles", str(style.parent)]) == code
    assert not (style.parent / "tide").exists()


def test_an_interruption_after_the_description_was_replaced_takes_nothing_back(
    style: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_replace = os.replace

    def replace_and_stop(source: Path, target: Path) -> None:
        really_replace(source, target)
        if Path(target).name == "style.json":
            raise KeyboardInterrupt

    monkeypatch.setattr(description.os, "replace", replace_and_stop)
    with pytest.raises(KeyboardInterrupt):
        description.tell(style, "fast", "fp32", {"title": "Another wave"})
    found = read_style(style / "style.json")
    assert verify(found.models["fast"]["fp32"])
    metadata = onnx.load(style / "fast.onnx").metadata_props
    assert {entry.key: entry.value for entry in metadata}["title"] == "Another wave"
    assert sorted(path.name for path in style.iterdir()) == ["fast.onnx", "style.json"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_of_the_exporter_is_not_swallowed_by_it(
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
) -> None:
    """PyTorch's exporter makes an error of its own, with a report of a hundred lines, of whatever is raised in it."""

    def exporter(*_: object, **__: object) -> None:
        try:
            signal.raise_signal(number)
        except BaseException as error:
            raise RuntimeError("Failed to export the model\n" + "line\n" * 100) from error

    monkeypatch.setattr("torch.onnx.export", exporter)
    handlers = [signal.getsignal(found) for found in (signal.SIGINT, signal.SIGTERM)]
    assert to_onnx.main([str(run), "--name", "wave", "--styles", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert not (tmp_path / "wave").exists()
    assert [signal.getsignal(found) for found in (signal.SIGINT, signal.SIGTERM)] == handlers
