"""Devices by name, and memory that is wanting: one line each."""

from __future__ import annotations

from typing import Any

import cv2
import pytest
import torch

from models.devices import choose_device, enough_memory
from realtime.errors import UserError


def test_the_processor_is_always_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("cpu") == choose_device("auto") == torch.device("cpu")


@pytest.mark.parametrize("name", ["mps", "xpu", "meta", "cpu:1", "cuda:", "cuda:-1", "CPU", "", "gpu please"])
def test_other_devices_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="expected auto, cpu, cuda or cuda:N"):
        choose_device(name)


@pytest.mark.parametrize(("name", "rank", "index"), [("cuda", 1, 1), ("auto", 0, 0), ("cuda:1", 0, 1)])
def test_a_gpu_is_tried_out(monkeypatch: pytest.MonkeyPatch, name: str, rank: int, index: int) -> None:
    tried: list[Any] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch, "zeros", lambda _, device: tried.append(device))
    assert choose_device(name, rank) == torch.device("cuda", index)
    assert tried == [torch.device("cuda", index)]


@pytest.mark.parametrize("name", ["cuda:2", "cuda:300"])
def test_a_gpu_that_is_not_there_is_refused_with_the_count(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UserError, match=f"--device {name}: not available here, PyTorch finds 2 CUDA devices"):
        choose_device(name)


def test_a_gpu_that_does_not_answer_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("CUDA error: all devices are busy\nand advice on debugging")

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch, "zeros", fail)
    with pytest.raises(UserError, match=r"^--device cuda: does not answer \(CUDA error: all devices are busy\); try"):
        choose_device("cuda")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:119] err == 0. DefaultCPUAllocator: can't allocate memory: 9 bytes"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("cuBLAS: CUBLAS_STATUS_ALLOC_FAILED"),
        cv2.error("OpenCV(4.12.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 4915200000 bytes"),
    ],
    ids=lambda error: type(error).__name__ + str(error)[:20],
)
def test_wanting_memory_is_told_with_what_to_try(error: Exception) -> None:
    with (
        pytest.raises(UserError, match=r"^not enough memory for 9 pixels; try fewer$"),
        enough_memory("for 9 pixels; try fewer"),
    ):
        raise error


def test_a_mistake_of_ours_is_not_taken_for_it() -> None:
    with pytest.raises(RuntimeError, match="channels_last"), enough_memory("at all"):
        raise RuntimeError("required rank 4 tensor to use channels_last memory format")
    with pytest.raises(cv2.error, match="Assertion failed"), enough_memory("at all"):
        raise cv2.error("error: (-215:Assertion failed) !ssize.empty() in function 'resize'")
    with pytest.raises(KeyError, match="out of memory"), enough_memory("at all"):
        raise KeyError("out of memory")
