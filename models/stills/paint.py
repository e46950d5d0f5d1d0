"""Paints a still by optimisation (Gatys, Ecker and Bethge 2016), coarse to fine, with a callback for progress."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models.devices import bfloat16_pays
from models.stills.colours import luminance, match_colours, match_luminance, with_luminance
from models.stills.levels import SMALLEST_SIDE, level_sizes, objective_at, resize
from models.stills.minimise import LBFGS, Adam, Minimiser, Point, Search
from models.stills.objective import Objective, StylePicture
from models.stills.settings import GatysSettings
from models.vgg import VGGFeatures
from realtime.errors import UserError

_WORTH_BEGINNING = 2.0  # a size is begun where the time is this many times what its beginning takes: the rest is for steps


@dataclass(frozen=True)
class Progress:
    """How far a search is: share 0..1, evaluations, seconds, weighted loss of this level, the picture on demand."""

    share: float
    step: int
    steps: int
    seconds: float
    remaining_s: float
    loss: float
    picture: Callable[[], Tensor]


@dataclass(frozen=True)
class Painting:
    """The result: (3, H, W) float 0..1, its loss and terms, evaluations, seconds, and what went wrong.

    Where a time budget left out full size, loss and terms are those of the last size that was searched at.
    """

    picture: Tensor
    loss: float
    terms: Mapping[str, float]
    evaluations: int
    seconds: float
    precision: str
    fallbacks: int


def paint(
    content: Tensor,
    styles: Sequence[StylePicture],
    settings: GatysSettings,
    features: VGGFeatures,
    start: Tensor | None = None,
    progress: Callable[[Progress], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Painting:
    """Paints the content in the styles.

    Args:
        content: (3, H, W) float 0..1; it is brought to settings.size.
        styles: at least one, of any size; a mask has the content's height and width.
        settings: see there.
        features: VGG-19 with settings.layers() and settings.pooling, on the device to compute on. Its precision is
            changed to the one that is computed in.
        start: (3, h, w) float 0..1, the picture to begin with; by default settings.init.
        progress: called after each evaluation; what it raises ends the search and is passed on.
        clock: seconds, for the time budget.
    Raises:
        UserError: styles and weights differ in number, a mask of another size, a picture too small, or a loss that
            is not finite from the start.
    """
    _check(content, styles, settings)
    return _Painter(content, styles, settings, features, start, progress, clock).run()


class _Painter:
    """One painting on its way through the levels."""

    def __init__(
        self,
        content: Tensor,
        styles: Sequence[StylePicture],
        settings: GatysSettings,
        features: VGGFeatures,
        start: Tensor | None,
        progress: Callable[[Progress], None] | None,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._device = features.mean.device
        self._dtype = _dtype(settings.precision, self._device)
        self._features = features.to(self._dtype).to(memory_format=torch.channels_last)
        self._progress, self._clock = progress, clock
        self._photo = content[None].float()
        self._start = None if start is None else start[None].float()
        self._content, self._styles = _recoloured(self._photo, styles, settings.colours)
        self._sizes = level_sizes((content.shape[1], content.shape[2]), settings)
        steps = [settings.iterations if size == self._sizes[-1] else self._coarse_steps() for size in self._sizes]
        self._steps = steps
        self._costs = [count * height * width for count, (height, width) in zip(steps, self._sizes, strict=True)]
        self._began = clock()
        self._beginning_s = 0.0  # of the last level for each pixel: its targets and its first evaluation
        self._evaluations = 0
        self._fallbacks = 0

    def run(self) -> Painting:
        """All levels that there is time for; the picture of the last one is brought to full size."""
        search = self._search(0, self._first_picture(self._sizes[0]), self._new_minimiser())
        for level, shape_hw in list(enumerate(self._sizes))[1:]:
            if not self._has_time_for(level, self._left_s()):
                break
            search = self._search(level, resize(search.best.picture, shape_hw), search.minimiser.resized(shape_hw))
        return Painting(
            picture=self._finished(resize(search.best.picture, self._sizes[-1]))[0].cpu(),
            loss=search.best.loss,
            terms=search.best.terms,
            evaluations=self._evaluations,
            seconds=self._clock() - self._began,
            precision=str(self._dtype).removeprefix("torch."),
            fallbacks=self._fallbacks,
        )

    def _search(self, level: int, picture: Tensor, minimiser: Minimiser) -> Search:
        began = self._clock()
        height, width = self._sizes[level]
        objective = objective_at((height, width), self._content, self._styles, self._settings, self._features)
        search = Search(lambda x: self._point(objective, x), minimiser, picture.clamp(0, 1), self._follows_loss())
        self._beginning_s = (self._clock() - began) / (height * width)
        if not search.point.is_finite():
            raise UserError("the loss is not a finite number from the start; try lower weights or --precision float32")
        until = self._deadline(level)
        for number in range(self._steps[level]):
            if search.is_stuck or self._clock() >= until:
                break
            search.step()
            self._report(level, number + 1, search)
        self._fallbacks += search.fallbacks
        return search

    def _point(self, objective: Objective, picture: Tensor) -> Point:
        found = objective.evaluate(self._shown(picture))
        self._evaluations += 1
        grey = picture.shape[1] == 1
        return Point(picture, found.loss, found.gradient.sum(1, keepdim=True) if grey else found.gradient, found.terms)

    def _first_picture(self, shape_hw: tuple[int, int]) -> Tensor:
        if self._start is not None:
            picture = resize(self._start, shape_hw)
        elif self._settings.init == "photo":
            picture = resize(self._content, shape_hw)
        else:
            random = torch.Generator().manual_seed(self._settings.seed)
            picture = torch.rand(1, 3, *shape_hw, generator=random)
        return (luminance(picture) if self._settings.colours == "luminance" else picture).to(self._device)

    def _shown(self, picture: Tensor) -> Tensor:
        """The picture as the loss network sees it: lightness alone becomes grey."""
        return picture.expand(-1, 3, -1, -1)

    def _finished(self, picture: Tensor) -> Tensor:
        """The picture as it is saved: lightness alone gets the photo's colours."""
        picture = picture.detach().clamp(0, 1)
        if self._settings.colours != "luminance":
            return picture
        return with_luminance(resize(self._photo, (picture.shape[2], picture.shape[3])).to(picture), picture)

    def _report(self, level: int, number: int, search: Search) -> None:
        if self._progress is None:
            return
        done = sum(self._costs[:level]) + self._costs[level] * number / self._steps[level]
        seconds = self._clock() - self._began
        share = done / sum(self._costs)
        if self._settings.seconds is not None:
            share = max(share, min(1.0, seconds / self._settings.seconds))
        remaining = seconds * (1 - share) / max(share, 1e-6)
        picture = search.best.picture
        steps_before = sum(self._steps[:level])
        self._progress(
            Progress(
                share=share,
                step=steps_before + number,
                steps=sum(self._steps),
                seconds=seconds,
                remaining_s=remaining,
                loss=search.best.loss,
                picture=lambda: self._finished(picture)[0].cpu(),
            )
        )

    def _deadline(self, level: int) -> float:
        """When a level has to end: it has its share of the time that is left, or all where the next has no time then."""
        left_s = self._left_s()
        share = self._costs[level] / sum(self._costs[level:])
        goes_on = share < 1 and self._has_time_for(level + 1, left_s * (1 - share))
        return self._clock() + left_s * (share if goes_on else 1)

    def _has_time_for(self, level: int, left_s: float) -> bool:
        """Whether a level is worth beginning, by how long the beginning of the one before took."""
        height, width = self._sizes[level]
        return left_s > _WORTH_BEGINNING * self._beginning_s * height * width

    def _left_s(self) -> float:
        """Of the time budget; endless without one."""
        return math.inf if self._settings.seconds is None else self._began + self._settings.seconds - self._clock()

    def _new_minimiser(self) -> Minimiser:
        if self._settings.optimiser == "adam":
            return Adam(self._settings.learning_rate)
        return LBFGS(self._settings.history)

    def _follows_loss(self) -> bool:
        return self._settings.optimiser == "lbfgs" and not self._settings.normalised_gradients

    def _coarse_steps(self) -> int:
        return max(1, round(self._settings.iterations * self._settings.coarse_factor))


