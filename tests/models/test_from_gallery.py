"""A generator out of a style's ONNX file paints as the file does, and what is not ours is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from export.to_onnx import export_generator
from models.from_gallery import generator_of_file, generator_of_style
from models.generator import Generator, GeneratorSettings
from models.normalisation import take_over_statistics
from models.trunk import load_start
from realtime.errors import ModelError
from realtime.gallery import ModelFile, load_gallery
from realtime.networks.model_choice import ModelChoice
from realtime.stylizer import Stylizer
from tests.fakes import noisy_picture, write_style_onnx
from tests.fakes_torch import NARROW, as_if_trained

SHAPES = [
    NARROW,
    GeneratorSettings("fast", stem_width=8, trunk_width=16, blocks=2, cell=2),
    GeneratorSettings("fine", stem_width=8, trunk_width=16, blocks=2, cell=2, normalised=True),
]


def painting_generator(settings: GeneratorSettings) -> Generator:
    """One whose every layer does something."""
    generator = as_if_trained(settings, seed=3)
    if settings.normalised:
        take_over_statistics(generator, torch.rand(2, 3, 64, 64))
    return generator


def exported(generator: Generator, path: Path) -> Path:
    model = export_generator(generator, path)
    helper.set_model_props(model, {"tier": generator.settings.tier})
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("settings", SHAPES, ids=["cells of 4", "cells of 2", "normalised"])
def test_what_was_exported_comes_back_and_paints_the_same(settings: GeneratorSettings, tmp_path: Path) -> None:
    generator = painting_generator(settings)
    again = load_start(str(exported(generator, tmp_path / "network.onnx")))
    photo = torch.rand(1, 3, 64, 96)
    assert again.settings == settings
    torch.testing.assert_close(again(photo), generator(photo), atol=1e-4, rtol=1e-4)
    assert float((generator(photo) - photo).abs().mean().detach()) > 0.01  # more than the identity


@pytest.mark.parametrize("tier", ["fast", "fine"])
def test_a_shipped_style_is_a_start(tier: str) -> None:
    style = next(style for style in load_gallery() if style.name == "munch_the_scream")
    generator = load_start(style.name, tier)
    assert generator.settings.tier == tier
    photo = noisy_picture((96, 64)) // 4 + 90
    rgb = torch.from_numpy(photo[:, :, ::-1].copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        found = (generator(rgb)[0].permute(1, 2, 0).numpy()[:, :, ::-1] * 255).clip(0, 255)
    painted = Stylizer(style, ModelChoice(tier=tier, precision="fp32", provider="cpu", threads=1)).style(photo)
    assert np.abs(found - painted).max() < 1.5


def test_a_style_without_the_tier_gives_the_one_it_has(tmp_path: Path) -> None:
    style = next(style for style in load_gallery() if "fine" not in style.models or style.name == "munch_the_scream")
    only_fast = {"fast": style.models["fast"]}
    assert generator_of_style(type(style)(**{**vars(style), "models": only_fast}), "fine").settings.tier == "fast"
    only_bytes = {"fast": {"int8": style.models["fast"]["int8"]}}
    with pytest.raises(ModelError, match="has no fp32 network"):
        generator_of_style(type(style)(**{**vars(style), "models": only_bytes}), "fast")


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [("munch", "did you mean munch_the_scream"), ("trnuk", "did you mean trunk"), ("xyz", "known ones: trunk, .*the_scream")],
)
def test_an_unknown_word_is_told_what_there_is(wanted: str, hint: str) -> None:
    with pytest.raises(ModelError, match=rf"--from {wanted}: neither a run, nor a file, nor the name of a style; .*{hint}"):
        load_start(wanted)


def changed(network: Path, name: str, tensor: TensorProto) -> Path:
    """A copy with one of its weights exchanged."""
    model = onnx.load(network)
    kept = [initializer for initializer in model.graph.initializer if initializer.name != tensor.name]
    del model.graph.initializer[:]
    model.graph.initializer.extend([*kept, tensor])
    copied = network.with_name(f"{name}.onnx")
    copied.write_bytes(model.SerializeToString())
    return copied


def elsewhere(name: str) -> TensorProto:
    """A weight that says it lies in another file."""
    tensor = numpy_helper.from_array(np.zeros(8, np.float32), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/hostname"
    return tensor


def test_files_that_are_not_ours_are_refused_in_one_line(tmp_path: Path) -> None:
    network = exported(painting_generator(SHAPES[1]), tmp_path / "network.onnx")
    text = tmp_path / "text.onnx"
    text.write_text("no network")
    weight, bias = "generator.stem.weight", "generator.stem.bias"
    cases = {
        text: "not a float32 network written by",
        tmp_path / "gone.onnx": "cannot be read",
        write_style_onnx(tmp_path / "other.onnx"): "not a float32 network written by",
        changed(network, "nan", weights_of(weight, (8, 12, 3, 3), np.nan)): "not finite",
        changed(network, "half", numpy_helper.from_array(np.zeros(8, np.float16), bias)): "is not float32",
        changed(network, "wide", weights_of(weight, (8, 13, 3, 3))): "stem takes 13 channels",
        changed(network, "fewer", weights_of(bias, (4,))): "cannot be rebuilt",
        changed(network, "out", elsewhere(bias)): "another file",
    }
    for path, reason in cases.items():
        with pytest.raises(ModelError, match=reason) as refused:
            generator_of_file(ModelFile(path, None))
        assert "\n" not in str(refused.value)


def weights_of(name: str, shape: tuple[int, ...], value: float = 0.0) -> TensorProto:
    return numpy_helper.from_array(np.full(shape, value, np.float32), name)
