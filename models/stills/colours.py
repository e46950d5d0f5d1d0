"""Keeping a photograph's colours (Gatys et al. 2016, "Preserving Color in Neural Artistic Style Transfer")."""

from __future__ import annotations

import torch
from torch import Tensor

_LUMA = (0.299, 0.587, 0.114)  # BT.601, as in the paper's YIQ


def luminance(batch: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, H, W): lightness."""
    return (batch * batch.new_tensor(_LUMA).reshape(1, 3, 1, 1)).sum(1, keepdim=True)


def with_luminance(batch: Tensor, lightness: Tensor) -> Tensor:
    """The colours of one batch with the lightness of another: the same is added to all channels, so that I and Q stay."""
    return (batch + (lightness - luminance(batch))).clamp(0, 1)


def match_luminance(style: Tensor, content: Tensor) -> Tensor:
    """A style as grey of the content's mean and spread (the paper, Eq. 10).

    Args:
        style: (3, H, W) float 0..1.
        content: (3, h, w) float 0..1.
    Returns:
        (3, H, W), three equal channels, 0..1.
    """
    grey, wanted = luminance(style[None])[0], luminance(content[None])
    spread = wanted.std() / grey.std().clamp_min(1e-8)
    return ((grey - grey.mean()) * spread + wanted.mean()).clamp(0, 1).expand(3, -1, -1)


def match_colours(style: Tensor, content: Tensor) -> Tensor:
    """A style whose colours have the content's mean and covariance (the paper, Eq. 1 to 4, by Cholesky factors).

    Args:
        style: (3, H, W) float 0..1.
        content: (3, h, w) float 0..1.
    Returns:
        (3, H, W), 0..1.
    """
    mean, factor = _colour_moments(style)
    wanted_mean, wanted_factor = _colour_moments(content)
    transform = wanted_factor @ torch.linalg.inv(factor)
    flat = transform @ (style.flatten(1).double() - mean) + wanted_mean
    return flat.clamp(0, 1).float().reshape(style.shape)


def _colour_moments(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (3, 1) and Cholesky factor of the covariance (3, 3), float64; a grey picture's covariance is made regular."""
    flat = picture.flatten(1).double()
    mean = flat.mean(1, keepdim=True)
    covariance = (flat - mean) @ (flat - mean).T / flat.shape[1]
    return mean, torch.linalg.cholesky(covariance + 1e-5 * torch.eye(3, dtype=torch.float64))
