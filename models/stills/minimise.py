"""L-BFGS and Adam on a picture: they propose steps, survive values that are not finite, and carry over to another size."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

_FIRST_STEP = 0.02  # root mean square change of the first step, on the scale 0..1
_LONGEST_STEP = 0.1
_CURVATURE = 1e-10
_SLACK = 1.02  # a step may raise the loss by this factor: without line search L-BFGS is not monotone, and need not be
_SMALLEST_SCALE = 1e-4
_MOST_REFUSALS = 3  # in a row: then the direction itself is not to be trusted


@dataclass(frozen=True)
class Point:
    """A picture (1, C, H, W), its loss, the loss's gradient, and the loss's terms where they are told."""

    picture: Tensor
    loss: float
    gradient: Tensor
    terms: Mapping[str, float] = field(default_factory=dict)

    def is_finite(self) -> bool:
        """Whether loss and gradient are numbers."""
        return math.isfinite(self.loss) and bool(torch.isfinite(self.gradient).all())


class Minimiser(Protocol):
    """What proposes the next picture."""

    def propose(self, point: Point) -> Tensor:
        """The change of the picture that is to be tried."""
        ...

    def learn(self, before: Point, after: Point) -> None:
        """Takes note of an accepted step."""
        ...

    def forget(self) -> None:
        """Drops what was learnt: after a step that went wrong."""
        ...

    def resized(self, shape_hw: tuple[int, int]) -> Minimiser:
        """The same, its state carried over to pictures of another size."""
        ...


class LBFGS:
    """Limited-memory BFGS (Nocedal and Wright 2006, algorithm 7.4), with unit steps as long as the loss follows.

    Args:
        history: pairs of steps and gradient changes that are kept.
    """

    def __init__(self, history: int) -> None:
        self.history = history
        self._pairs: deque[tuple[Tensor, Tensor, float]] = deque(maxlen=history)
        self._length = _FIRST_STEP  # of the last accepted step: where nothing else is known, as far as it went

    def propose(self, point: Point) -> Tensor:
        """The quasi-Newton step; the very first one goes down the gradient by a small change of every pixel."""
        if not self._pairs:
            return point.gradient * (-self._length / _root_mean_square(point.gradient))
        direction = -point.gradient
        coefficients = []
        for step, change, scale in reversed(self._pairs):
            coefficient = scale * _dot(step, direction)
            coefficients.append(coefficient)
            direction = direction - coefficient * change
        step, change, scale = self._pairs[-1]
        direction = direction * (1 / (scale * _dot(change, change)))
        for (step, change, scale), coefficient in zip(self._pairs, reversed(coefficients), strict=True):
            direction = direction + (coefficient - scale * _dot(change, direction)) * step
        return direction * min(1.0, _LONGEST_STEP / _root_mean_square(direction))

    def learn(self, before: Point, after: Point) -> None:
        """Keeps the pair of step and gradient change where the loss curves upwards along it."""
        step, change = after.picture - before.picture, after.gradient - before.gradient
        self._length = min(_FIRST_STEP, _root_mean_square(step))
        curvature = _dot(step, change)
        if curvature > _CURVATURE * math.sqrt(_dot(step, step) * _dot(change, change)):
            self._pairs.append((step, change, 1 / curvature))

    def forget(self) -> None:
        """Begins anew with the gradient alone."""
        self._pairs.clear()

    def resized(self, shape_hw: tuple[int, int]) -> LBFGS:
        """Steps are enlarged like pictures; a gradient is spread over the pixels that one pixel becomes."""
        other = LBFGS(self.history)
        for step, change, _ in self._pairs:
            larger, spread = _enlarged(step, shape_hw), _enlarged(change, shape_hw)
            spread = spread * (change[0, 0].numel() / spread[0, 0].numel())
            curvature = _dot(larger, spread)
            if curvature > _CURVATURE * math.sqrt(_dot(larger, larger) * _dot(spread, spread)):
                other._pairs.append((larger, spread, 1 / curvature))
        return other


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) with beta2 = 0.99, as short searches want it.

    Args:
        learning_rate: about the largest change of a pixel in one step, on the scale 0..1.
    """

    _BETAS = (0.9, 0.99)
    _EPSILON = 1e-12  # gradients of a mean over a picture are small

    def __init__(self, learning_rate: float) -> None:
        self._learning_rate = learning_rate
        self._steps = 0
        self._mean: Tensor | None = None
        self._square: Tensor | None = None

    def propose(self, point: Point) -> Tensor:
        """The step from the running means of gradient and squared gradient."""
        gradient = point.gradient
        mean = torch.zeros_like(gradient) if self._mean is None else self._mean
        square = torch.zeros_like(gradient) if self._square is None else self._square
        self._steps += 1
        self._mean = mean.lerp(gradient, 1 - self._BETAS[0])
        self._square = square.lerp(gradient.square(), 1 - self._BETAS[1])
        unbiased = self._mean / (1 - self._BETAS[0] ** self._steps)
        spread = (self._square / (1 - self._BETAS[1] ** self._steps)).sqrt()
        return unbiased / (spread + self._EPSILON) * -self._learning_rate

    def learn(self, before: Point, after: Point) -> None:
        """Nothing: the means were taken when the step was proposed."""

    def forget(self) -> None:
        """Begins anew."""
        self._steps, self._mean, self._square = 0, None, None

    def resized(self, shape_hw: tuple[int, int]) -> Adam:
        """The running means, spread over the new pixels; the square of the mean with the square of the ratio."""
        other = Adam(self._learning_rate)
        if self._mean is not None and self._square is not None:
            ratio = self._mean[0, 0].numel() / (shape_hw[0] * shape_hw[1])
            other._steps = self._steps
            other._mean = _enlarged(self._mean, shape_hw) * ratio
            other._square = _enlarged(self._square, shape_hw) * ratio**2
        return other


