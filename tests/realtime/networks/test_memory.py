"""Memory: what is free, and how pictures painted at the same time share it."""

from __future__ import annotations

import ctypes
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from realtime.frame import Image
from realtime.networks import memory
from realtime.networks.memory import available_bytes, half_of_memory, share_of_memory
from realtime.networks.model_choice import ModelChoice
from realtime.stylizer import Stylizer
from tests.fakes import noisy_picture, style_of, write_foreign_onnx

MIB = 2**20
FOREIGN_BYTES_PER_PIXEL = 900


def test_a_container_limits_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:    4000 kB\n", encoding="ascii")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert available_bytes() == 4000 * 1024
    (tmp_path / "memory.max").write_text("3000000\n", encoding="ascii")
    (tmp_path / "memory.current").write_text("1000000\n", encoding="ascii")
    assert available_bytes() == 2000000
    assert half_of_memory() == 1000000


def test_a_machine_that_does_not_say_what_is_free_has_half_of_all_its_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "none")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    sizes = {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr("os.sysconf", sizes.__getitem__)
    assert available_bytes() == 500 * 4096


def test_windows_is_asked_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_uint32),
            ("load", ctypes.c_uint32),
            *(
                (name, ctypes.c_uint64)
                for name in ("all", "free", "page_file", "free_page_file", "virtual", "free_virtual", "more")
            ),
        )

    class Kernel:
        @staticmethod
        def GlobalMemoryStatusEx(place: Any) -> int:  # noqa: N802  (Windows' own name)
            status = ctypes.cast(place, ctypes.POINTER(Status)).contents
            if status.length != ctypes.sizeof(Status):
                return 0
            status.free = 5000
            return 1

    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "none")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=Kernel), raising=False)
    assert available_bytes() == 5000


@pytest.mark.parametrize(
    ("free", "lanes", "share"),
    [
        (None, 1, 512 * MIB),  # one alone has what one may take, whatever is free
        (100 * MIB, 1, 512 * MIB),
        (None, 4, 128 * MIB),
        (100 * MIB, 4, 128 * MIB),
        (2048 * MIB, 4, 256 * MIB),
        (4096 * MIB, 4, 512 * MIB),
        (65536 * MIB, 4, 512 * MIB),
    ],
)
def test_lanes_share_what_is_free(monkeypatch: pytest.MonkeyPatch, free: int | None, lanes: int, share: int) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: free)
    assert share_of_memory(512 * MIB, lanes) == share


class Untiled:
    """A foreign network that is said to see the whole picture, and what it is asked to paint."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, lanes: int) -> None:
        self.measured = 0
        self.painted_pixels: list[int] = []
        monkeypatch.setattr("realtime.stylizer.measure_reach", self._measure)
        monkeypatch.setattr(memory, "available_bytes", lambda: self.free_bytes)
        self.free_bytes = 0
        style = style_of(write_foreign_onnx(folder / "foreign.onnx"))
        self.stylizer = Stylizer(style, ModelChoice(provider="cpu", threads=1, lanes=lanes))
        self.stylizer.whole_pixels = 100
        run = self.stylizer._run

        def note(batch: np.ndarray) -> np.ndarray:
            self.painted_pixels.append(batch.shape[2] * batch.shape[3])
            return np.asarray(run(batch))

        self.stylizer._run = note  # type: ignore[method-assign]

    def _measure(self, _: object) -> None:
        self.measured += 1
        time.sleep(0.05)  # long enough for every other lane to come by


def test_lanes_share_the_memory_of_a_network_that_cannot_be_tiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for lanes in (1, 4):
        network = Untiled(tmp_path, monkeypatch, lanes)
        network.free_bytes = 2 * 256_000 * FOREIGN_BYTES_PER_PIXEL
        assert network.stylizer.style(noisy_picture((800, 640))).shape == (640, 800, 3)
        assert 0.7 * 256_000 / lanes < network.painted_pixels[0] <= 1.2 * 256_000 / lanes  # padded to whole strides


def test_every_frame_is_painted_at_the_size_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Untiled(tmp_path, monkeypatch, lanes=1)
    network.free_bytes = 2 * 4000 * FOREIGN_BYTES_PER_PIXEL
    for _ in range(3):
        network.stylizer.style(noisy_picture((100, 80)))
        network.free_bytes //= 2  # the network keeps what it took
    assert len(set(network.painted_pixels)) == 1


def test_one_lane_measures_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Untiled(tmp_path, monkeypatch, lanes=4)
    together = threading.Barrier(4)

    def paint(seed: int) -> Image:
        together.wait()
        return network.stylizer.style(noisy_picture((100, 80), seed))

    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(paint, range(4)))) == 4
    assert network.measured == 1


def test_tiles_of_lanes_are_smaller_and_paint_the_same(inversion_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: None)
    alone, in_lanes = (
        Stylizer(style_of(inversion_onnx), ModelChoice(provider="cpu", threads=1, lanes=lanes)) for lanes in (1, 4)
    )
    assert in_lanes.whole_pixels == alone.whole_pixels // 4
    in_lanes.whole_pixels = 64 * 64
    photo = noisy_picture((333, 111))
    np.testing.assert_array_equal(in_lanes.style(photo), alone.style(photo))
