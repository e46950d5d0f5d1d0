"""Texture networks on disk, read as foreign input."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from models.texture_net import TextureNet, TextureSettings, draw_noise
from models.textures.files import load_texture, save_texture
from models.trunk import SHIPPED_TRUNK
from realtime.errors import ModelError, OutputError

SMALL = TextureSettings(scales=2, width=4)


def saved(folder: Path) -> Path:
    save_texture(TextureNet(SMALL), folder / "t.safetensors", "wave.jpg")
    return folder / "t.safetensors"


def test_a_network_paints_the_same_when_it_is_read_again(tmp_path: Path) -> None:
    network = TextureNet(SMALL).eval()
    save_texture(network, tmp_path / "t.safetensors", "caf\udce9.jpg")
    again = load_texture(tmp_path / "t.safetensors")
    noise = draw_noise(SMALL, (64, 64), torch.Generator().manual_seed(0))
    assert again.settings == SMALL
    assert torch.equal(again(noise), network(noise))
    assert [path.name for path in tmp_path.iterdir()] == ["t.safetensors"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_others_may_read_what_the_users_mask_lets_them(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        assert saved(tmp_path).stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"--save .*: cannot be written"):
        save_texture(TextureNet(SMALL), tmp_path / "nowhere" / "t.safetensors", "wave.jpg")


def rewritten(path: Path, settings: object, **tensors: torch.Tensor) -> Path:
    state = {name: value.contiguous() for name, value in load_texture(path).state_dict().items()}
    text = settings if isinstance(settings, str) else json.dumps(settings)
    save_file(state | tensors, path, {"format": "stylecam-texture-1", "settings": text})
    return path


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"scales": 3, "width": 4}, "cannot be rebuilt"),
        ({"scales": 10**9, "width": 4}, "expected a whole number from 1 to 6"),
        ({"scales": 2, "depth": 4}, "cannot be rebuilt"),
        ([2, 4], "cannot be rebuilt"),
        ("no JSON", "cannot be rebuilt"),
        ("[" * 100_000, "cannot be rebuilt"),
    ],
)
def test_settings_that_do_not_fit_are_told_in_one_line(tmp_path: Path, settings: object, told: str) -> None:
    with pytest.raises(ModelError, match=told) as raised:
        load_texture(rewritten(saved(tmp_path), settings))
    assert "\n" not in str(raised.value)


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    path = rewritten(saved(tmp_path), {"scales": 2, "width": 4}, **{"to_rgb.bias": torch.tensor([0.0, float("nan"), 0.0])})
    with pytest.raises(ModelError, match="not finite"):
        load_texture(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(ModelError, match="not a safetensors file"):
        load_texture(tmp_path / "text.safetensors")
    with pytest.raises(ModelError, match="No such file"):
        load_texture(tmp_path / "missing.safetensors")
    with pytest.raises(ModelError, match="expected the format 'stylecam-texture-1'"):
        load_texture(SHIPPED_TRUNK)
