"""The repetition term: nothing for the painting itself, little for other parts of it, much for one tile everywhere."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models.objective import _REPETITION_SHIFTS_PX, _REPETITION_STRIDES, Repetition


def features_of(picture: Tensor) -> dict[str, Tensor]:
    """Stand-ins for VGG's: means of the places of each layer's stride."""
    return {name: F.avg_pool2d(picture, stride) for name, stride in _REPETITION_STRIDES.items()}


def smooth_noise(seed: int, size: int = 256) -> Tensor:
    coarse = torch.randn(1, 6, size // 8, size // 8, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(coarse, scale_factor=8, mode="bilinear")


def mean_over_turns(term: Repetition, picture: Tensor) -> float:
    turns = len(_REPETITION_SHIFTS_PX)
    return sum(float(term(features_of(picture), turn)) for turn in range(turns)) / turns


def test_the_painting_itself_costs_nothing() -> None:
    painting = smooth_noise(0)
    term = Repetition(features_of(painting))
    for turn in range(2 * len(_REPETITION_SHIFTS_PX)):
        assert float(term(features_of(painting), turn)) < 1e-6


def test_a_flat_picture_lacks_all_of_what_comes_again_in_a_painting_of_tiles() -> None:
    """By hand: shifted by whole tiles the painting's covariance is that of no shift, and that of what is flat is zero."""
    painting = features_of(torch.randn(1, 6, 16, 16, generator=torch.Generator().manual_seed(0)).repeat(1, 1, 4, 4))
    flat = {name: found.mean((2, 3), keepdim=True).expand_as(found) for name, found in painting.items()}
    term = Repetition(painting)
    whole = [turn for turn, (down, right) in enumerate(_REPETITION_SHIFTS_PX) if down % 16 == right % 16 == 0]
    assert [float(term(flat, turn)) for turn in whole] == pytest.approx([1.0] * 4, rel=1e-4)


def test_one_tile_everywhere_costs_more_than_another_piece_of_the_same_texture() -> None:
    painting = smooth_noise(0)
    term = Repetition(features_of(painting))
    another, tiled = smooth_noise(1), smooth_noise(2)[..., :16, :16].repeat(1, 1, 16, 16)
    assert mean_over_turns(term, tiled) > 5 * mean_over_turns(term, another)


@pytest.mark.parametrize("rows", [1, -1], ids=["falling", "rising"])
def test_a_row_of_rings_along_either_diagonal_costs_more_than_the_rings_apart(rows: int) -> None:
    term = Repetition(features_of(smooth_noise(0)))
    apart, in_rows = smooth_noise(3).mul(0.1), smooth_noise(3).mul(0.1)
    ring = 8 * smooth_noise(4)[..., :8, :8]
    random = torch.Generator().manual_seed(0)
    for place in range(8, 240, 12):
        across = place if rows > 0 else 240 - place
        in_rows[..., place : place + 8, across : across + 8] += ring
        y, x = (8 * int(torch.randint(1, 29, (), generator=random)) for _ in range(2))
        apart[..., y : y + 8, x : x + 8] += ring
    assert mean_over_turns(term, in_rows) > 1.5 * mean_over_turns(term, apart)


def test_every_shift_is_looked_at_in_turn_and_each_picture_of_a_batch_by_itself() -> None:
    term = Repetition(features_of(smooth_noise(0)))
    pictures = torch.cat([smooth_noise(1), smooth_noise(2)])
    losses = [term(features_of(pictures), turn) for turn in range(len(_REPETITION_SHIFTS_PX))]
    assert all(loss.shape == (2,) for loss in losses)
    assert len({round(float(loss[0]), 6) for loss in losses}) == len(losses)
    for turn, loss in enumerate(losses):
        alone = torch.cat([term(features_of(picture[None]), turn) for picture in pictures])
        assert torch.allclose(loss, alone, rtol=1e-4)
