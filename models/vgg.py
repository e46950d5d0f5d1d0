"""VGG-19's convolutional features by layer name ("relu4_2"): the loss network (Simonyan and Zisserman 2015)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.torch_files import load_plain
from realtime.errors import ModelError, UserError

# (block, convolutions in the block, channels)
_BLOCKS = ((1, 2, 64), (2, 2, 128), (3, 4, 256), (4, 4, 512), (5, 4, 512))
_MEAN_RGB = (0.485, 0.456, 0.406)
_STD_RGB = (0.229, 0.224, 0.225)
_FOR_CAFFE = "d01eb7cb"  # SHA-256 begins so: a file of the same layout, widely passed on, that expects BGR in 0..255
_MAX_FILE_BYTES = 700 * 2**20  # torchvision's whole VGG-19 has 548 MiB
WEIGHTS_VARIABLE = "STYLECAM_VGG"
POOLINGS = ("max", "average")


def _convolution_names() -> tuple[str, ...]:
    return tuple(f"conv{block}_{k}" for block, count, _ in _BLOCKS for k in range(1, count + 1))


CONVOLUTIONS = _convolution_names()
LAYERS = tuple(name for conv in CONVOLUTIONS for name in (conv, conv.replace("conv", "relu")))


def _torchvision_indices() -> dict[str, int]:
    """Where torchvision's `features` keeps each convolution: conv, ReLU, ..., pooling after a block."""
    indices, position = {}, 0
    for block, count, _ in _BLOCKS:
        for k in range(1, count + 1):
            indices[f"conv{block}_{k}"] = position
            position += 2
        position += 1
    return indices


_INDICES = _torchvision_indices()


def convolution_shapes() -> dict[str, tuple[int, int]]:
    """Input and output channels of each convolution, by name."""
    shapes, inputs = {}, 3
    for block, count, channels in _BLOCKS:
        for k in range(1, count + 1):
            shapes[f"conv{block}_{k}"] = (inputs, channels)
            inputs = channels
    return shapes