def _recoloured(photo: Tensor, styles: Sequence[StylePicture], colours: str) -> tuple[Tensor, list[StylePicture]]:
    """Content and styles as the loss is to see them."""
    if colours == "luminance":
        content = luminance(photo).expand(-1, 3, -1, -1)
        return content, [replace(style, picture=match_luminance(style.picture, photo[0])) for style in styles]
    if colours == "matched":
        return photo, [replace(style, picture=match_colours(style.picture, photo[0])) for style in styles]
    return photo, list(styles)


def _dtype(precision: str, device: torch.device) -> torch.dtype:
    if precision == "auto":
        return torch.bfloat16 if bfloat16_pays(device) else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def _check(content: Tensor, styles: Sequence[StylePicture], settings: GatysSettings) -> None:
    if not styles:
        raise UserError("no style picture given; expected at least one")
    if settings.style_weights and len(settings.style_weights) != len(styles):
        raise UserError(f"style weights: {len(settings.style_weights)} given for {len(styles)} styles; give one for each")
    shape_hw = (content.shape[1], content.shape[2])
    for style in styles:
        if style.mask is not None and tuple(style.mask.shape) != shape_hw:
            found = f"{style.mask.shape[1]}x{style.mask.shape[0]}"
            raise UserError(f"mask: expected the content's size, {shape_hw[1]}x{shape_hw[0]}, found {found}")
    for name, picture in (("content", content), *(("style", style.picture) for style in styles)):
        if min(picture.shape[1:]) < SMALLEST_SIDE:
            width, height = picture.shape[2], picture.shape[1]
            raise UserError(f"{name}: {width}x{height} pixels; expected at least {SMALLEST_SIDE} on each side")
    height, width = level_sizes(shape_hw, settings)[-1]
    if min(height, width) < SMALLEST_SIDE:
        raise UserError(f"size {settings.size}: the short side would have {min(height, width)} pixels; try a larger --size")
