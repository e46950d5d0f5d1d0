"""Style statistics: what is compared of a style's features. Each adds up over tiles, so that size is no matter.

A statistic is used in three steps, which keep the pieces of a large picture apart until the comparison:
`measure` a piece, `combine` the pieces' measures, `distance` of two combined measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

_QUANTILES = 8192  # of a target's distribution in each direction
_LARGEST_PROJECTION = 2**22  # values of one layer in all directions: bounds the memory of their sorting
_FEWEST_DIRECTIONS = 8
_TINY = 1e-12


class Statistic(Protocol):
    """One way to compare the features of two pictures, wherever in the picture they lie."""

    def measure(self, layer: str, features: Tensor, weights: Tensor | None, area: int) -> Tensor:
        """What a piece of a picture contributes.

        Args:
            layer: its name.
            features: (1, C, h, w), of the piece.
            weights: (h, w) float 0..1, how much each position counts; None: all fully.
            area: positions of the whole picture at this layer.
        """
        ...

    def combine(self, measures: Sequence[Tensor], total: float) -> Tensor:
        """The statistic of a whole picture from its pieces' measures and the sum of their weights."""
        ...

    def blend(self, targets: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
        """Weighted mean of several pictures' statistics; the weights sum to 1."""
        ...

    def distance(self, found: Tensor, target: Tensor) -> Tensor:
        """Scalar, 0 where both are equal; about 1 where found has nothing of the target."""
        ...


class GramStatistic:
    """Gram matrices, G = F F^T / (H W) (Gatys et al. 2016, Eq. 3), compared by |G - A|^2 / |A|^2."""

    def measure(self, layer: str, features: Tensor, weights: Tensor | None, area: int) -> Tensor:
        """(C, C): the sum over the piece's positions of w f f^T."""
        flat = _positions(features)
        weighted = flat if weights is None else flat * weights.reshape(-1, 1).to(flat.dtype)
        return _precise(weighted.transpose(0, 1) @ flat)

    def combine(self, measures: Sequence[Tensor], total: float) -> Tensor:
        """(C, C): the mean of f f^T over the whole picture."""
        return torch.stack(tuple(measures)).sum(0) / total

    def blend(self, targets: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
        """(C, C): of pictures side by side, each on its share of the area."""
        return torch.stack([target * weight for target, weight in zip(targets, weights, strict=True)]).sum(0)

    def distance(self, found: Tensor, target: Tensor) -> Tensor:
        """|G - A|_F^2 / |A|_F^2."""
        return (found - target).square().sum() / target.square().sum().clamp_min(_TINY)


class PublishedGramStatistic(GramStatistic):
    """The same with the paper's constant, E = 1 / (4 N^2 M^2) sum (G - A)^2 (Eq. 4), where G is a sum over M positions.

    Here G is a mean already, so that 1 / M^2 is in it, and pictures of two sizes compare.
    """

    def distance(self, found: Tensor, target: Tensor) -> Tensor:
        """1 / (4 N^2) sum (G - A)^2."""
        return (found - target).square().mean() / 4


class CovarianceStatistic(GramStatistic):
    """Mean and covariance, compared as two Gaussians by their squared 2-Wasserstein distance over the target's energy.

    W^2 = |m - n|^2 + tr(C + D - 2 (D^1/2 C D^1/2)^1/2)      (Olkin and Pukelsheim 1982)
    """

    def measure(self, layer: str, features: Tensor, weights: Tensor | None, area: int) -> Tensor:
        """(C + 1, C + 1): sums of w f f^T, and of w f in the last row and column."""
        precise = _precise(features)  # a covariance is what remains when the means' product is taken off: digits are lost
        ones = torch.ones_like(precise[:, :1])
        return super().measure(layer, torch.cat((precise, ones), 1), weights, area)

    def distance(self, found: Tensor, target: Tensor) -> Tensor:
        """W^2 / (|n|^2 + tr D)."""
        # In float64: eigenvalues of features that hardly vary would drown in the others' rounding.
        mean, covariance = _moments(found.double())
        target_mean, target_covariance = _moments(target.double())
        root = _square_root(target_covariance)
        # Eigenvalues of the product, not its root: the gradient of their sum needs no division by their differences.
        shared = torch.linalg.eigvalsh(_symmetric(root @ covariance @ root)).clamp_min(_TINY).sqrt().sum()
        spread = covariance.trace() + target_covariance.trace() - 2 * shared
        energy = target_mean.square().sum() + target_covariance.trace()
        return ((mean - target_mean).square().sum() + spread) / energy.clamp_min(_TINY)


class WassersteinStatistic:
    """The whole distribution of the features: sliced 2-Wasserstein distance (Heitz et al. 2021, arXiv 2006.07229).

    The features are projected on directions, and the sorted values are compared. Departs: the directions are drawn
    once for each layer, not at every step, so that the loss is a function that L-BFGS can follow.

    Args:
        seed: of the directions.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def measure(self, layer: str, features: Tensor, weights: Tensor | None, area: int) -> Tensor:
        """(K, positions): projections; positions that count less than half are left out."""
        flat = _positions(features)
        if weights is not None:
            flat = flat[weights.reshape(-1) >= 0.5]
        return _precise(flat @ self._directions(layer, flat.shape[1], area).to(flat)).transpose(0, 1)

    def combine(self, measures: Sequence[Tensor], total: float) -> Tensor:
        """(K, positions), each row sorted."""
        return torch.cat(tuple(measures), 1).sort(1).values

    def blend(self, targets: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
        """(K, Q): the weighted mean of the quantiles, which is the barycentre in one dimension."""
        directions = min(target.shape[0] for target in targets)
        quantiles = [_resampled(target[:directions], _QUANTILES) for target in targets]
        return torch.stack([row * weight for row, weight in zip(quantiles, weights, strict=True)]).sum(0)

    def distance(self, found: Tensor, target: Tensor) -> Tensor:
        """Mean squared difference of the quantiles over the target's mean square; 0 of no positions at all."""
        if not found.shape[1]:  # no position where the style is wanted; still part of the graph
            return found.sum()
        directions = min(found.shape[0], target.shape[0])
        wanted = _resampled(target[:directions], found.shape[1])
        return (found[:directions] - wanted).square().mean() / wanted.square().mean().clamp_min(_TINY)

    def _directions(self, layer: str, channels: int, area: int) -> Tensor:
        """(C, K) unit vectors; a picture of fewer positions has more of them, the first ones the same."""
        count = max(_FEWEST_DIRECTIONS, min(channels, _LARGEST_PROJECTION // area))
        random = torch.Generator().manual_seed(self._seed * 1000 + sum(layer.encode()))
        return F.normalize(torch.randn(channels, channels, generator=random), dim=1)[:count].transpose(0, 1)


def build_statistic(name: str, scaling: str, seed: int) -> Statistic:
    """The statistic that settings name: see `GatysSettings`."""
    if name == "covariance":
        return CovarianceStatistic()
    if name == "wasserstein":
        return WassersteinStatistic(seed)
    return PublishedGramStatistic() if scaling == "published" else GramStatistic()


def _precise(values: Tensor) -> Tensor:
    """In float32 at least."""
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values


def _positions(features: Tensor) -> Tensor:
    """(1, C, h, w) -> (h w, C): a view where the channels lie last, as convolutions leave them."""
    return features[0].permute(1, 2, 0).reshape(-1, features.shape[1])


def _moments(second: Tensor) -> tuple[Tensor, Tensor]:
    mean = second[:-1, -1]
    return mean, second[:-1, :-1] - torch.outer(mean, mean)


def _symmetric(matrix: Tensor) -> Tensor:
    return (matrix + matrix.transpose(0, 1)) / 2


def _square_root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(_symmetric(matrix.detach()))
    return vectors @ torch.diag(values.clamp_min(0).sqrt()) @ vectors.transpose(0, 1)


def _resampled(rows: Tensor, count: int) -> Tensor:
    """Sorted values as quantiles at another number of places."""
    if rows.shape[1] == count:
        return rows
    return F.interpolate(rows.unsqueeze(0), size=count, mode="linear", align_corners=True)[0]
