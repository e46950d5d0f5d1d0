"""--doctor: what this machine has, which part of it really runs a network, how fast, and what is to be mended."""

from __future__ import annotations

import platform
import time

import cv2
import numpy as np
import onnxruntime as ort

from realtime import __version__
from realtime.cameras import list_cameras, measure_camera
from realtime.displays import list_displays
from realtime.errors import EXIT_DONE, ModelError, UserError
from realtime.gallery import Style
from realtime.networks.calibration import Goal, explain, measure, order, remember
from realtime.networks.faults import find_faults
from realtime.networks.model_choice import ModelChoice, choose_file
from realtime.networks.probe import problem_of
from realtime.networks.processor import core_count, has_fast_int8, processor_features, processor_name
from realtime.networks.providers import PROVIDERS, installation
from realtime.sinks import display_problem
from realtime.stylizer import Stylizer

_SIZES_WH = ((640, 480), (1280, 720), (1920, 1080))
_RUNS = 3
_NAME_WIDTH = 13


def report(styles: list[Style], choice: ModelChoice, goal: Goal) -> int:
    """Prints the report; every line is something that was tried just now. The last ones are faults with what mends them.

    Args:
        styles: the gallery; the first one is measured.
        choice: what the other options ask for.
        goal: rate and size that "auto" chooses for.
    """
    _print_versions()
    _print_processor()
    _print_gpus()
    working = [provider for provider in PROVIDERS[1:] if _print_provider(provider)]
    _print_cameras()
    _print_displays()
    if styles:
        for provider in working:
            _print_speed(styles[0], provider)
        _print_automatic(styles, choice, goal)
    else:
        _line("styles", "none found: nothing to measure")
    _print_faults()
    return EXIT_DONE


def _line(name: str, text: str) -> None:
    print(f"{name:{_NAME_WIDTH}}{text}", flush=True)


def _print_versions() -> None:
    _line("StyleCam", f"{__version__}, Python {platform.python_version()}, {platform.platform()}")
    cuda = installation().cuda_major
    built = f" (built for CUDA {cuda})" if cuda else ""
    _line("packages", f"onnxruntime {ort.__version__}{built}, OpenCV {cv2.__version__}, NumPy {np.__version__}")


def _print_processor() -> None:
    features = ", ".join(processor_features())
    note = "fast 8-bit dot products" if has_fast_int8() else "no fast 8-bit dot products"
    told = f"{features}; {note}" if features else "its instruction sets are not told here"
    _line("processor", f"{processor_name()}, {core_count()} cores, {platform.machine()}: {told}")


def _print_gpus() -> None:
    driver = installation().driver
    if driver is None:
        _line("GPU", "no NVIDIA driver was found")
        return
    supported = f"driver for CUDA {driver.cuda[0]}.{driver.cuda[1]}"
    for gpu in driver.gpus:
        _line("GPU", f"{gpu.name}, {gpu.memory_bytes / 2**30:.1f} GiB, compute {gpu.compute}, {supported}")
    if not driver.gpus:
        _line("GPU", f"none, although there is a {supported}")


def _print_provider(provider: str) -> bool:
    problem = problem_of(provider)
    _line(provider, "runs" if problem is None else f"does not run: {problem}")
    return problem is None


def _print_cameras() -> None:
    found = False
    for number, size_wh, stated_fps in list_cameras():
        found = True
        stated = f"{size_wh[0]}x{size_wh[1]} at {stated_fps:g} stated"
        measured = measure_camera(number)
        if measured is None:
            _line("camera", f"{number}: no frame came ({stated})")
        else:
            (width, height), fps = measured
            _line("camera", f"{number}: {width}x{height}, {fps:.1f} frames a second measured ({stated})")
    if not found:
        _line("camera", "none found")


def _print_displays() -> None:
    problem = display_problem()
    if problem is not None:
        _line("display", problem)
        return
    screens = ", ".join(f"{width}x{height}" for width, height in list_displays())
    _line("display", screens or "answers")


def _print_speed(style: Style, provider: str) -> None:
    for tier, models in style.models.items():
        for precision in models:
            name = f"{tier} {precision}"
            try:
                stylizer = Stylizer(style, ModelChoice(tier, precision, provider))
                figures = ", ".join(f"{wh[0]}x{wh[1]} {_milliseconds(stylizer, wh):.1f} ms" for wh in _SIZES_WH)
                _line(name, f"on {provider}: {figures}{_placement(stylizer)}")
            except UserError as error:
                _line(name, f"on {provider}: {error}")


def _milliseconds(stylizer: Stylizer, size_wh: tuple[int, int]) -> float:
    stylizer.warm_up(size_wh)
    picture = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    trials = []
    for _ in range(_RUNS):
        started = time.perf_counter()
        stylizer.style(picture)
        trials.append((time.perf_counter() - started) * 1000)
    return float(np.median(trials))


def _placement(stylizer: Stylizer) -> str:
    """Which nodes run elsewhere than asked; nothing on the processor, where all of them belong."""
    if stylizer.provider == "cpu":
        return ""
    placement = stylizer.placement(_SIZES_WH[0])
    return f"; {stylizer.provider} runs {placement.describe()}" if placement else "; where its nodes run cannot be told"


def _print_automatic(styles: list[Style], choice: ModelChoice, goal: Goal) -> None:
    """What "auto" takes from now on: the measurement is kept, so that the next start does as is told here."""
    style = styles[0]
    try:
        measured = measure(style, choice, None)
        if len(measured) > 1 and (best := order(measured, goal)):
            remember(styles, choice, measured)
            tier, precision = best[0]
            reason = explain(measured, goal)
        else:
            tier, precision = choose_file(style, choice)
            reason = f"{tier} {precision}: there is nothing else to choose from"
        stylizer = Stylizer(style, ModelChoice(tier, precision, choice.provider))
    except ModelError as error:
        _line("auto", str(error))
        return
    _line("auto", f"would run on {stylizer.provider}, {reason}")


def _print_faults() -> None:
    faults = find_faults(installation())
    for fault in faults:
        _line("fault", fault.what)
        _line("  to mend it", fault.mend)
    if not faults:
        _line("faults", "none known: nothing to mend")
