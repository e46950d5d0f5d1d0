"""Which part of the machine runs the network: found by creating a session, never by asking what is installed."""

from __future__ import annotations

import ctypes
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime as ort

from realtime.errors import ModelError

PROVIDERS = ("auto", "cuda", "tensorrt", "coreml", "cpu")
_ORT_NAMES = {
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
_SHORT_NAMES = {long: short for short, long in _ORT_NAMES.items()}
_OPTIONS: dict[str, dict[str, str]] = {
    # The default, an exhaustive search, costs about a second at every new size.
    "cuda": {"cudnn_conv_algo_search": "HEURISTIC"},
}

ort.set_default_logger_severity(4)


@dataclass(frozen=True)
class Choice:
    """What a session shall run on."""

    provider: str = "auto"
    threads: int = 0  # 0: onnxruntime's own choice, one for each physical core


def create_session(model: bytes | Path, choice: Choice, name: str) -> tuple[ort.InferenceSession, str]:
    """A session on the wanted provider.

    Args:
        model: bytes or path of the ONNX file.
        choice: "auto" takes the first provider that really loads, a GPU before the processor.
        name: of the model, for messages.
    Returns:
        The session and the short name of the provider that executes.
    Raises:
        ModelError: not an ONNX model, or the provider asked for does not load.
    """
    source = model if isinstance(model, bytes) else str(model)
    for provider in _candidates(choice.provider):
        session = _try_session(source, provider, choice.threads, name)
        if session is not None:
            return session, provider
    raise ModelError(f"--provider {choice.provider}: does not load here ({why_not(choice.provider)}); try --provider cpu")


def why_not(provider: str) -> str:
    """Why a provider does not load, as far as that can be found out."""
    if _ORT_NAMES[provider] not in ort.get_available_providers():
        hint = {"cuda": "pip install onnxruntime-gpu[cuda,cudnn]", "tensorrt": "pip install onnxruntime-gpu tensorrt"}
        return f"this onnxruntime {ort.__version__} was built without it; {hint.get(provider, 'macOS only')}"
    if provider in ("cuda", "tensorrt"):
        if not nvidia_driver_loads():
            return "no NVIDIA driver was found"
        for library in ("cudart", "cublas", "cudnn", "curand", "cufft"):
            if not _library_loads(library):
                return f"the library lib{library} is missing; pip install onnxruntime-gpu[cuda,cudnn]"
    return "onnxruntime could not start it"


def nvidia_driver_loads() -> bool:
    """Whether this machine has an NVIDIA driver."""
    return _loads("nvcuda.dll" if platform.system() == "Windows" else "libcuda.so.1")


def _candidates(provider: str) -> list[str]:
    if provider != "auto":
        return [provider]
    found = ort.get_available_providers()
    candidates = []
    if _ORT_NAMES["cuda"] in found and nvidia_driver_loads():
        candidates.append("cuda")
    if _ORT_NAMES["coreml"] in found:
        candidates.append("coreml")
    return [*candidates, "cpu"]


def _try_session(source: bytes | str, provider: str, threads: int, name: str) -> ort.InferenceSession | None:
    """A session whose first provider is the wanted one; None where that does not load."""
    if provider != "cpu" and _ORT_NAMES[provider] not in ort.get_available_providers():
        return None
    if provider in ("cuda", "tensorrt"):
        if not nvidia_driver_loads():
            return None
        ort.preload_dlls()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    # Workers that spin while waiting take the cores from capture and window.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers: list[Any] = [(_ORT_NAMES[provider], _OPTIONS.get(provider, {}))]
    if provider != "cpu":
        providers.append(_ORT_NAMES["cpu"])
    try:
        session = ort.InferenceSession(source, options, providers=providers)
    except Exception as error:  # onnxruntime's own exception types have no common base but Exception
        if provider != "cpu":
            return None
        reason = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise ModelError(f"model {name}: onnxruntime cannot load it ({reason})") from None
    return session if _SHORT_NAMES.get(session.get_providers()[0]) == provider else None


def _library_loads(stem: str) -> bool:
    return any(_loads(f"lib{stem}.so{version}") for version in ("", ".13", ".12", ".11", ".10", ".9"))


def _loads(file: str) -> bool:
    try:
        ctypes.CDLL(file)
    except OSError:
        return False
    return True


def has_fast_int8() -> bool:
    """Whether the processor multiplies bytes faster than floats (AVX-512 VNNI, AVX-VNNI, ARM dot products)."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.machine().lower() in ("arm64", "aarch64")
    return any(flag in text for flag in ("avx512_vnni", "avx_vnni", "asimddp"))
