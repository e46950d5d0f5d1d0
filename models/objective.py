"""What a training minimises: the weighted losses of one painting against VGG-19, on two views of each photograph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from models.content import Views
from models.devices import bfloat16_pays
from models.generator import Generator
from models.images import as_batch
from models.losses import (
    COARSE_STYLE_LAYERS,
    CONTENT_LAYER,
    STYLE_LAYERS,
    content_loss,
    gram_matrix,
    picture_pyramid,
    shifted_covariance,
    stability_loss,
    style_loss,
    total_variation,
)
from models.vgg import LossNetwork
from realtime.errors import UserError
from realtime.program.argument_types import LARGEST_SEED

_STABILITY_RAMP = 0.3  # share of the training over which the stability term comes in
_REPETITION_SHIFTS_PX = (  # rows, columns: along the axes and both diagonals, or rows of rings hide in what is left out
    *((0, 8), (8, 8), (8, 0), (8, -8), (0, 16), (16, 16), (16, 0), (16, -16), (0, 24), (24, 0)),
    *((0, 12), (12, 12), (12, 0), (12, -12), (8, 16), (16, 8), (8, -16), (16, -8)),
)
_REPETITION_STRIDES = {"relu2_1": 2, "relu3_1": 4, "relu4_1": 8}  # pixels from one place of a layer to the next
_STABILITY_FLOOR = 0.01  # grey level noise of 0.01 counts once; fainter noise counts more, but not without bound


@dataclass(frozen=True)
class TrainingSettings:
    """What makes a recipe; kept in the checkpoint and, from there, in style.json.

    style_scales: on how many sizes of the painted picture, each half the one before, style is compared.
    """

    tier: str = "fast"
    batch: int = 4
    size: int = 256
    style_size: int = 384
    style_scales: int = 1
    style_weight: float = 8.0
    content_weight: float = 0.5
    tv_weight: float = 1.0
    stability_weight: float = 0.2
    repetition_weight: float = 2.0
    learning_rate: float = 2e-3
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses a seed that random numbers cannot be drawn from.

        Raises:
            UserError: with the largest one.
        """
        if not 0 <= self.seed <= LARGEST_SEED:
            raise UserError(f"seed {self.seed}: expected 0 to {LARGEST_SEED}")


