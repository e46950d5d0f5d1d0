"""Which of a style's networks a measurement takes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from realtime.errors import ModelError
from realtime.gallery import PRECISIONS, TIERS, ModelFile, Style, find_style, load_gallery
from realtime.networks.model_choice import ModelChoice
from realtime.stylizer import Stylizer


class Network(NamedTuple):
    """One file of a style."""

    style: Style
    tier: str
    precision: str
    model: ModelFile

    @property
    def names(self) -> dict[str, str]:
        """What a row of a result begins with."""
        return {"style": self.style.name, "tier": self.tier, "precision": self.precision}

    def open(self) -> Stylizer:
        """It, on the processor."""
        return Stylizer(self.style, ModelChoice(self.tier, self.precision, "cpu"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--style, --tier and --precision, each as often as wanted, and --styles."""
    parser.add_argument("--style", action="append", metavar="NAME", help="default: all of the gallery; may be repeated")
    parser.add_argument("--styles", type=Path, metavar="DIR", help="one more folder with styles")
    parser.add_argument("--tier", action="append", choices=TIERS, help="default: all that a style has")
    parser.add_argument("--precision", action="append", choices=PRECISIONS, help="default: all that a style has")


def chosen_styles(names: Sequence[str] | None, extra: Path | None) -> list[Style]:
    """Styles of the gallery by name, or files; None for the whole gallery.

    Args:
        extra: one more folder with styles.
    Raises:
        ModelError: there is none of that name, or extra is not a folder.
    """
    gallery = load_gallery(extra)
    found = (find_style(gallery, name) for name in names or [style.name for style in gallery])
    return [styles[number] for styles, number in found]


def networks_of(style: Style, tiers: Sequence[str] | None, precisions: Sequence[str] | None) -> list[Network]:
    """A style's networks of these tiers and precisions; None for all.

    Raises:
        ModelError: it has none of them.
    """
    found = [
        Network(style, tier, precision, model)
        for tier, models in style.models.items()
        for precision, model in models.items()
        if (not tiers or tier in tiers) and (not precisions or precision in precisions)
    ]
    if not found:
        has = ", ".join(f"{tier} {precision}" for tier, models in style.models.items() for precision in models)
        wanted = " ".join([*(f"--tier {tier}" for tier in tiers or ()), *(f"--precision {name}" for name in precisions or ())])
        raise ModelError(f"{wanted}: the style {style.name} has {has or 'no network'}")
    return found
