"""--doctor: what this machine has, and which part of it really runs a network."""

from __future__ import annotations

import os
import platform
import sys
import time
from importlib import metadata

import cv2
import numpy as np
import onnxruntime as ort

from realtime import __version__
from realtime.cameras import list_cameras
from realtime.errors import EXIT_DONE, UserError
from realtime.gallery import Style
from realtime.model_choice import ModelChoice
from realtime.processor import has_fast_int8
from realtime.providers import PROVIDERS, why_not
from realtime.sinks import display_problem
from realtime.stylizer import Stylizer

_SIZES_WH = ((640, 480), (1280, 720), (1920, 1080))
_RUNS = 3


def report(styles: list[Style]) -> int:
    """Prints the report; every line is something that was tried just now."""
    _print_versions()
    _print_processor()
    _print_providers(styles)
    _print_cameras()
    problem = display_problem()
    print(f"display      {problem or 'answers'}")
    _print_speed(styles)
    advice = _advice()
    print("advice       " + (advice or "nothing to mend"))
    return EXIT_DONE


def _print_versions() -> None:
    print(f"StyleCam     {__version__}, Python {platform.python_version()}, {platform.platform()}")
    print(f"packages     onnxruntime {ort.__version__}, OpenCV {cv2.__version__}, NumPy {np.__version__}")


def _print_processor() -> None:
    bytes_note = "fast 8-bit dot products" if has_fast_int8() else "no fast 8-bit dot products"
    print(f"processor    {os.cpu_count()} cores, {platform.machine()}, {bytes_note}")


def _print_providers(styles: list[Style]) -> None:
    if not styles:
        print("providers    cannot be tried: no styles found")
        return
    for provider in PROVIDERS[1:]:
        try:
            stylizer = Stylizer(styles[0], ModelChoice(provider=provider))
            stylizer.warm_up((64, 64))
            print(f"{provider:12} runs")
        except UserError:
            print(f"{provider:12} does not run: {why_not(provider)}")


def _print_cameras() -> None:
    found = [f"{number} ({wh[0]}x{wh[1]}, {fps:g} fps stated)" for number, wh, fps in list_cameras()]
    print(f"cameras      {', '.join(found) or 'none found'}")


def _print_speed(styles: list[Style]) -> None:
    if not styles:
        return
    for tier, models in styles[0].models.items():
        for precision in models:
            try:
                stylizer = Stylizer(styles[0], ModelChoice(tier, precision))
                figures = ", ".join(f"{wh[0]}x{wh[1]} {_milliseconds(stylizer, wh):.0f} ms" for wh in _SIZES_WH)
            except UserError as error:
                figures = str(error)
            print(f"{tier} {precision:7} {figures}")
    chosen = Stylizer(styles[0], ModelChoice())
    print(f"auto         {chosen.tier} {chosen.precision} on {chosen.provider}")


def _milliseconds(stylizer: Stylizer, size_wh: tuple[int, int]) -> float:
    stylizer.warm_up(size_wh)
    picture = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    trials = []
    for _ in range(_RUNS):
        started = time.perf_counter()
        stylizer.style(picture)
        trials.append((time.perf_counter() - started) * 1000)
    return float(np.median(trials))


def _advice() -> str | None:
    installed = {
        distribution.metadata["Name"].lower() for distribution in metadata.distributions() if distribution.metadata["Name"]
    }
    pip = f"{sys.executable} -m pip"
    if {"onnxruntime", "onnxruntime-gpu"} <= installed:
        return (
            "onnxruntime and onnxruntime-gpu are both installed, which hides CUDA: "
            f"{pip} uninstall -y onnxruntime onnxruntime-gpu && {pip} install 'onnxruntime-gpu[cuda,cudnn]'"
        )
    if "opencv-python-headless" in installed:
        return (
            f"opencv-python-headless has no windows: {pip} uninstall -y opencv-python-headless "
            f"&& {pip} install --force-reinstall opencv-python"
        )
    return None