class VGGFeatures(nn.Module):
    """Activations of named VGG-19 layers, computed no deeper than the deepest one asked for.

    Args:
        layers: names such as "relu4_2" or "conv3_1".
        state: weights as in `torchvision.models.vgg19().features.state_dict()`.
        pooling: "max", as the network was trained, or "average", which Gatys et al. 2016 (section 2) found better.
    Raises:
        UserError: an unknown layer name or pooling.
        ModelError: a tensor is missing or has another shape.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, layers: Sequence[str], state: Mapping[str, Any], pooling: str = "max") -> None:
        super().__init__()
        if pooling not in POOLINGS:
            raise UserError(f"pooling {pooling}: expected one of {' '.join(POOLINGS)}")
        self.pooling = pooling
        unknown = [name for name in layers if name not in LAYERS]
        if unknown or not layers:
            raise UserError(f"VGG-19 has no layer {', '.join(unknown) or '(none given)'}; known: {' '.join(LAYERS)}")
        self.layers = tuple(layers)
        deepest = max(LAYERS.index(name) for name in layers) // 2
        self.convolutions = nn.ModuleDict()
        shapes = convolution_shapes()
        for name in CONVOLUTIONS[: deepest + 1]:
            inputs, outputs = shapes[name]
            layer = nn.Conv2d(inputs, outputs, 3, padding=1)
            layer.weight.data.copy_(_tensor(state, f"{_INDICES[name]}.weight", name, (outputs, inputs, 3, 3)))
            assert layer.bias is not None
            layer.bias.data.copy_(_tensor(state, f"{_INDICES[name]}.bias", name, (outputs,)))
            self.convolutions[name] = layer
        self.register_buffer("mean", torch.tensor(_MEAN_RGB).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(_STD_RGB).reshape(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    def forward(self, batch_rgb: Tensor, layers: Sequence[str] | None = None) -> dict[str, Tensor]:
        """Activations by layer name.

        Args:
            batch_rgb: (B, 3, H, W) float, 0..1.
            layers: a part of the layers given at construction; all of them by default.
        Returns:
            name -> (B, C, H', W').
        """
        wanted = set(self.layers if layers is None else layers)
        found: dict[str, Tensor] = {}
        features = (batch_rgb - self.mean) / self.std
        for name, layer in self.convolutions.items():
            if name.endswith("_1") and name != "conv1_1":
                features = F.max_pool2d(features, 2) if self.pooling == "max" else F.avg_pool2d(features, 2)
            features = layer(features)
            if name in wanted:
                found[name] = features
            # In place where nobody asked for what lies before it: half the memory of a backward pass.
            features = F.relu(features, inplace=name not in wanted)
            rectified = name.replace("conv", "relu")
            if rectified in wanted:
                found[rectified] = features
            if len(found) == len(wanted):
                break
        return found


@dataclass(frozen=True)
class LossNetwork:
    """VGG-19 with the fingerprint of the weights it was built from."""

    features: VGGFeatures
    sha256: str
    source: str


def load_loss_network(layers: Sequence[str], weights: Path | None = None, pooling: str = "max") -> LossNetwork:
    """VGG-19 from a file, else from the variable STYLECAM_VGG, else torchvision's own (downloaded once).

    Raises:
        ModelError: no weights to be had, or a file that is not what it should be.
    """
    chosen = weights or (Path(os.environ[WEIGHTS_VARIABLE]) if os.environ.get(WEIGHTS_VARIABLE) else None)
    if chosen is not None:
        state, sha256 = read_weights(chosen)
        return LossNetwork(VGGFeatures(layers, state, pooling), sha256, chosen.name)
    path = _torchvision_weights()
    state, sha256 = read_weights(path)
    return LossNetwork(VGGFeatures(layers, state, pooling), sha256, "torchvision VGG19_Weights.IMAGENET1K_V1")


def read_weights(path: Path) -> tuple[dict[str, Any], str]:
    """State dict of the convolutions, and the SHA-256 of the file.

    Raises:
        ModelError: missing, too large, not a state dict of plain tensors, or known to be for other pictures.
    """
    state = load_plain("VGG weights", path, _MAX_FILE_BYTES, "give VGG-19's state dict with --vgg")
    if not isinstance(state, dict):
        raise ModelError(f"VGG weights {path}: expected a state dict, found {type(state).__name__}")
    if any(str(key).startswith("features.") for key in state):
        state = {str(key).removeprefix("features."): value for key, value in state.items()}
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256.startswith(_FOR_CAFFE):
        raise ModelError(
            f"VGG weights {path}: made for Caffe's pictures (BGR in 0..255); expected those for RGB with ImageNet's mean and "
            "deviation, as torchvision's"
        )
    return state, sha256


def _torchvision_weights() -> Path:
    """Path of torchvision's own weights in the hub's cache, fetched with a checked hash on first use."""
    from torchvision.models import VGG19_Weights

    url = VGG19_Weights.IMAGENET1K_V1.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[1]
    if not path.exists():
        try:
            VGG19_Weights.IMAGENET1K_V1.get_state_dict(progress=True, check_hash=True)
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "reason", error)
            raise ModelError(
                f"VGG-19 weights: not at {path} and not to be downloaded ({reason}). "
                f"Put the file {path.name} there, or name one with --vgg FILE or {WEIGHTS_VARIABLE}."
            ) from None
    return path


def _tensor(state: Mapping[str, Any], key: str, layer: str, shape: tuple[int, ...]) -> Tensor:
    value = state.get(key)
    if not isinstance(value, Tensor):
        raise ModelError(f"VGG weights: the tensor {key} ({layer}) is missing; expected torchvision's VGG-19 layout")
    if tuple(value.shape) != shape:
        raise ModelError(f"VGG weights: the tensor {key} ({layer}) has shape {tuple(value.shape)}, expected {shape}")
    value = value.float()
    if not bool(torch.isfinite(value).all()):
        raise ModelError(f"VGG weights: the tensor {key} ({layer}) holds values that are not finite")
    return value
