"""The loss of a still and its gradient, at one size: whole, or in tiles that give the same numbers in less memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from models.losses import total_variation
from models.stills.settings import GatysSettings
from models.stills.statistics import build_statistic
from models.stills.tiles import Tile, halo_of, layer_stride, tiles_of
from models.vgg import VGGFeatures

_TINY = 1e-8
_FAINT_CHANNEL = 0.01  # of the layer's mean activation: a channel fainter than this is not blown up to mean 1


@dataclass(frozen=True)
class StylePicture:
    """A style: (3, H, W) float 0..1, and where in the painted picture it is wanted, (H, W) float 0..1 or everywhere."""

    picture: Tensor
    mask: Tensor | None = None


@dataclass(frozen=True)
class Evaluation:
    """Weighted loss, its weighted terms by name, and the gradient, (1, 3, H, W) float32."""

    loss: float
    terms: Mapping[str, float]
    gradient: Tensor


@dataclass(frozen=True)
class _Region:
    """Styles that share a place: the blended target of each layer, where it is wanted, and its share of the style loss."""

    targets: Mapping[str, Tensor]
    mask: Tensor | None
    weight: float


class Objective:
    """L = content + style + total variation of pictures of one size (Gatys et al. 2016, Eq. 7).

    Args:
        features: VGG-19 with at least `settings.layers()`, on the device and in the precision to compute in.
        settings: weights, layers and statistics.
        content: (1, 3, H, W) float 0..1.
        styles: at least one; their weights are settings.style_weights.
    """

    def __init__(self, features: VGGFeatures, settings: GatysSettings, content: Tensor, styles: Sequence[StylePicture]) -> None:
        self._vgg = features
        self._settings = settings
        self._content_layers = _shares(settings.content_layers) if settings.content_weight else {}
        self._style_layers = _shares(settings.style_layers) if settings.style_weight else {}
        self._statistic = build_statistic(settings.statistics, settings.scaling, settings.seed)
        self._shape_hw = (content.shape[2], content.shape[3])
        self._tiles = self._tiles_for(content)
        self._scales = self._activation_scales(content, styles) if settings.scaling == "published" else {}
        with torch.no_grad():
            self._content_targets = {layer: self._whole(content, layer) for layer in self._content_layers}
            self._content_factors = {layer: self._content_factor(layer) for layer in self._content_layers}
            self._regions = self._build_regions(styles) if self._style_layers else []

    def evaluate(self, picture: Tensor) -> Evaluation:
        """The loss of a picture and its gradient.

        Args:
            picture: (1, 3, H, W) float32 of the content's size.
        """
        leaf = picture.detach().requires_grad_()
        smooth = self._settings.tv_weight * total_variation(leaf).sum()
        if self._settings.tv_weight:
            smooth.backward()
        pieces = [self._measure_tile(leaf, tile, keep=len(self._tiles) == 1) for tile in self._tiles]
        terms, slopes = self._compare(pieces)
        if self._settings.normalised_gradients:
            slopes = self._normalised(leaf, slopes)
        for number, tile in enumerate(self._tiles):
            piece = pieces[0] if len(self._tiles) == 1 else self._measure_tile(leaf, tile, keep=True)
            torch.autograd.backward(list(piece.values()), [slopes[number][key] for key in piece])
        if self._settings.tv_weight:
            terms["tv"] = float(smooth.detach())
        assert leaf.grad is not None
        return Evaluation(sum(terms.values()), terms, leaf.grad)

    def _measure_tile(self, leaf: Tensor, tile: Tile, keep: bool) -> dict[str, Tensor]:
        with torch.set_grad_enabled(keep):
            return self._measures(self._tile_features(leaf, tile), tile)

    def _measures(self, features: Mapping[str, Tensor], tile: Tile) -> dict[str, Tensor]:
        """What one tile contributes to each term, by the term's name."""
        found = {}
        for layer in self._content_layers:
            target = tile.inner(self._content_targets[layer], layer)
            difference = features[layer] - target
            found[f"content {layer}"] = difference.square().sum(dtype=torch.promote_types(difference.dtype, torch.float32))
        for number, region in enumerate(self._regions):
            for layer in self._style_layers:
                weights = None if region.mask is None else tile.inner(_mask_at(region.mask, layer), layer)[0, 0]
                area = _area(self._shape_hw, layer)
                found[f"style {number} {layer}"] = self._statistic.measure(layer, features[layer], weights, area)
        return found

    def _compare(self, pieces: Sequence[Mapping[str, Tensor]]) -> tuple[dict[str, float], list[dict[str, Tensor]]]:
        """The terms from all tiles' measures, and the slope of the loss along each of them."""
        measured = [{key: value.detach().requires_grad_() for key, value in piece.items()} for piece in pieces]
        terms = {}
        for key in measured[0]:
            parts = [piece[key] for piece in measured]
            kind, *where = key.split()
            if kind == "content":
                term = torch.stack(parts).sum() * self._content_factors[where[0]]
            else:
                region, layer = self._regions[int(where[0])], where[1]
                statistic = self._statistic.combine(parts, self._total(region.mask, layer))
                weight = self._settings.style_weight * region.weight * self._style_layers[layer]
                term = weight * self._statistic.distance(statistic, region.targets[layer])
            term.backward()
            terms[key] = float(term.detach())
        return terms, [{key: _slope(value) for key, value in piece.items()} for piece in measured]

    def _normalised(self, leaf: Tensor, slopes: Sequence[Mapping[str, Tensor]]) -> list[dict[str, Tensor]]:
        """Slopes such that each term's gradient with respect to its layer's features has its weight as L1 norm."""
        norms: dict[str, float] = {}
        for tile, slope in zip(self._tiles, slopes, strict=True):
            with torch.no_grad():
                features = {layer: value.float() for layer, value in self._tile_features(leaf, tile).items()}
            for key in slope:
                layer = key.split()[-1]
                alone = {name: value.requires_grad_(name == layer) for name, value in features.items()}
                measure = self._measures(alone, tile)[key]
                (gradient,) = torch.autograd.grad(measure, alone[layer], slope[key])
                norms[key] = norms.get(key, 0.0) + float(gradient.abs().sum())
        return [
            {key: value * (self._term_weight(key) / max(norms[key], _TINY)) for key, value in slope.items()} for slope in slopes
        ]

    def _term_weight(self, key: str) -> float:
        kind, *where = key.split()
        if kind == "content":
            return self._settings.content_weight * self._content_layers[where[0]]
        return self._settings.style_weight * self._regions[int(where[0])].weight * self._style_layers[where[1]]

    def _content_factor(self, layer: str) -> float:
        weight = self._settings.content_weight * self._content_layers[layer]
        target = self._content_targets[layer]
        if self._settings.scaling == "published":
            return weight / (2 * target.numel())  # Eq. 1; departs: a mean, so that two sizes compare
        return weight / max(float(target.float().square().sum()), _TINY)

    def _tile_features(self, picture: Tensor, tile: Tile) -> dict[str, Tensor]:
        """Features of the inner part of a tile, rescaled where the paper's losses are asked for."""
        dtype = self._vgg.mean.dtype
        part = picture[:, :, tile.rows_outer, tile.columns_outer]
        found = self._vgg(part.to(dtype, memory_format=torch.channels_last), self._wanted())
        inner = {layer: tile.inner_of_outer(value, layer) for layer, value in found.items()}
        return {layer: value / self._scales[layer].to(dtype) if self._scales else value for layer, value in inner.items()}

    def _wanted(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self._content_layers, *self._style_layers)))

    def _tiles_for(self, picture: Tensor) -> list[Tile]:
        return tiles_of((picture.shape[2], picture.shape[3]), self._settings.tile, halo_of(self._wanted()))

    def _whole(self, picture: Tensor, layer: str) -> Tensor:
        """Features of a whole picture, computed in tiles and put together."""
        tiles = self._tiles_for(picture)
        first = self._tile_features(picture, tiles[0])[layer]
        if len(tiles) == 1:
            return first.clone()
        stride = layer_stride(layer)
        whole = first.new_zeros(1, first.shape[1], picture.shape[2] // stride, picture.shape[3] // stride)
        for number, tile in enumerate(tiles):
            tile.inner(whole, layer).copy_(first if number == 0 else self._tile_features(picture, tile)[layer])
        return whole

    def _build_regions(self, styles: Sequence[StylePicture]) -> list[_Region]:
        weights = self._settings.style_weights or (1.0,) * len(styles)
        total = sum(weights)
        targets = [self._targets(style.picture.unsqueeze(0)) for style in styles]
        everywhere = [k for k, style in enumerate(styles) if style.mask is None and weights[k] > 0]
        regions = []
        if everywhere:
            share = sum(weights[k] for k in everywhere)
            blended = {
                layer: self._statistic.blend([targets[k][layer] for k in everywhere], [weights[k] / share for k in everywhere])
                for layer in self._style_layers
            }
            regions.append(_Region(blended, None, share / total))
        for k, style in enumerate(styles):
            if style.mask is not None and weights[k] > 0:
                regions.append(_Region(targets[k], style.mask[None, None].to(self._device), weights[k] / total))
        return regions

    def _targets(self, picture: Tensor) -> dict[str, Tensor]:
        """A style picture's statistics."""
        tiles = self._tiles_for(picture)
        picture = picture.to(self._device)
        measures: dict[str, list[Tensor]] = {layer: [] for layer in self._style_layers}
        shape_hw = (picture.shape[2], picture.shape[3])
        for tile in tiles:
            features = self._tile_features(picture, tile)
            for layer in self._style_layers:
                measures[layer].append(self._statistic.measure(layer, features[layer], None, _area(shape_hw, layer)))
        return {layer: self._statistic.combine(parts, _area(shape_hw, layer)) for layer, parts in measures.items()}

    def _total(self, mask: Tensor | None, layer: str) -> float:
        if mask is None:
            return _area(self._shape_hw, layer)
        return max(float(_mask_at(mask, layer).sum()), _TINY)

    def _activation_scales(self, content: Tensor, styles: Sequence[StylePicture]) -> dict[str, Tensor]:
        """Mean activation of each channel, by which the paper divides (section 2); departs: over the pictures at hand.

        Before a ReLU it is the mean magnitude: a channel that is hardly ever above zero would be blown up by its mean after it.
        """
        self._scales = {}
        sums: dict[str, Tensor] = {}
        pictures = [content, *(style.picture.unsqueeze(0).to(self._device) for style in styles)]
        with torch.no_grad():
            for layer in self._wanted():
                means = [self._whole(picture, layer).float().abs().mean((2, 3), keepdim=True) for picture in pictures]
                mean = torch.stack(means).mean(0)
                sums[layer] = mean.clamp_min(float(mean.mean()) * _FAINT_CHANNEL + _TINY)
        return sums

    @property
    def _device(self) -> torch.device:
        return self._vgg.mean.device


def _slope(leaf: Tensor) -> Tensor:
    assert leaf.grad is not None
    return leaf.grad


def _shares(layers: Mapping[str, float]) -> dict[str, float]:
    total = sum(layers.values())
    return {layer: weight / total for layer, weight in layers.items() if weight}


def _area(shape_hw: tuple[int, int], layer: str) -> int:
    stride = layer_stride(layer)
    return (shape_hw[0] // stride) * (shape_hw[1] // stride)


def _mask_at(mask: Tensor, layer: str) -> Tensor:
    """(1, 1, H, W) -> (1, 1, H', W'): how much of each position of a layer lies inside."""
    stride = layer_stride(layer)
    return mask if stride == 1 else F.avg_pool2d(mask, stride)
