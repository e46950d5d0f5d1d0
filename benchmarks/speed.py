"""Milliseconds for a frame, side by side with the reference network: python -m benchmarks.speed.

Everything that the ONNX contract puts into the graph is in the figure. Networks take turns; the first runs after a
turn are thrown away; medians. On the processor also the share of its peak: multiply-adds a second against those of one
big product of matrices of the same type, and what the operators other than convolutions take.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

import realtime.program.quiet  # noqa: F401
from benchmarks.peak import macs_per_pixel, operator_shares, peak_macs
from benchmarks.ready_frames import fitted
from benchmarks.reference import export_reference
from benchmarks.report import SIZES_WH, check_json, print_table, size_text, write_json
from realtime.errors import EXIT_DONE
from realtime.gallery import find_style, load_gallery
from realtime.networks.providers import PROVIDERS, SessionSettings, create_session
from realtime.program import argument_types
from realtime.program.interruption import entry_point

_DISCARDED = 1


class Contender:
    """A session with an input of the right shape.

    Args:
        name: of the network, for the table, where its precision is added.
        precision: of the network.
    """

    def __init__(self, name: str, precision: str, session: ort.InferenceSession, frame: Any) -> None:
        self.name, self._precision = f"{name} {precision}", precision
        self.milliseconds: list[float] = []
        self._session, self._feed = session, {session.get_inputs()[0].name: frame}

    def take_turn(self, runs: int) -> None:
        """Some runs, of which the first is not counted."""
        for number in range(_DISCARDED + runs):
            started = time.perf_counter()
            self._session.run(None, self._feed)
            if number >= _DISCARDED:
                self.milliseconds.append((time.perf_counter() - started) * 1000)

    def share_of_peak(self, size_wh: tuple[int, int], peaks: dict[str, float]) -> dict[str, float]:
        """Multiply-adds a second in thousand millions, and their share of the peak; nothing where they are not known."""
        macs, peak = macs_per_pixel(self._session), peaks.get(self._precision)
        if macs is None or peak is None:
            return {}
        reached = macs * size_wh[0] * size_wh[1] / (self.median_ms / 1000)
        return {
            "gmacs": round(reached / 1e9, 1),
            "peak_gmacs": round(peak / 1e9, 1),
            "share": reached / peak,
        }

    @property
    def median_ms(self) -> float:
        """Over all counted runs."""
        return float(np.median(self.milliseconds))


def take_turns(contenders: Iterable[Contender], rounds: int, runs: int = 4) -> None:
    """Lets each of them run some times in turn, again and again, so that what else the machine does meets all alike."""
    for _ in range(rounds):
        for contender in contenders:
            contender.take_turn(runs)


def measure(style_name: str | None, size_wh: tuple[int, int], choice: SessionSettings, rounds: int) -> list[dict[str, Any]]:
    """Rows for the reference and each file of the style."""
    styles, number = find_style(load_gallery(), style_name)
    random = np.random.default_rng(0)
    frame = random.integers(0, 256, (1, size_wh[1], size_wh[0], 3), np.uint8)
    planes = np.ascontiguousarray(frame.transpose(0, 3, 1, 2)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reference.onnx"
        export_reference(path, size_wh)
        contenders = [Contender("reference", "fp32", create_session(path, choice, path.name)[0], planes)]
    for tier, models in styles[number].models.items():
        for precision, model in models.items():
            session, _ = create_session(model.path, choice, model.path.name)
            contenders.append(Contender(tier, precision, session, fitted(session, frame[0])))
    peaks = {p: peak_macs(p, choice) for p in ("fp32", "int8")} if choice.provider == "cpu" else {}
    for _ in range(rounds):
        for contender in contenders:
            contender.take_turn(1 if contender is contenders[0] else 4)
    slowest = contenders[0].median_ms
    return [
        {"network": c.name, "size_wh": size_wh, "ms": round(c.median_ms, 2), "times_reference": round(slowest / c.median_ms, 2)}
        | c.share_of_peak(size_wh, peaks)
        for c in contenders
    ]


def _operators(style_name: str | None, threads: int) -> dict[str, dict[str, float]]:
    """What each operator takes of a frame at 1280x720, for each file of the style."""
    styles, number = find_style(load_gallery(), style_name)
    with tempfile.TemporaryDirectory() as folder:
        return {
            f"{tier} {precision}": operator_shares(model.path, (1280, 720), threads, Path(folder))
            for tier, models in styles[number].models.items()
            for precision, model in models.items()
        }


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argument_types.Parser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--style", help="default: the gallery's first")
    parser.add_argument("--size", action="append", type=argument_types.size, help="default: 640x480 and 1280x720")
    parser.add_argument("--provider", default="cpu", choices=PROVIDERS, help="default %(default)s")
    parser.add_argument("--threads", type=argument_types.whole, default=0, help="default: onnxruntime's choice")
    parser.add_argument("--rounds", type=argument_types.count, default=7, help="turns (default %(default)s)")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    check_json(args.json)
    rows = []
    for size_wh in args.size or SIZES_WH:
        rows += measure(args.style, size_wh, SessionSettings(args.provider, args.threads), args.rounds)
    shares = _operators(args.style, args.threads) if args.provider == "cpu" else {}
    write_json(args.json, {"speed": rows, "operators": shares})
    print_table(
        ("network", "size", "ms", "times reference", "GMAC/s", "of the peak"),
        [
            (
                r["network"],
                size_text(r["size_wh"]),
                f"{r['ms']:.1f}",
                f"{r['times_reference']:.1f}",
                f"{r['gmacs']:.0f}" if "gmacs" in r else "",
                f"{r['share']:.0%} of {r['peak_gmacs']:.0f}" if "share" in r else "",
            )
            for r in rows
        ],
    )
    for network, operators in shares.items():
        print(f"{network}: " + ", ".join(f"{name} {share:.0%}" for name, share in operators.items() if share >= 0.01))
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