class Search:
    """Steps of a minimiser from a start; the best picture so far is never lost.

    A step that ends (where the loss is followed) far above the one before is taken back and tried again at half its
    length. One that ends in a value that is not finite is taken back to the best picture; the minimiser forgets what
    it learnt there, and the next steps are smaller.

    Args:
        evaluate: picture -> Point.
        minimiser: proposes the steps.
        start: (1, C, H, W) float, 0..1.
        follows_loss: False where the gradient is not the loss's own (normalised gradients) or is meant to jump (Adam).
    """

    def __init__(self, evaluate: Callable[[Tensor], Point], minimiser: Minimiser, start: Tensor, follows_loss: bool) -> None:
        self._evaluate = evaluate
        self.minimiser = minimiser
        self._follows_loss = follows_loss
        self._scale = 1.0
        self._refusals = 0
        self.fallbacks = 0
        self.point = evaluate(start)
        self.best = self.point

    @property
    def is_stuck(self) -> bool:
        """Whether even tiny steps go wrong: the search is over."""
        return self._scale < _SMALLEST_SCALE

    def step(self) -> None:
        """One evaluation: the picture moves on, or the step is taken back."""
        change = self.minimiser.propose(self.point) * self._scale
        found = self._evaluate((self.point.picture + change).clamp(0, 1))
        if not found.is_finite():
            self.fallbacks += 1
            self._retreat()
            return
        if self._follows_loss and found.loss > self.point.loss * _SLACK:
            self._refusals += 1
            self._scale *= 0.5
            if self._refusals == _MOST_REFUSALS:
                self._retreat()
            return
        self._refusals = 0
        self.minimiser.learn(self.point, found)
        self.point = found
        self._scale = min(1.0, self._scale * 1.5)
        if found.loss <= self.best.loss:
            self.best = found

    def _retreat(self) -> None:
        """Back to the best picture, with nothing but its gradient."""
        self.minimiser.forget()
        self._scale *= 0.5
        self._refusals = 0
        self.point = self.best


def _dot(first: Tensor, second: Tensor) -> float:
    return float(torch.dot(first.flatten(), second.flatten()))


def _root_mean_square(values: Tensor) -> float:
    return max(float(values.square().mean().sqrt()), 1e-30)


def _enlarged(values: Tensor, shape_hw: tuple[int, int]) -> Tensor:
    return F.interpolate(values, size=shape_hw, mode="bilinear", align_corners=False)
