"""What can be chosen in an optimisation of a still, and the presets: data, nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType

from models.losses import CONTENT_LAYER, STYLE_LAYERS
from models.vgg import LAYERS, POOLINGS
from realtime.errors import UserError
from realtime.program.argument_types import LARGEST_SEED

SIZES = (32, 2048)  # of the longer side
STATISTICS = ("gram", "covariance", "wasserstein")
SCALINGS = ("relative", "published")
INITS = ("photo", "noise")  # or a picture of the caller's
OPTIMISERS = ("lbfgs", "adam")
COLOURS = ("style", "luminance", "matched")
PRECISIONS = ("auto", "float32", "bfloat16")


def _equal(layers: tuple[str, ...]) -> Mapping[str, float]:
    return MappingProxyType(dict.fromkeys(layers, 1.0))


@dataclass(frozen=True)
class GatysSettings:
    """One optimisation of a still, apart from its pictures.

    The losses:
        content_weight, style_weight, tv_weight: of the three terms; 0 leaves a term out.
        content_layers, style_layers: VGG-19 layer -> weight, divided by their sum.
        statistics: what is compared of the style's features: "gram", "covariance" (mean and covariance, by the
            2-Wasserstein distance of two Gaussians) or "wasserstein" (sliced, of the whole distribution).
        scaling: "relative" divides each term by its target's norm, so that weights carry over from one painting and
            one set of VGG weights to another; "published" is the paper's Eq. 1 and 4, on rescaled activations.
        pooling: "average" (the paper's choice) or "max".
        normalised_gradients: each layer's gradient is scaled to its weight, whatever its loss.
        style_weights: of several style pictures, divided by their sum; none: equal.
        style_scale: size of the style pictures to the painted picture; larger gives larger strokes.
        colours: "style"; "luminance" paints lightness alone; "matched" gives the styles the content's colours first.
    The search:
        init: "photo" or "noise"; a picture handed to the optimisation takes precedence.
        optimiser: "lbfgs" with `history` pairs, or "adam" with `learning_rate`.
        iterations: steps at full size; each smaller level of the pyramid has as many times `coarse_factor`.
        seconds: ends the search after so long, however many iterations are left; larger levels that there is no time for
            are left out, and the picture is enlarged. None: no limit.
        levels: sizes of the pyramid, each sqrt(2) of the one before; 1 is the paper's single size.
        precision: of the loss network: "bfloat16", "float32" or "auto" (bfloat16 where there are instructions for it).
        size: of the longer side in pixels.
        tile: pictures with more pixels than tile x tile are evaluated in pieces of that side, exactly.
        seed: of the noise and of the sliced directions.
    """

    content_weight: float = 1.0
    style_weight: float = 8.0
    tv_weight: float = 0.0
    content_layers: Mapping[str, float] = field(default_factory=lambda: _equal((CONTENT_LAYER,)))
    style_layers: Mapping[str, float] = field(default_factory=lambda: _equal(STYLE_LAYERS))
    statistics: str = "gram"
    scaling: str = "relative"
    pooling: str = "average"
    normalised_gradients: bool = False
    style_weights: tuple[float, ...] = ()
    style_scale: float = 1.0
    colours: str = "style"
    init: str = "photo"
    optimiser: str = "lbfgs"
    history: int = 20
    learning_rate: float = 0.02
    iterations: int = 60
    coarse_factor: float = 1.0
    seconds: float | None = None
    levels: int = 1
    precision: str = "auto"
    size: int = 512
    tile: int = 768
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses what cannot be searched for.

        Raises:
            UserError: with what was found and what is known.
        """
        weights = {"content weight": self.content_weight, "style weight": self.style_weight, "tv weight": self.tv_weight}
        for name, value in weights.items():
            _check_weight(name, value)
        if self.content_weight == 0 and self.style_weight == 0:
            raise UserError("content weight and style weight are both 0; give at least one of them a value above 0")
        _check_layers("content layers", self.content_layers)
        _check_layers("style layers", self.style_layers)
        for value in self.style_weights:
            _check_weight("style weights", value)
        if self.style_weights and not any(self.style_weights):
            raise UserError("style weights are all 0; give at least one style a weight above 0")
        for name, choice, known in (
            ("statistics", self.statistics, STATISTICS),
            ("scaling", self.scaling, SCALINGS),
            ("pooling", self.pooling, POOLINGS),
            ("colours", self.colours, COLOURS),
            ("init", self.init, INITS),
            ("optimiser", self.optimiser, OPTIMISERS),
            ("precision", self.precision, PRECISIONS),
        ):
            if choice not in known:
                raise UserError(f"{name} {choice}: expected one of {' '.join(known)}")
        for name, number, low, high in (
            ("size", self.size, *SIZES),
            ("tile", self.tile, 64, 4096),
            ("history", self.history, 1, 1000),
            ("iterations", self.iterations, 1, 1_000_000),
            ("levels", self.levels, 1, 12),
            ("style scale", self.style_scale, 0.05, 20),
            ("coarse factor", self.coarse_factor, 0.01, 100),
            ("learning rate", self.learning_rate, 1e-6, 10),
            ("seed", self.seed, 0, LARGEST_SEED),
            ("seconds", math.inf if self.seconds is None else self.seconds, 0.1, math.inf),
        ):
            if not low <= number <= high:
                raise UserError(f"{name} {number}: expected {low} to {high}")
        if self.scaling == "published" and self.statistics != "gram":
            raise UserError(f"scaling published is defined for gram statistics alone, found {self.statistics}; use relative")

    def layers(self) -> tuple[str, ...]:
        """The VGG-19 layers whose terms count, in the network's order."""
        wanted: set[str] = set()
        if self.content_weight:
            wanted |= {name for name, weight in self.content_layers.items() if weight}
        if self.style_weight:
            wanted |= {name for name, weight in self.style_layers.items() if weight}
        return tuple(name for name in LAYERS if name in wanted)

    def as_plain(self) -> dict[str, object]:
        """The settings as JSON can hold them."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return plain | {"content_layers": dict(self.content_layers), "style_layers": dict(self.style_layers)}


def _check_weight(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise UserError(f"{name}: expected a number of at least 0, found {value:g}")


def _check_layers(name: str, layers: Mapping[str, float]) -> None:
    unknown = [layer for layer in layers if layer not in LAYERS]
    if unknown:
        raise UserError(f"{name}: VGG-19 has no {', '.join(unknown)}; known: {' '.join(LAYERS)}")
    for layer, weight in layers.items():
        _check_weight(f"{name}, {layer}", weight)
    if not any(layers.values()):
        raise UserError(f"{name}: no layer has a weight above 0")


_FAST = GatysSettings(levels=4, iterations=24, coarse_factor=2.0)

PRESETS: Mapping[str, GatysSettings] = MappingProxyType(
    {
        # What the live window uses: coarse to fine from the photo or from the feed-forward result.
        "fast": _FAST,
        # Gatys et al. 2016: one size, white noise, average pooling, L-BFGS.
        "paper": GatysSettings(
            scaling="published",
            content_weight=0.01,
            style_weight=1.0,
            init="noise",
            iterations=500,
            history=100,
            precision="float32",
        ),
        # For prints: larger, longer.
        "best": replace(_FAST, size=1024, levels=6, iterations=80, coarse_factor=1.5),
    }
)
