"""Which of a style's files is run: what the user asks for, then what was measured, then what the processor is good at."""

from __future__ import annotations

from dataclasses import dataclass, replace

from realtime.errors import ModelError
from realtime.gallery import PRECISIONS, TIERS, Style
from realtime.networks.processor import has_fast_int8
from realtime.networks.providers import NVIDIA_PROVIDERS, expected_provider


@dataclass(frozen=True)
class ModelChoice:
    """What the user asks for: tier, precision, provider, and the value range of a foreign model.

    threads: of a session; 0 for as many as there are cores.
    lanes: pictures that a session paints at the same time; they share the memory that it may take.
    preferred: (tier, precision) pairs that calibration found, the best first; they fill in for "auto".
    """

    tier: str = "auto"
    precision: str = "auto"
    provider: str = "auto"
    value_range: tuple[float, float] | None = None
    threads: int = 0
    lanes: int = 1
    preferred: tuple[tuple[str, str], ...] = ()


def choose_file(style: Style, choice: ModelChoice) -> tuple[str, str]:
    """Tier and precision among the files that a style has.

    Raises:
        ModelError: the style has no such file.
    """
    _check(style, choice)
    allowed = allowed_files(style, choice)
    return next(pair for pair in (*choice.preferred, *by_rule(choice.provider)) if pair in allowed)


def allowed_files(style: Style, choice: ModelChoice) -> list[tuple[str, str]]:
    """The (tier, precision) pairs of a style among which "auto" may choose."""
    if style.is_one_file:
        return [(tier, precision) for tier, models in style.models.items() for precision in models]
    return [
        (tier, precision)
        for tier in TIERS
        for precision in PRECISIONS
        if precision in style.models.get(tier, {}) and choice.tier in ("auto", tier) and choice.precision in ("auto", precision)
    ]


def with_network(style: Style, choice: ModelChoice, sha256: str | None) -> ModelChoice:
    """The choice with "auto" filled in by a style's file of that digest, where it has one that is allowed."""
    for tier, precision in allowed_files(style, choice):
        if sha256 is not None and style.models[tier][precision].sha256 == sha256:
            return replace(choice, tier=tier, precision=precision)
    return choice


def by_rule(provider: str) -> list[tuple[str, str]]:
    """The order without a measurement: on a GPU fine and float16, on a processor fast, int8 where it is good at bytes."""
    if expected_provider(provider) in NVIDIA_PROVIDERS or provider == "coreml":
        return [(tier, precision) for tier in ("fine", "fast") for precision in ("fp16", "fp32", "int8")]
    precisions = ("int8", "fp32", "fp16") if has_fast_int8() else ("fp32", "int8", "fp16")
    return [(tier, precision) for tier in ("fast", "fine") for precision in precisions]


def _check(style: Style, choice: ModelChoice) -> None:
    if style.is_one_file:
        return
    tiers = [tier for tier in TIERS if style.models.get(tier)]
    if choice.tier != "auto" and choice.tier not in tiers:
        raise ModelError(f"--tier {choice.tier}: the style {style.name} has {', '.join(tiers)}")
    if choice.precision == "auto":
        return
    among = tiers if choice.tier == "auto" else [choice.tier]
    precisions = [p for p in PRECISIONS if any(p in style.models[tier] for tier in among)]
    if choice.precision not in precisions:
        raise ModelError(f"--precision {choice.precision}: {style.name} ({', '.join(among)}) has {', '.join(precisions)}")
