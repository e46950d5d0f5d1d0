"""Which part of the machine runs the network: found by creating a session, never by asking what is installed."""

from __future__ import annotations

import contextlib
import io
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import onnxruntime as ort

from realtime.errors import ModelError, first_line
from realtime.networks import faults
from realtime.networks.arena import ARENA
from realtime.networks.exact_sums import keep_sums_exact
from realtime.networks.nvidia import driver_loads, read_driver
from realtime.networks.placement import Placement, read_placement
from realtime.program.folders import user_cache_folder
from realtime.program.packages import PIP

PROVIDERS = ("auto", "cuda", "tensorrt", "coreml", "cpu")
NVIDIA_PROVIDERS = frozenset({"cuda", "tensorrt"})
_ORT_NAMES = {
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
_SHORT_NAMES = {long: short for short, long in _ORT_NAMES.items()}

ort.set_default_logger_severity(4)
ort.disable_telemetry_events()  # Windows has events of its own; see realtime/__init__.py for the rest


@dataclass(frozen=True)
class SessionSettings:
    """What a session shall run on.

    threads: 0 for onnxruntime's own choice, one for each physical core.
    sizes: values for the graph's free dimensions by name, as {"height": 480}: shapes are then computed once, when the
        session is made, and nothing of that is left to run (on a GPU: to run on the processor, with copies around it).
    cuda_graph: record the whole run once and play it back; wants fixed sizes and every node on the GPU.
    precision: of the model; TensorRT has to be allowed to compute in float16.
    channels_last: convolutions as NHWC on CUDA; None for what the precision likes: float16's tensor cores want it.
    weights_folder: where files lie that a model given as bytes keeps weights in; "" for one that holds all of them itself.
    """

    provider: str = "auto"
    threads: int = 0
    sizes: Mapping[str, int] | None = None
    cuda_graph: bool = False
    precision: str = "fp32"
    channels_last: bool | None = None
    weights_folder: str = ""


def create_session(model: bytes | Path, choice: SessionSettings, name: str) -> tuple[ort.InferenceSession, str]:
    """A session on the wanted provider.

    Args:
        model: bytes or path of the ONNX file.
        choice: "auto" takes the first provider that really loads, a GPU before the processor; where a GPU is present
            but does not load, that is said once, in one line on stderr.
        name: of the model, for messages.
    Returns:
        The session and the short name of the provider that executes.
    Raises:
        ModelError: not an ONNX model, or the provider asked for does not load.
    """
    source = model if isinstance(model, bytes) else str(model)
    for provider in _candidates(choice.provider):
        session = _try_session(source, provider, choice, name)
        if session is not None:
            if choice.provider == "auto" and provider == "cpu":
                _warn_of_idle_gpu()
            return session, provider
    raise ModelError(f"--provider {choice.provider}: does not load here ({why_not(choice.provider)}); try --provider cpu")


def why_not(provider: str) -> str:
    """Why a provider does not load, as far as that can be found out, with the command that mends it."""
    is_built_in = _ORT_NAMES[provider] in ort.get_available_providers()
    if provider in NVIDIA_PROVIDERS:
        if not is_built_in:
            return f"this onnxruntime {ort.__version__} was built without it; {faults.INSTALL_GPU}"
        if not driver_loads():
            return "no NVIDIA driver was found; https://www.nvidia.com/drivers"
        found = faults.find_faults(installation())
        if found:
            return f"{found[0].what}; {found[0].mend}"
        if provider == "tensorrt" and not faults.tensorrt_loads():
            return f"the library libnvinfer is missing; {PIP} install tensorrt"
    elif not is_built_in:
        return f"this onnxruntime {ort.__version__} was built without it; it comes with the one for macOS"
    return "onnxruntime could not start it"


def placement_of(session: ort.InferenceSession, provider: str) -> Placement | None:
    """Which of a session's nodes the provider runs."""
    return read_placement(session, _ORT_NAMES[provider])


def expected_provider(wanted: str) -> str:
    """What a session will most likely run on, without making one: to choose among a style's files."""
    return _candidates(wanted)[0]


def _candidates(provider: str) -> list[str]:
    if provider != "auto":
        return [provider]
    found = ort.get_available_providers()
    candidates = []
    if _ORT_NAMES["cuda"] in found and driver_loads():
        candidates.append("cuda")
    if _ORT_NAMES["coreml"] in found:
        candidates.append("coreml")
    return [*candidates, "cpu"]


def _try_session(source: bytes | str, provider: str, choice: SessionSettings, name: str) -> ort.InferenceSession | None:
    """A session whose first provider is the wanted one; None where that does not load."""
    if provider != "cpu" and _ORT_NAMES[provider] not in ort.get_available_providers():
        return None
    if provider in NVIDIA_PROVIDERS:
        if not driver_loads():
            return None
        _preload_libraries()
    try:
        session = ort.InferenceSession(source, _session_options(choice, provider), providers=_providers(provider, choice))
    except Exception as error:  # onnxruntime's own exception types have no common base but Exception
        if provider != "cpu":
            return None
        raise ModelError(f"model {name}: onnxruntime cannot load it ({first_line(error)})") from None
    return session if _SHORT_NAMES.get(session.get_providers()[0]) == provider else None


def _session_options(choice: SessionSettings, provider: str) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = choice.threads
    options.log_severity_level = 4
    # Workers that spin while waiting take the cores from capture and window: half as much processor time again for
    # each frame, and no frame comes sooner.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if provider == "cpu":
        ARENA.used_by(options)
        keep_sums_exact(options)
    else:
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")  # see realtime/networks/placement.py
    if choice.weights_folder:
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", choice.weights_folder)
    for dimension, value in (choice.sizes or {}).items():
        options.add_free_dimension_override_by_name(dimension, value)
    return options


def _providers(provider: str, choice: SessionSettings) -> list[Any]:
    """The wanted provider with its options, and those that take over the nodes it does not know."""
    graph = _switch(choice.cuda_graph)
    half = choice.precision == "fp16"
    cuda = {
        "cudnn_conv_algo_search": "HEURISTIC",  # the default, an exhaustive search, costs about a second at every new size
        "prefer_nhwc": _switch(half if choice.channels_last is None else choice.channels_last),
    }
    if provider == "tensorrt":
        caches = _tensorrt_folder()
        tensorrt = {
            "trt_fp16_enable": _switch(half),
            "trt_cuda_graph_enable": graph,
            "trt_engine_cache_enable": _switch(bool(caches)),
            "trt_timing_cache_enable": _switch(bool(caches)),
        }
        if caches:
            tensorrt |= {"trt_engine_cache_path": caches, "trt_timing_cache_path": caches}
        return [(_ORT_NAMES["tensorrt"], tensorrt), (_ORT_NAMES["cuda"], cuda), _ORT_NAMES["cpu"]]
    if provider == "cuda":
        return [(_ORT_NAMES["cuda"], cuda | {"enable_cuda_graph": graph}), _ORT_NAMES["cpu"]]
    if provider == "coreml":
        return [(_ORT_NAMES["coreml"], {"ModelFormat": "MLProgram", "MLComputeUnits": "ALL"}), _ORT_NAMES["cpu"]]
    return [_ORT_NAMES["cpu"]]


def _switch(on: bool) -> str:
    return "1" if on else "0"


def _tensorrt_folder() -> str:
    """Where engines are kept, so that they are built once for each GPU and size; "" where no folder can be made."""
    folder = user_cache_folder() / "tensorrt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return ""
    return str(folder) if os.access(folder, os.W_OK) else ""


@lru_cache(maxsize=1)
def _preload_libraries() -> None:
    """Loads CUDA's and cuDNN's libraries out of their Python packages. It prints what it misses: kept quiet."""
    if platform.system() not in ("Linux", "Windows") or not hasattr(ort, "preload_dlls"):
        return
    with contextlib.redirect_stdout(io.StringIO()):
        ort.preload_dlls()


@lru_cache(maxsize=1)
def installation() -> faults.Installation:
    """What is installed on this machine, asked once."""
    if driver_loads():
        _preload_libraries()
    return faults.Installation(faults.read_packages(), ort.__version__, faults.built_for_cuda(), read_driver())


@lru_cache(maxsize=1)
def _warn_of_idle_gpu() -> None:
    """One line, once, where there is an NVIDIA GPU and the processor has to do its work."""
    if driver_loads() and (driver := installation().driver) is not None and driver.gpus:
        print(f"warning: {driver.gpus[0].name} is not used ({why_not('cuda')}); running on the processor", file=sys.stderr)
