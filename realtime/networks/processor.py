"""The processor: its name, cores, and whether it multiplies bytes faster than floats."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

# What onnxruntime's kernels look for, in the order of their worth for 8-bit networks.
_FEATURES = ("amx_int8", "avx512_vnni", "avx_vnni", "avx512f", "avx2", "i8mm", "asimddp")
_FAST_INT8 = frozenset({"amx_int8", "avx512_vnni", "avx_vnni", "i8mm", "asimddp"})


def processor_name() -> str:
    """As its maker calls it."""
    for line in _cpuinfo().splitlines():
        if line.lower().startswith("model name"):
            return line.split(":", 1)[1].strip()
    return _sysctl("machdep.cpu.brand_string") or platform.processor() or platform.machine()


def processor_features() -> tuple[str, ...]:
    """The instruction sets that matter here, the best first; empty where they cannot be asked for."""
    words = set(_cpuinfo().split())
    if _sysctl("hw.optional.arm.FEAT_DotProd") == "1":
        words.add("asimddp")
    if _sysctl("hw.optional.arm.FEAT_I8MM") == "1":
        words.add("i8mm")
    return tuple(feature for feature in _FEATURES if feature in words)


def has_fast_int8() -> bool:
    """Whether the processor has dot products of bytes (AMX, AVX-512 VNNI, AVX-VNNI, ARM dot products)."""
    return bool(_FAST_INT8.intersection(processor_features()))


def core_count() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _sysctl(name: str) -> str:
    if platform.system() != "Darwin":
        return ""
    try:
        done = subprocess.run(["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, timeout=2, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
