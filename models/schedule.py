"""How far a training is, and how large its steps are there."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Progress:
    """How far a training is: measured in steps or in minutes, whichever was asked for."""

    steps_wanted: int | None
    minutes_wanted: float | None
    step: int = 0
    seconds: float = 0.0

    def share(self) -> float:
        """0 at the start, 1 at the end."""
        if self.steps_wanted is not None:
            return min(1.0, self.step / max(1, self.steps_wanted))
        assert self.minutes_wanted is not None
        return min(1.0, self.seconds / (self.minutes_wanted * 60))


def cosine_rate(largest: float, step: int, share: float, warm_up_steps: int) -> float:
    """Cosine schedule after a short linear warm-up, down to a hundredth.

    Args:
        step: how many were taken.
        share: how much is done, 0 to 1.
    """
    warm = min(1.0, (step + 1) / warm_up_steps)
    return largest * warm * (0.5 * (1 + math.cos(math.pi * share)) * 0.99 + 0.01)
