"""Learning a texture: the loss falls, the colours come."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from models.schedule import Progress
from models.texture_net import TextureNet, TextureSettings, draw_noise
from models.textures import training as module
from models.textures.training import TextureRecipe, TextureTraining, train_texture
from models.vgg import VGGFeatures
from realtime.errors import ModelError
from tests.models.stills.fakes import network as loss_network
from tests.models.stills.fakes import painting as stripes

SMALL = TextureSettings(scales=3, width=4)
STEPS = 40


@pytest.fixture(autouse=True)
def _shallow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STYLE_LAYERS", ("relu1_1", "relu2_1"))


def a_training(seed: int = 0, features: VGGFeatures | None = None) -> TextureTraining:
    painting = (stripes(64, 64) * 255).to(torch.uint8)
    return TextureTraining(features or loss_network(), painting, SMALL, TextureRecipe(64, 0.02, seed), torch.device("cpu"))


def a_picture(network: TextureNet) -> Tensor:
    with torch.inference_mode():
        return network(draw_noise(SMALL, (64, 64), torch.Generator().manual_seed(9)))


def test_a_few_steps_bring_style_loss_down_and_the_paintings_colours() -> None:
    losses: list[float] = []
    progress = Progress(STEPS, None)
    network = train_texture(a_training(), progress, losses.append)
    assert progress.step == STEPS == len(losses)
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    torch.testing.assert_close(a_picture(network).mean((0, 2, 3)), stripes(64, 64).mean((1, 2)), atol=0.1, rtol=0)
    assert not network.training


def test_the_same_seed_gives_the_same_network_and_leaves_others_numbers_alone() -> None:
    features = loss_network()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    networks = [train_texture(a_training(seed, features), Progress(3, None)) for seed in (1, 1, 2)]
    assert torch.equal(torch.rand(3), expected)
    first, again, other = (a_picture(network) for network in networks)
    assert torch.equal(first, again)
    assert float((first - other).abs().mean()) > 0.01


def test_each_step_sees_other_noise_and_follows_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Tensor] = []

    def draw(*arguments: Any) -> list[Tensor]:
        levels = draw_noise(*arguments)
        drawn.append(levels[-1])
        return levels

    monkeypatch.setattr(module, "draw_noise", draw)
    training = a_training()
    rates = []
    for number, share in ((0, 0.0), (30, 0.3), (99, 0.99)):
        training.step(number, share)
        rates.append(training._optimizer.param_groups[0]["lr"])
    assert not torch.equal(drawn[0], drawn[1])
    assert 0 < rates[0] < 0.002  # warming up
    assert rates[1] == pytest.approx(0.02 * 0.8, rel=0.05)
    assert rates[2] < 0.0005


def test_a_training_ends_with_its_minutes_or_when_it_is_stopped() -> None:
    times = iter(range(100))
    by_time = Progress(None, 0.1)
    train_texture(a_training(), by_time, clock=lambda: float(next(times)))
    assert by_time.step == 6
    stopped = Progress(STEPS, None)
    train_texture(a_training(), stopped, is_stopped=lambda: stopped.step == 2)
    assert stopped.step == 2


def test_weights_that_are_not_finite_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    training = a_training()
    monkeypatch.setattr(training._optimizer, "step", lambda: training.network.to_rgb.weight.data.fill_(float("inf")))
    with pytest.raises(ModelError, match=r"not finite.*try a smaller --learning-rate"):
        train_texture(training, Progress(1, None))


def test_a_gradient_that_is_not_finite_changes_no_weight() -> None:
    training = a_training()
    before = {name: value.clone() for name, value in training.network.state_dict().items()}
    training.network.to_rgb.bias.register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(ModelError, match="gradient not finite at step 0"):
        train_texture(training, Progress(STEPS, None))
    assert all(torch.equal(value, before[name]) for name, value in training.network.state_dict().items())


def test_a_loss_that_is_not_finite_is_told() -> None:
    training = a_training()
    with torch.no_grad():
        training.network.to_rgb.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="loss not finite at step 0; try a smaller --learning-rate"):
        train_texture(training, Progress(STEPS, None))