class PerceptualLoss:
    """The weighted losses of one painting against VGG-19.

    Args:
        network: VGG-19 holding the style layers and the content layer.
        painting: (3, H, W) uint8.
    """

    def __init__(self, network: LossNetwork, painting: Tensor, settings: TrainingSettings, device: torch.device) -> None:
        self._settings = settings
        self._device = device
        self._dtype = torch.bfloat16 if bfloat16_pays(device) else torch.float32
        self._vgg = network.features.to(device, self._dtype).to(memory_format=torch.channels_last)
        with torch.no_grad():
            self._target_grams = [
                {name: gram_matrix(found.float()) for name, found in self._features(picture, layers).items()}
                for picture, layers in self._scales(as_batch(painting).to(device))
            ]
            self._repetition = Repetition(self._features(as_batch(painting).to(device), tuple(_REPETITION_STRIDES)))

    @property
    def precision(self) -> str:
        """In which the loss network computes: "bfloat16" or "float32"."""
        return str(self._dtype).removeprefix("torch.")

    def __call__(
        self, generator: nn.Module, views: Views, share: float = 1.0, turn: int = 0
    ) -> tuple[Tensor, dict[str, float]]:
        """Total loss, and each term before its weight.

        Args:
            generator: a ViewPainter, perhaps wrapped for several processes.
            views: the photographs.
            share: how much of the training is done; stability comes in slowly, or a grey picture, which is
                perfectly steady, would be the first thing learnt.
            turn: the step's number; the repetition term looks at one shift after the other.
        """
        wide, photo_again = views.first.to(self._device), views.second.to(self._device)
        photo = views.middle(wide)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._dtype is torch.bfloat16):
            paintings = generator(wide, photo_again)
        styled_wide, styled_again = (painting.float() for painting in paintings)
        styled = views.middle(styled_wide)
        features = [self._features(picture, layers) for picture, layers in self._scales(styled, CONTENT_LAYER)]
        with torch.no_grad():
            target = self._features(photo, (CONTENT_LAYER,))[CONTENT_LAYER]
        unsteady = stability_loss(*views.overlap(styled, styled_again), *views.overlap(photo, photo_again))
        noise = views.noise_std.to(self._device)
        terms = {
            "style": self._style(features),
            "content": content_loss(features[0][CONTENT_LAYER], target).mean(),
            "tv": total_variation(styled).mean(),
            "stability": (unsteady / (noise.square() + _STABILITY_FLOOR**2)).mean(),
            "repetition": self._repetition(features[0], turn).mean(),
        }
        weights = asdict(self._settings)
        weights["stability_weight"] *= min(1.0, share / _STABILITY_RAMP)
        total = torch.stack([weights[f"{name}_weight"] * term for name, term in terms.items()]).sum()
        return total, {name: float(term.detach()) for name, term in terms.items()}

    def _scales(self, batch_rgb: Tensor, *more: str) -> list[tuple[Tensor, tuple[str, ...]]]:
        """The picture and its smaller ones, each with the layers looked at; `more` at full size alone."""
        pictures = picture_pyramid(batch_rgb, self._settings.style_scales)
        return [(pictures[0], (*STYLE_LAYERS, *more)), *((picture, COARSE_STYLE_LAYERS) for picture in pictures[1:])]

    def _style(self, features: list[dict[str, Tensor]]) -> Tensor:
        """Mean over all layers of all scales."""
        terms = [style_loss(found, grams) * len(grams) for found, grams in zip(features, self._target_grams, strict=True)]
        return torch.stack(terms).sum(0).mean() / sum(len(grams) for grams in self._target_grams)

    def _features(self, batch_rgb: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        return self._vgg(batch_rgb.to(self._dtype, memory_format=torch.channels_last), layers)


class Repetition:
    """How much more often than in the painting patterns repeat some pixels away, along eight directions.

        L_repetition = mean_l |C_d(y) - C_d(a)|_F^2 / |C_0(a)|_F^2      (see models.losses.shifted_covariance)

    Gram matrices alone are met by one small ring in every other cell of a flat wall; a painting hardly repeats itself.

    Args:
        painting: layer name -> (1, C, H, W), activations of the painting; layers of _REPETITION_STRIDES.
    """

    def __init__(self, painting: Mapping[str, Tensor]) -> None:
        self._means = {name: found.float().mean((2, 3), keepdim=True) for name, found in painting.items()}
        self._norms = {name: self._covariance(painting, name, (0, 0)).square().sum((1, 2)) for name in painting}
        self._targets = [
            {name: self._covariance(painting, name, shift_px) for name in painting} for shift_px in _REPETITION_SHIFTS_PX
        ]

    def __call__(self, features: Mapping[str, Tensor], turn: int) -> Tensor:
        """The loss at one of the shifts, which are taken in turns: (B,) float32."""
        number = turn % len(_REPETITION_SHIFTS_PX)
        terms = []
        for name, target in self._targets[number].items():
            found = self._covariance(features, name, _REPETITION_SHIFTS_PX[number])
            terms.append((found - target).square().sum((1, 2)) / self._norms[name].clamp_min(1e-8))
        return torch.stack(terms).mean(0)

    def _covariance(self, features: Mapping[str, Tensor], name: str, shift_px: tuple[int, int]) -> Tensor:
        down, right = (int(pixels / _REPETITION_STRIDES[name]) for pixels in shift_px)
        return shifted_covariance(features[name], self._means[name], down, right)


class ViewPainter(nn.Module):
    """Paints the two views of each photo: the first with its surroundings, the second as live, its border repeated.

    The stability term, which compares them, thus also takes away whatever the network does at borders.
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, wide: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Both paintings, each of its view's size."""
        return self.generator(wide, repeat_border=False), self.generator(second)
