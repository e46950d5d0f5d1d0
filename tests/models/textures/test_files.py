"""Texture networks as files, read as foreign input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from models.texture_net import TextureNet, TextureSettings, draw_noise
from models.textures import files
from models.textures.files import encode_texture, load_texture
from models.trunk import SHIPPED_TRUNK
from realtime.errors import ModelError

SMALL = TextureSettings(scales=2, width=4)


def saved(folder: Path) -> Path:
    path = folder / "t.safetensors"
    path.write_bytes(encode_texture(TextureNet(SMALL), "wave.jpg"))
    return path


def test_a_network_paints_the_same_when_it_is_read_again(tmp_path: Path) -> None:
    network = TextureNet(SMALL).eval()
    path = tmp_path / "t.safetensors"
    path.write_bytes(encode_texture(network, "caf\udce9.jpg"))
    again = load_texture(path)
    noise = draw_noise(SMALL, (64, 64), torch.Generator().manual_seed(0))
    assert again.settings == SMALL
    assert torch.equal(again(noise), network(noise))


def rewritten(path: Path, settings: object = None, **tensors: torch.Tensor | None) -> Path:
    state = {name: value.contiguous() for name, value in load_texture(path).state_dict().items()}
    state |= {name: value for name, value in tensors.items() if value is not None}
    kept = {name: value for name, value in state.items() if name not in tensors or tensors[name] is not None}
    text = settings if isinstance(settings, str) else json.dumps(settings or {"scales": 2, "width": 4})
    save_file(kept, path, {"format": "stylecam-texture-1", "settings": text})
    return path


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"scales": 3, "width": 4}, "tensor coarse_norms.1.bias is missing"),
        ({"scales": 10**9, "width": 4}, "expected a whole number from 1 to 6"),
        ({"scales": 2, "depth": 4}, "its settings are none of ours"),
        ([2, 4], "its settings are none of ours"),
        ("no JSON", "its settings are none of ours"),
        ("[" * 100_000, "its settings are none of ours"),
    ],
)
def test_settings_that_do_not_fit_are_told_in_one_line(tmp_path: Path, settings: object, told: str) -> None:
    with pytest.raises(ModelError, match=told) as raised:
        load_texture(rewritten(saved(tmp_path), settings))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("tensor", "told"),
    [
        (None, "to_rgb.bias is missing"),
        (torch.zeros(4), r"to_rgb.bias: expected real numbers of shape \(3,\), found torch.float32 of \(4,\)"),
        (torch.zeros(3, dtype=torch.complex64), "found torch.complex64"),
        (torch.tensor([0.0, float("nan"), 0.0]), "to_rgb.bias holds values that are not finite"),
    ],
)
def test_tensors_that_do_not_fit_are_named(tmp_path: Path, tensor: torch.Tensor | None, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        load_texture(rewritten(saved(tmp_path), **{"to_rgb.bias": tensor}))


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_MAX_FILE_BYTES", 100)
    with pytest.raises(ModelError, match="expected at most 100 bytes"):
        load_texture(saved(tmp_path))


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(ModelError, match="not a safetensors file"):
        load_texture(tmp_path / "text.safetensors")
    with pytest.raises(ModelError, match="No such file"):
        load_texture(tmp_path / "missing.safetensors")
    with pytest.raises(ModelError, match="expected the format 'stylecam-texture-1'"):
        load_texture(SHIPPED_TRUNK)
