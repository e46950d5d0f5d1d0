"""Losses on pictures and on VGG-19 features: pure functions, each with the equation it computes.

The style and content losses are divided by the size of their target, so that a recipe's weights
carry over from one painting, and one set of VGG weights, to another.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
COARSE_STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1")  # looked at on the smaller pictures of a pyramid as well
CONTENT_LAYER = "relu4_2"


def gram_matrix(features: Tensor) -> Tensor:
    """Gram matrix of a feature map: the style statistic.

        G = F F^T / (H W)      (Gatys et al. 2016, Eq. 3; departs: divided by H W, so that two sizes compare)

    Args:
        features: (B, C, H, W), activations of one VGG layer; the products are computed in its precision.
    Returns:
        (B, C, C) float32, symmetric, positive semi-definite.
    Raises:
        ValueError: features is not 4-D.
    """
    if features.dim() != 4:
        raise ValueError(f"features: expected (batch, channels, height, width), found {tuple(features.shape)}")
    batch, channels, height, width = features.shape
    # Channels last, as convolutions leave it: a view there, and the gradient comes back in the same layout.
    flat = features.permute(0, 2, 3, 1).reshape(batch, height * width, channels)
    return (flat.transpose(1, 2) @ flat).float() / (height * width)


def relative_squared_error(found: Tensor, target: Tensor) -> Tensor:
    """|found - target|^2 / |target|^2 for each item of the batch.

    Args:
        found: (B, ...) float.
        target: (B, ...) or (1, ...) float.
    Returns:
        (B,) float32, 0 where equal, 1 where found is zero.
    Raises:
        ValueError: the shapes differ beyond the batch.
    """
    if found.shape[1:] != target.shape[1:]:
        raise ValueError(f"shapes differ: found {tuple(found.shape)}, target {tuple(target.shape)}")
    difference = (found.float() - target.float()).flatten(1).square().sum(1)
    return difference / target.float().flatten(1).square().sum(1).clamp_min(1e-8)


def style_loss(features: Mapping[str, Tensor], target_grams: Mapping[str, Tensor]) -> Tensor:
    """Mean over the layers of the relative error of the Gram matrices.

        L_style = 1/L sum_l |G_l(y) - A_l|_F^2 / |A_l|_F^2     (Gatys et al. 2016, Eq. 4 and 5; departs: the
        constant 1 / (4 N^2 M^2) is replaced by the target's own norm)

    Args:
        features: layer name -> (B, C, H, W), activations of the stylised batch.
        target_grams: layer name -> (1 or B, C, C), Gram matrices of the painting.
    Returns:
        (B,) float32.
    Raises:
        ValueError: no layers, or a layer that features lacks.
    """
    if not target_grams:
        raise ValueError("style loss: no layers given")
    missing = sorted(set(target_grams) - set(features))
    if missing:
        raise ValueError(f"style loss: features lack the layers {', '.join(missing)}")
    terms = [relative_squared_error(gram_matrix(features[name]), gram) for name, gram in target_grams.items()]
    return torch.stack(terms).mean(0)


def shifted_covariance(features: Tensor, mean: Tensor, down: int, right: int) -> Tensor:
    """Covariance of a feature map with itself shifted: what a Gram matrix cannot see, how often a pattern comes again.

        C_d = 1/N sum_p (F(p) - m) (F(p + d) - m)^T      (Berger & Memisevic 2017, "Incorporating long-range
        consistency in CNN-based texture generation", Eq. 4; departs: the mean m is taken off, because the
        products of means would hide the rest, and divided by the number of places N)

    Args:
        features: (B, C, H, W), activations of one VGG layer; the products are computed in its precision.
        mean: (1 or B, C, 1, 1), taken off first: the painting's, for the painting and for what is compared with it.
        down, right: the shift d in places of the layer, less than H and W; right may be negative: to the left.
    Returns:
        (B, C, C) float32; for no shift the covariance matrix itself.
    Raises:
        ValueError: features is not 4-D, or the shift leaves nothing to compare.
    """
    if features.dim() != 4:
        raise ValueError(f"features: expected (batch, channels, height, width), found {tuple(features.shape)}")
    batch, channels, height, width = features.shape
    if not (0 <= down < height and abs(right) < width):
        raise ValueError(f"shift of {down}, {right}: expected less than the features' size, {height}x{width}")
    centred = (features - mean.to(features.dtype)).permute(0, 2, 3, 1)
    left_edge, right_edge = max(0, -right), width - max(0, right)
    here = centred[:, : height - down, left_edge:right_edge].reshape(batch, -1, channels)
    there = centred[:, down:, left_edge + right : right_edge + right].reshape(batch, -1, channels)
    return (here.transpose(1, 2) @ there).float() / here.shape[1]


def picture_pyramid(batch_rgb: Tensor, levels: int) -> list[Tensor]:
    """The picture, and the same at a half, a quarter, ... of its size.

    Shallow layers on a small picture see as far as deep ones on the large one, and their strokes are smoother
    (Snelgrove 2017, "High-resolution multi-scale neural texture synthesis").

    Args:
        batch_rgb: (B, C, H, W) float.
        levels: how many pictures, at least 1; H and W are at least 2 ** (levels - 1).
    Returns:
        Pictures of (B, C, H // 2^k, W // 2^k), each the mean of 2x2 pixels of the one before.
    Raises:
        ValueError: no levels, or more than the picture can be halved.
    """
    if levels < 1 or min(batch_rgb.shape[-2:]) < 2 ** (levels - 1):
        raise ValueError(f"pyramid: {levels} levels of a picture of {tuple(batch_rgb.shape)}")
    pictures = [batch_rgb]
    while len(pictures) < levels:
        pictures.append(F.avg_pool2d(pictures[-1], 2))
    return pictures


def content_loss(features: Tensor, target: Tensor) -> Tensor:
    """Relative error of the features of one layer.

        L_content = |F(y) - F(x)|^2 / |F(x)|^2      (Gatys et al. 2016, Eq. 1; departs: divided by the target's norm)

    Args:
        features: (B, C, H, W), activations of the stylised batch.
        target: the same shape, activations of the photographs.
    Returns:
        (B,) float32.
    """
    return relative_squared_error(features, target)


def total_variation(batch_rgb: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels (Johnson et al. 2016, section 3.2; squared as in Mahendran 2015).

    Args:
        batch_rgb: (B, 3, H, W) float, H and W at least 2.
    Returns:
        (B,) float32; 0 for a constant picture.
    Raises:
        ValueError: the picture has fewer than two rows or columns.
    """
    if batch_rgb.dim() != 4 or min(batch_rgb.shape[2:]) < 2:
        raise ValueError(f"total variation: expected (B, 3, H, W) of at least 2x2, found {tuple(batch_rgb.shape)}")
    picture = batch_rgb.float()
    down = (picture[:, :, 1:] - picture[:, :, :-1]).square().mean((1, 2, 3))
    across = (picture[:, :, :, 1:] - picture[:, :, :, :-1]).square().mean((1, 2, 3))
    return down + across


def stability_loss(styled: Tensor, styled_again: Tensor, photo: Tensor, photo_again: Tensor) -> Tensor:
    """How much more a painting changes than its photograph did, for two aligned views of one scene.

        L_stability = mean ((y' - y) - (x' - x))^2     (after arXiv 2102.05822, section 3: the output's change is
        matched to the input's, no optical flow needed)

    Args:
        styled, styled_again: (B, 3, H, W) float, the two paintings, shifted back onto each other.
        photo, photo_again: the same shape, the photographs they were painted from.
    Returns:
        (B,) float32; 0 where the painting changes exactly as the photograph.
    Raises:
        ValueError: the shapes differ.
    """
    shapes = {tuple(picture.shape) for picture in (styled, styled_again, photo, photo_again)}
    if len(shapes) != 1:
        raise ValueError(f"stability loss: expected four equal shapes, found {sorted(shapes)}")
    change = (styled_again - styled).float() - (photo_again - photo).float()
    return change.square().mean((1, 2, 3))
