"""The device that PyTorch computes on, and what is said where there is none such or its memory is too small."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from realtime.errors import UserError, first_line

_KNOWN = re.compile(r"cpu|cuda(?::(\d+))?")
# What PyTorch, CUDA's libraries, the system and OpenCV say where memory is wanting.
_NO_MEMORY = ("out of memory", "not enough memory", "allocate memory", "ALLOC_FAILED", "Insufficient memory")
_OPENCV_ERROR = "error"  # its class by name: OpenCV is not loaded here
_AMPERE = 8  # compute capability of the first NVIDIA GPUs that compute in bfloat16
_BFLOAT16_QUESTIONS = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # of torch.cpu; another PyTorch may lack them


def choose_device(wanted: str, local_rank: int = 0) -> torch.device:
    """The device of a name, tried out.

    Args:
        wanted: "auto", "cpu", "cuda" or "cuda:N".
        local_rank: which of the GPUs "cuda" means.
    Raises:
        UserError: another name, no such device, or one that does not answer.
    """
    name = wanted
    if wanted == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    match = _KNOWN.fullmatch(name)
    if match is None:
        raise UserError(f"--device {wanted}: expected auto, cpu, cuda or cuda:N")
    if name == "cpu":
        return torch.device(name)
    index, count = int(match[1] or local_rank), torch.cuda.device_count()
    if index >= count:
        raise UserError(f"--device {wanted}: not available here, PyTorch finds {count} CUDA devices; try --device cpu")
    device = torch.device("cuda", index)
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:  # a driver of another version, or a GPU that is another program's alone
        raise UserError(f"--device {wanted}: does not answer ({first_line(error)}); try --device cpu") from None
    return device


@contextmanager
def enough_memory(what_for: str) -> Iterator[None]:
    """Tells in one line where memory is wanting meanwhile, the device's or the machine's.

    Args:
        what_for: goes on after "not enough memory", with what to try.
    Raises:
        UserError: memory was wanting.
    """
    try:
        yield
    except Exception as error:
        wanting = isinstance(error, MemoryError | torch.OutOfMemoryError)
        tells = isinstance(error, RuntimeError) or type(error).__name__ == _OPENCV_ERROR
        if not wanting and not (tells and any(words in str(error) for words in _NO_MEMORY)):
            raise
        raise UserError(f"not enough memory {what_for}") from None


def bfloat16_pays(device: torch.device) -> bool:
    """Whether a convolution of VGG-19's kind is faster in bfloat16 here: by the instructions that the machine has.

    Not by the clock: on a busy machine that would say now this and now that, and a seed would give two pictures. CUDA
    itself calls bfloat16 supported on GPUs before Ampere too, where it is emulated and slower than float32.
    """
    if device.type == "cuda":
        return bool(torch.version.hip) or torch.cuda.get_device_capability(device)[0] >= _AMPERE
    return any(getattr(torch.cpu, question, bool)() for question in _BFLOAT16_QUESTIONS)
