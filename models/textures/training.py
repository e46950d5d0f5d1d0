"""Teaches a texture network one painting: by Gram matrices alone, there is no photograph."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.devices import bfloat16_pays
from models.images import as_batch
from models.losses import STYLE_LAYERS, gram_matrix, style_loss
from models.schedule import Progress, cosine_rate
from models.texture_net import TextureNet, TextureSettings, draw_noise
from models.vgg import VGGFeatures
from realtime.errors import ModelError

_WARM_UP_STEPS = 20
_GRADIENT_NORM = 5.0


@dataclass(frozen=True)
class TextureRecipe:
    """How a texture network is trained.

    size: side of the squares that it paints meanwhile.
    """

    size: int = 256
    learning_rate: float = 0.02
    seed: int = 0


class TextureTraining:
    """One training.

    Args:
        features: VGG-19 with the style layers; it is moved to the device, and to the precision that is fastest there.
        painting: (3, H, W) uint8.
    """

    def __init__(
        self,
        features: VGGFeatures,
        painting: Tensor,
        settings: TextureSettings,
        recipe: TextureRecipe,
        device: torch.device,
    ) -> None:
        self._recipe, self._device = recipe, device
        self._dtype = torch.bfloat16 if bfloat16_pays(device) else torch.float32
        self._vgg = features.to(device, self._dtype).to(memory_format=torch.channels_last)
        self._random = torch.Generator().manual_seed(recipe.seed)
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)
            self.network = TextureNet(settings).to(device)
        self._optimizer = torch.optim.Adam(self.network.parameters(), recipe.learning_rate)
        with torch.no_grad():
            found = self._features(as_batch(painting).to(device))
            self._target_grams = {name: gram_matrix(layer.float()) for name, layer in found.items()}

    def step(self, number: int, share: float) -> float:
        """One step; returns its style loss, about 1 at first.

        Args:
            number: of the step.
            share: how much of the training is done, 0 to 1.
        Raises:
            FloatingPointError: the loss or its gradient is not finite; the weights are those of the step before.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = cosine_rate(self._recipe.learning_rate, number, share, _WARM_UP_STEPS)
        side = self._recipe.size
        noise = [level.to(self._device) for level in draw_noise(self.network.settings, (side, side), self._random)]
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._dtype is torch.bfloat16):
            painted = self.network(noise)
        loss = style_loss(self._features(painted.float()), self._target_grams).mean()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FloatingPointError(f"loss not finite at step {number}")
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if not math.isfinite(float(nn.utils.clip_grad_norm_(self.network.parameters(), _GRADIENT_NORM))):
            raise FloatingPointError(f"gradient not finite at step {number}")
        self._optimizer.step()
        return value

    def _features(self, batch_rgb: Tensor) -> dict[str, Tensor]:
        return self._vgg(batch_rgb.to(self._dtype, memory_format=torch.channels_last), STYLE_LAYERS)


def train_texture(
    training: TextureTraining,
    progress: Progress,
    tell: Callable[[float], None] = lambda _loss: None,
    is_stopped: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> TextureNet:
    """Trains until the steps or minutes are over, or until it is stopped.

    Args:
        tell: called after each step with its style loss.
    Returns:
        The network as it is then, ready to paint.
    Raises:
        ModelError: values that are not finite.
    """
    started_s = clock()
    while progress.share() < 1 and not is_stopped():
        try:
            loss = training.step(progress.step, progress.share())
        except FloatingPointError as error:
            raise ModelError(f"texture: {error}; try a smaller --learning-rate") from None
        progress.step += 1
        progress.seconds = clock() - started_s
        tell(loss)
    if not all(bool(torch.isfinite(value).all()) for value in training.network.parameters()):
        raise ModelError("texture: weights not finite; try a smaller --learning-rate")
    return training.network.eval()
