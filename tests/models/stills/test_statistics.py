"""Style statistics: values by hand, and what each of them sees and overlooks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from models.stills.statistics import (
    _LARGEST_PROJECTION,
    GramStatistic,
    PublishedGramStatistic,
    Statistic,
    WassersteinStatistic,
    build_statistic,
)

NAMES = ("gram", "covariance", "wasserstein")


def combined(statistic: Statistic, features: Tensor, weights: Tensor | None = None) -> Tensor:
    area = features.shape[2] * features.shape[3]
    total = float(area if weights is None else weights.sum())
    return statistic.combine([statistic.measure("relu1_1", features, weights, area)], total)


def noise(channels: int = 6, side: int = 16, seed: int = 0) -> Tensor:
    return torch.randn(1, channels, side, side, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_gram_matrix_by_hand() -> None:
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]])  # two channels at two positions
    gram = combined(GramStatistic(), features)
    assert gram.tolist() == [[2.5, 1.5], [1.5, 4.5]]
    target = torch.tensor([[2.5, 1.5], [1.5, 2.5]])
    assert float(GramStatistic().distance(gram, target)) == pytest.approx(4 / 17)
    assert float(PublishedGramStatistic().distance(gram, target)) == pytest.approx(4 / (4 * 2**2))


@pytest.mark.parametrize("name", NAMES)
def test_equal_pictures_are_at_distance_0_wherever_their_features_lie(name: str) -> None:
    statistic = build_statistic(name, "relative", 0)
    features = noise()
    moved = features.flatten(2)[:, :, torch.randperm(256, generator=torch.Generator().manual_seed(1))].reshape(features.shape)
    target = statistic.blend([combined(statistic, features)], [1.0])
    assert float(statistic.distance(combined(statistic, moved), target)) == pytest.approx(0, abs=1e-4)
    assert float(statistic.distance(combined(statistic, 2 * moved), target)) > 0.1


def test_covariance_of_coarse_features_is_at_distance_0_of_itself() -> None:
    """Means far above the spread, as rectified features have them, in the precision that a loss network computes in."""
    statistic = build_statistic("covariance", "relative", 0)
    found = combined(statistic, (noise(32, 64) + 30).bfloat16())
    assert float(statistic.distance(found, found)) == pytest.approx(0, abs=1e-6)
    mean = found[:-1, -1].double()
    covariance = found[:-1, :-1].double() - torch.outer(mean, mean)
    assert float(torch.linalg.eigvalsh(covariance).min()) > 0.5


def test_covariance_is_the_wasserstein_distance_of_two_gaussians() -> None:
    """One channel: (m - n)^2 + (s - t)^2 over n^2 + t^2."""
    statistic = build_statistic("covariance", "relative", 0)
    values = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64).reshape(1, 1, 2, 2)
    found, target = combined(statistic, 3 * values + 5), combined(statistic, values + 2)
    assert float(statistic.distance(found, target)) == pytest.approx((3**2 + 2**2) / (2**2 + 1**2), rel=1e-4)


def test_sliced_wasserstein_by_hand() -> None:
    """One channel has one direction, up to its sign: the difference of the sorted values."""
    statistic = WassersteinStatistic(0)
    found = torch.tensor([4.0, 0.0, 2.0, 6.0]).reshape(1, 1, 2, 2)
    target = torch.tensor([1.0, 3.0, 7.0, 5.0]).reshape(1, 1, 2, 2)
    distance = statistic.distance(combined(statistic, found), combined(statistic, target))
    assert float(distance) == pytest.approx(1 / 21, rel=1e-4)


def test_sliced_wasserstein_of_one_distribution_at_two_sizes_is_0() -> None:
    """Values spread evenly from 1 to 3: the least stands against the least, the largest against the largest."""
    statistic = WassersteinStatistic(0)
    small, large = (torch.linspace(1, 3, side * side).reshape(1, 1, side, side) for side in (3, 8))
    for found, target in ((small, large), (large, small)):
        distance = statistic.distance(combined(statistic, found), combined(statistic, target))
        assert float(distance) == pytest.approx(0, abs=1e-10)


def test_only_the_whole_distribution_tells_two_values_from_a_bell() -> None:
    """The same mean and variance in every channel: what Gram matrices and covariances cannot see."""
    side = 64
    bell = noise(1, side)
    bell = (bell - bell.mean()) / bell.std(correction=0)
    two = torch.ones(1, 1, side, side, dtype=torch.float64)
    two[:, :, ::2] = -1
    distances = {}
    for name in NAMES:
        statistic = build_statistic(name, "relative", 0)
        distances[name] = float(statistic.distance(combined(statistic, two), combined(statistic, bell)))
    assert distances["gram"] == pytest.approx(0, abs=1e-4)
    assert distances["covariance"] == pytest.approx(0, abs=1e-4)
    assert distances["wasserstein"] > 0.1


@pytest.mark.parametrize("name", NAMES)
def test_pieces_combine_to_the_whole(name: str) -> None:
    statistic = build_statistic(name, "relative", 0)
    features = noise()
    pieces = [statistic.measure("relu1_1", part, None, 256) for part in (features[:, :, :5], features[:, :, 5:])]
    torch.testing.assert_close(statistic.combine(pieces, 256), combined(statistic, features))


@pytest.mark.parametrize("name", NAMES)
def test_weights_leave_positions_out(name: str) -> None:
    statistic = build_statistic(name, "relative", 0)
    features, weights = noise(), torch.zeros(16, 16)
    weights[:8] = 1
    torch.testing.assert_close(combined(statistic, features, weights), combined(statistic, features[:, :, :8]))


@pytest.mark.parametrize("name", NAMES)
def test_a_blend_lies_between(name: str) -> None:
    statistic = build_statistic(name, "relative", 0)
    first, second = combined(statistic, noise(seed=1)), combined(statistic, 3 + noise(seed=2))
    ends = [float(statistic.distance(first, statistic.blend([first, second], [w, 1 - w]))) for w in (1.0, 0.5, 0.0)]
    assert ends[0] == pytest.approx(0, abs=1e-4)
    assert ends[0] < ends[1] < ends[2]


@pytest.mark.parametrize("counted", [0, 4], ids=["black", "narrow"])
def test_a_mask_that_leaves_nothing_or_little_has_a_finite_distance_and_gradient(counted: int) -> None:
    """Positions that count less than half are left out: all of them, or all but one."""
    statistic = build_statistic("wasserstein", "relative", 0)
    weights = torch.zeros(16, 16)
    weights[:, :counted] = 0.4
    if counted:
        weights[0, 0] = 1
    features = noise().requires_grad_()
    distance = statistic.distance(combined(statistic, features, weights + 1e-9), combined(statistic, noise(seed=1)))
    distance.backward()
    assert features.grad is not None
    assert bool(torch.isfinite(features.grad).all())
    assert float(distance.detach()) == 0 if not counted else float(distance.detach()) > 0


def test_the_directions_depend_on_the_seed_alone() -> None:
    features = noise()
    first, again, other = (combined(WassersteinStatistic(seed), features) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_large_picture_is_looked_at_from_fewer_directions_which_smaller_ones_share() -> None:
    statistic, features = WassersteinStatistic(0), noise(channels=16)
    all_of_them, first_ones = (
        statistic.combine([statistic.measure("relu1_1", features, None, area)], area)
        for area in (256, _LARGEST_PROJECTION // 10)
    )
    assert (len(all_of_them), len(first_ones)) == (16, 10)
    for found, target in ((all_of_them, first_ones), (first_ones, all_of_them)):
        assert float(statistic.distance(found, target)) == pytest.approx(0, abs=1e-6)
        assert statistic.blend([found, target], [0.5, 0.5]).shape[0] == 10
