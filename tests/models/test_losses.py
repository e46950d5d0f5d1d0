"""Losses against values worked out by hand and against what must hold for any picture."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.losses import (
    content_loss,
    gram_matrix,
    picture_pyramid,
    relative_squared_error,
    shifted_covariance,
    stability_loss,
    style_loss,
    total_variation,
)

SEEDS = st.integers(0, 2**31 - 1)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_gram_matrix_of_two_channels_and_two_pixels_by_hand() -> None:
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])
    expected = torch.tensor([[[5.0, 11.0], [11.0, 25.0]]]) / 2
    torch.testing.assert_close(gram_matrix(features), expected)


def test_gram_matrix_of_a_2x2_picture_by_hand() -> None:
    features = torch.tensor([[[[1.0, 0.0], [0.0, 2.0]], [[0.0, 3.0], [1.0, 1.0]]]])
    expected = torch.tensor([[[5.0, 2.0], [2.0, 11.0]]]) / 4
    torch.testing.assert_close(gram_matrix(features), expected)


@settings(deadline=None)
@given(SEEDS, st.integers(1, 3), st.integers(1, 6), st.integers(1, 7), st.integers(1, 7))
def test_gram_matrix_is_symmetric_and_positive_semi_definite(
    seed: int, batch: int, channels: int, height: int, width: int
) -> None:
    gram = gram_matrix(noise(batch, channels, height, width, seed=seed))
    assert gram.shape == (batch, channels, channels)
    torch.testing.assert_close(gram, gram.transpose(1, 2))
    assert float(torch.linalg.eigvalsh(gram.double()).min()) > -1e-5


@settings(deadline=None)
@given(SEEDS, st.integers(1, 3), st.integers(1, 3))
def test_gram_matrix_does_not_depend_on_the_size_of_a_tiled_picture(seed: int, down: int, across: int) -> None:
    features = noise(1, 3, 4, 5, seed=seed)
    torch.testing.assert_close(gram_matrix(features.repeat(1, 1, down, across)), gram_matrix(features))


@settings(deadline=None)
@given(SEEDS)
def test_gram_matrix_does_not_depend_on_where_things_are(seed: int) -> None:
    features = noise(1, 3, 4, 5, seed=seed)
    torch.testing.assert_close(gram_matrix(features.flip(2).roll(2, 3)), gram_matrix(features))


def test_gram_matrix_is_the_same_for_both_memory_layouts() -> None:
    features = noise(2, 3, 4, 5)
    channels_last = features.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(gram_matrix(channels_last), gram_matrix(features))


def test_gram_matrix_of_half_precision_comes_back_in_float32() -> None:
    assert gram_matrix(noise(1, 3, 4, 4).bfloat16()).dtype == torch.float32


@pytest.mark.parametrize("shape", [(3, 4, 4), (4, 4), (1, 1, 3, 4, 4)])
def test_gram_matrix_refuses_what_is_not_4d(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected \(batch, channels, height, width\), found"):
        gram_matrix(torch.zeros(shape))


def test_shifted_covariance_of_two_channels_and_three_pixels_by_hand() -> None:
    features = torch.tensor([[[[1.0, 2.0, 4.0]], [[0.0, 3.0, 5.0]]]])
    mean = torch.tensor([[[[1.0]], [[2.0]]]])
    # Taken off: 0 1 3 and -2 1 3. Products of places 0 and 1 with 1 and 2, halved.
    expected = torch.tensor([[[3.0, 3.0], [3.0 - 2.0, 3.0 - 2.0]]]) / 2
    torch.testing.assert_close(shifted_covariance(features, mean, 0, 1), expected)


@settings(deadline=None)
@given(SEEDS)
def test_without_a_shift_and_a_mean_it_is_the_gram_matrix(seed: int) -> None:
    features = noise(2, 3, 4, 5, seed=seed)
    torch.testing.assert_close(shifted_covariance(features, torch.zeros(1, 3, 1, 1), 0, 0), gram_matrix(features))


@settings(deadline=None)
@given(SEEDS, st.integers(0, 2), st.integers(0, 2))
def test_shifted_covariance_sees_what_comes_again_after_the_shift(seed: int, down: int, right: int) -> None:
    tile = noise(1, 3, 3, 3, seed=seed)
    tiled, mean = tile.repeat(1, 1, 4, 4), tile.mean((2, 3), keepdim=True)
    here = shifted_covariance(tiled[..., :9, :9], mean, 0, 0)
    again = shifted_covariance(tiled[..., : 9 + 3, : 9 + 3], mean, 3, 3)
    torch.testing.assert_close(again, here)
    assert float(shifted_covariance(tiled, mean, down, right).square().sum()) <= 2 * float(here.square().sum())


@settings(deadline=None)
@given(SEEDS, st.integers(0, 2), st.integers(-3, 3))
def test_shifted_covariance_to_the_left_is_the_mirrored_picture_to_the_right(seed: int, down: int, right: int) -> None:
    features, mean = noise(1, 3, 4, 5, seed=seed), noise(1, 3, 1, 1, seed=seed + 1)
    mirrored = shifted_covariance(features.flip(3), mean, down, -right)
    torch.testing.assert_close(shifted_covariance(features, mean, down, right), mirrored)


@pytest.mark.parametrize("shift", [(-1, 0), (0, -4), (3, 0), (0, 4)])
def test_shifted_covariance_refuses_a_shift_that_leaves_nothing(shift: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="shift"):
        shifted_covariance(noise(1, 2, 3, 4), torch.zeros(1, 2, 1, 1), *shift)


def test_shifted_covariance_refuses_what_is_not_4d() -> None:
    with pytest.raises(ValueError, match="expected"):
        shifted_covariance(noise(2, 3, 4), torch.zeros(1, 2, 1, 1), 0, 0)


def test_relative_error_is_zero_where_equal_and_one_where_nothing_was_found() -> None:
    target = noise(2, 3, 4)
    found = torch.stack([target[0], torch.zeros(3, 4)])
    torch.testing.assert_close(relative_squared_error(found, target), torch.tensor([0.0, 1.0]))


def test_relative_error_by_hand() -> None:
    found, target = torch.tensor([[1.0, 1.0]]), torch.tensor([[3.0, 4.0]])
    torch.testing.assert_close(relative_squared_error(found, target), torch.tensor([(4 + 9) / 25]))


def test_relative_error_of_half_precision_is_summed_in_float32() -> None:
    """bfloat16 counts up to 256."""
    target = torch.ones(1, 257).bfloat16()
    torch.testing.assert_close(relative_squared_error(torch.zeros_like(target), target), torch.ones(1))


def test_relative_error_takes_one_target_for_a_whole_batch() -> None:
    found = torch.tensor([[2.0, 0.0], [0.0, 0.0], [4.0, 0.0]])
    torch.testing.assert_close(relative_squared_error(found, torch.tensor([[2.0, 0.0]])), torch.tensor([0.0, 1.0, 1.0]))


@settings(deadline=None)
@given(SEEDS, st.floats(0.01, 100))
def test_relative_error_does_not_depend_on_the_unit(seed: int, scale: float) -> None:
    found, target = noise(2, 5, seed=seed), noise(2, 5, seed=seed + 1)
    expected = relative_squared_error(found, target)
    torch.testing.assert_close(relative_squared_error(found * scale, target * scale), expected, rtol=1e-3, atol=1e-5)


def test_relative_error_stays_finite_for_an_empty_target() -> None:
    assert bool(torch.isfinite(relative_squared_error(torch.ones(1, 2), torch.zeros(1, 2))).all())


def test_relative_error_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match=r"shapes differ: found \(1, 2\), target \(1, 3\)"):
        relative_squared_error(torch.zeros(1, 2), torch.zeros(1, 3))


def test_style_loss_is_zero_for_the_painting_itself_and_one_for_nothing() -> None:
    painting = {"relu1_1": noise(1, 3, 4, 4), "relu2_1": noise(1, 5, 2, 2)}
    grams = {name: gram_matrix(features) for name, features in painting.items()}
    nothing = {name: torch.zeros_like(features) for name, features in painting.items()}
    torch.testing.assert_close(style_loss(painting, grams), torch.zeros(1))
    torch.testing.assert_close(style_loss(nothing, grams), torch.ones(1))


def test_style_loss_is_the_mean_over_the_layers() -> None:
    painting = {"relu1_1": noise(1, 3, 4, 4), "relu2_1": noise(1, 5, 2, 2)}
    grams = {name: gram_matrix(features) for name, features in painting.items()}
    half_right = {"relu1_1": painting["relu1_1"], "relu2_1": torch.zeros(1, 5, 2, 2)}
    torch.testing.assert_close(style_loss(half_right, grams), torch.tensor([0.5]))


def test_style_loss_is_computed_for_each_picture_of_a_batch() -> None:
    painting = noise(1, 3, 4, 4)
    batch = torch.cat([painting, torch.zeros(1, 3, 4, 4)])
    torch.testing.assert_close(style_loss({"relu1_1": batch}, {"relu1_1": gram_matrix(painting)}), torch.tensor([0.0, 1.0]))


def test_style_loss_names_the_layers_that_are_missing() -> None:
    with pytest.raises(ValueError, match=r"features lack the layers relu4_1, relu5_1"):
        style_loss({"relu1_1": noise(1, 3, 2, 2)}, {name: torch.zeros(1, 3, 3) for name in ("relu5_1", "relu1_1", "relu4_1")})


def test_style_loss_refuses_no_layers() -> None:
    with pytest.raises(ValueError, match="no layers given"):
        style_loss({"relu1_1": noise(1, 3, 2, 2)}, {})


def test_content_loss_by_hand() -> None:
    target = torch.tensor([3.0, 4.0]).reshape(1, 1, 1, 2)
    torch.testing.assert_close(content_loss(target * 2, target), torch.tensor([1.0]))
    torch.testing.assert_close(content_loss(target, target), torch.tensor([0.0]))


def test_content_loss_refuses_other_sizes() -> None:
    with pytest.raises(ValueError, match="shapes differ"):
        content_loss(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 5))


@settings(deadline=None)
@given(st.floats(-1, 2), st.integers(2, 9), st.integers(2, 9))
def test_total_variation_of_a_constant_picture_is_zero(level: float, height: int, width: int) -> None:
    assert total_variation(torch.full((2, 3, height, width), level)).tolist() == [0.0, 0.0]


def test_total_variation_by_hand() -> None:
    stripes = torch.tensor([[0.0, 1.0], [0.0, 1.0]]).reshape(1, 1, 2, 2)
    checks = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).reshape(1, 1, 2, 2)
    one_corner = torch.tensor([[0.0, 0.0], [0.0, 2.0]]).reshape(1, 1, 2, 2)
    torch.testing.assert_close(total_variation(stripes), torch.tensor([1.0]))
    torch.testing.assert_close(total_variation(checks), torch.tensor([2.0]))
    torch.testing.assert_close(total_variation(one_corner), torch.tensor([4.0]))


@settings(deadline=None)
@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.integers(2, 8), st.integers(2, 8))
def test_total_variation_of_a_ramp_is_its_squared_slope_at_any_size(
    down: float, across: float, height: int, width: int
) -> None:
    rows, columns = torch.arange(height).reshape(-1, 1), torch.arange(width).reshape(1, -1)
    ramp = (rows * down + columns * across).expand(1, 3, height, width)
    torch.testing.assert_close(total_variation(ramp), torch.tensor([down**2 + across**2]), rtol=1e-3, atol=1e-6)


@settings(deadline=None)
@given(SEEDS)
def test_total_variation_ignores_brightness_and_mirroring(seed: int) -> None:
    picture = noise(1, 3, 5, 6, seed=seed)
    torch.testing.assert_close(total_variation(picture.flip(2, 3) + 0.25), total_variation(picture), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 3, 1, 8), (1, 3, 8, 1), (3, 8, 8)])
def test_total_variation_refuses_pictures_without_neighbours(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least 2x2"):
        total_variation(torch.zeros(shape))


@settings(deadline=None)
@given(SEEDS)
def test_stability_is_zero_where_the_painting_changes_as_the_photo_does(seed: int) -> None:
    photo, painting, change = (noise(2, 3, 4, 5, seed=seed + k) for k in range(3))
    unsteady = stability_loss(painting, painting + change, photo, photo + change)
    torch.testing.assert_close(unsteady, torch.zeros(2), rtol=0, atol=1e-10)


def test_stability_is_the_mean_square_of_what_the_painting_changes_more() -> None:
    photo, painting = noise(1, 3, 4, 4, seed=1), noise(1, 3, 4, 4, seed=2)
    torch.testing.assert_close(stability_loss(painting, painting + 0.5, photo, photo), torch.tensor([0.25]))
    torch.testing.assert_close(stability_loss(painting, painting + 0.5, photo, photo + 0.2), torch.tensor([0.09]))
    torch.testing.assert_close(stability_loss(painting, painting, photo, photo + 0.2), torch.tensor([0.04]))


def test_stability_is_computed_for_each_picture_of_a_batch() -> None:
    still = torch.zeros(2, 3, 4, 4)
    moved = torch.stack([torch.zeros(3, 4, 4), torch.ones(3, 4, 4)])
    torch.testing.assert_close(stability_loss(still, moved, still, still), torch.tensor([0.0, 1.0]))


def test_stability_refuses_four_pictures_of_different_sizes() -> None:
    small, large = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 5)
    with pytest.raises(ValueError, match="four equal shapes"):
        stability_loss(small, small, small, large)


def test_losses_have_gradients_that_are_finite() -> None:
    picture = noise(1, 3, 4, 4).requires_grad_()
    target = {"relu1_1": gram_matrix(noise(1, 3, 4, 4, seed=1))}
    photo = torch.zeros(1, 3, 4, 4)
    total = style_loss({"relu1_1": picture}, target) + content_loss(picture, photo + 1) + total_variation(picture)
    (total + stability_loss(picture, photo, photo, photo)).sum().backward()
    assert picture.grad is not None
    assert bool(torch.isfinite(picture.grad).all())
    assert float(picture.grad.abs().sum()) > 0


def test_a_pyramid_halves_by_means_of_2x2_pixels() -> None:
    picture = torch.arange(16.0).reshape(1, 1, 4, 4)
    levels = picture_pyramid(picture, 3)
    assert [tuple(level.shape[-2:]) for level in levels] == [(4, 4), (2, 2), (1, 1)]
    torch.testing.assert_close(levels[1][0, 0], torch.tensor([[2.5, 4.5], [10.5, 12.5]]))
    torch.testing.assert_close(levels[2][0, 0], torch.tensor([[7.5]]))


@pytest.mark.parametrize("levels", [0, 4])
def test_a_pyramid_is_not_higher_than_the_picture(levels: int) -> None:
    with pytest.raises(ValueError, match="pyramid"):
        picture_pyramid(torch.zeros(1, 3, 4, 6), levels)
