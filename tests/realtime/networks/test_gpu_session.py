"""The GPU's way of a frame, on the processor: onnxruntime binds tensors of both in the same manner."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime.errors import ModelError
from realtime.networks.gpu_session import GPU, KEPT_SIZES, GpuSession, Shape
from realtime.networks.model_choice import ModelChoice
from realtime.networks.placement import Placement
from realtime.networks.providers import SessionSettings, create_session
from realtime.stylizer import Stylizer
from tests.fakes import noisy_picture, style_of

WHOLE = Placement(3, {})


def maker(model: Path, made: list[tuple[Shape, bool]], graphs: bool = True) -> Callable[[Shape, bool], Any]:
    """Makes sessions with fixed sizes on the processor, which knows no CUDA graphs: they are accepted or refused."""

    def make(shape: Shape, uses_graph: bool) -> Any:
        made.append((shape, uses_graph))
        if uses_graph and not graphs:
            raise RuntimeError("This session cannot use the graph capture feature")
        sizes = dict(zip(("batch", "height", "width"), shape, strict=False))
        return create_session(model.read_bytes(), SessionSettings("cpu", threads=1, sizes=sizes), "tiny")[0]

    return make


def batch_of(width: int = 64, height: int = 48, seed: int = 0) -> Any:
    return noisy_picture((width, height), seed)[np.newaxis]


def test_frames_come_back_painted_each_on_its_own(inversion_onnx: Path) -> None:
    session = GpuSession(maker(inversion_onnx, []), lambda _: WHOLE, device="cpu")
    painted = [session.run(batch_of(seed=seed)) for seed in range(3)]
    for seed, picture in enumerate(painted):  # no result is overwritten by a later frame
        np.testing.assert_array_equal(picture, 255 - batch_of(seed=seed))


def test_session_is_made_once_for_each_size(inversion_onnx: Path) -> None:
    made: list[tuple[Shape, bool]] = []
    session = GpuSession(maker(inversion_onnx, made), lambda _: WHOLE, device="cpu")
    for width in (64, 32, 64, 32):
        np.testing.assert_array_equal(session.run(batch_of(width)), 255 - batch_of(width))
    assert made == [((1, 48, 64, 3), True), ((1, 48, 32, 3), True)]
    assert session.is_prepared((1, 48, 64, 3))
    assert not session.is_prepared((1, 48, 16, 3))


def test_sizes_not_used_lately_are_given_up(inversion_onnx: Path) -> None:
    made: list[tuple[Shape, bool]] = []
    session = GpuSession(maker(inversion_onnx, made), lambda _: WHOLE, device="cpu")
    for width in range(16, 16 + 4 * (KEPT_SIZES + 1), 4):
        session.prepare((1, 16, width, 3))
    assert not session.is_prepared((1, 16, 16, 3))
    assert session.is_prepared((1, 16, 20, 3))


def test_network_that_cannot_be_recorded_runs_without_a_graph(inversion_onnx: Path) -> None:
    made: list[tuple[Shape, bool]] = []
    session = GpuSession(maker(inversion_onnx, made, graphs=False), lambda _: WHOLE, device="cpu")
    np.testing.assert_array_equal(session.run(batch_of()), 255 - batch_of())
    assert not session.prepare((1, 48, 64, 3)).uses_graph
    session.prepare((1, 48, 32, 3))
    assert [uses_graph for _, uses_graph in made] == [True, False, False]  # it is not tried a second time


def test_placement_is_that_of_the_session_that_runs(inversion_onnx: Path) -> None:
    session = GpuSession(maker(inversion_onnx, []), lambda _: Placement(5, {"Pad": 1}), device="cpu")
    placement = session.prepare((1, 48, 64, 3)).placement
    assert placement is not None
    assert placement.elsewhere


def test_snapshot_and_live_picture_do_not_mix(inversion_onnx: Path) -> None:
    session = GpuSession(maker(inversion_onnx, []), lambda _: WHOLE, device="cpu")
    wrong: list[int] = []

    def paint(seed: int) -> None:
        right = [np.array_equal(session.run(batch_of(seed=seed)), 255 - batch_of(seed=seed)) for _ in range(20)]
        wrong.extend(seed for is_right in right if not is_right)

    threads = [threading.Thread(target=paint, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


class Watched:
    """A session that notes which thread runs it, and how many runs there are at a time."""

    running = 0
    most = 0
    lock = threading.Lock()

    def __init__(self, session: Any, threads: list[str]) -> None:
        self._session, self._threads = session, threads

    def run_with_iobinding(self, binding: Any) -> None:
        self._threads.append(threading.current_thread().name)
        with Watched.lock:
            Watched.running += 1
            Watched.most = max(Watched.most, Watched.running)
        time.sleep(0.02)
        self._session.run_with_iobinding(binding)
        with Watched.lock:
            Watched.running -= 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


@pytest.fixture
def watched(inversion_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Callable[[Shape, bool], Any], list[list[str]]]:
    """Makes sessions that are watched; the threads that ran each of them."""
    monkeypatch.setattr(Watched, "running", 0)
    monkeypatch.setattr(Watched, "most", 0)
    threads: list[list[str]] = []
    make = maker(inversion_onnx, [])

    def make_watched(shape: Shape, uses_graph: bool) -> Watched:
        threads.append([])
        return Watched(make(shape, uses_graph), threads[-1])

    return make_watched, threads


def paint_at_once(session: GpuSession, frames: int, width: int = 64) -> None:
    with ThreadPoolExecutor(frames) as pool:
        for seed, picture in enumerate(pool.map(lambda seed: session.run(batch_of(width, seed=seed)), range(frames))):
            np.testing.assert_array_equal(picture, 255 - batch_of(width, seed=seed))


def test_run_is_recorded_and_played_on_one_thread(watched: tuple[Callable[[Shape, bool], Any], list[list[str]]]) -> None:
    """onnxruntime keeps a CUDA graph for the thread that recorded it: any other would begin another."""
    make, threads = watched
    session = GpuSession(make, lambda _: WHOLE, device="cpu")
    paint_at_once(session, 4)
    session.prepare((1, 48, 64, 3)).play()
    assert len(threads) == 1  # made once, though four asked at the same time
    assert len(threads[0]) == 2 + 4 + 1
    assert set(threads[0]) == {threads[0][0]}
    assert threads[0][0] != threading.current_thread().name
    assert Watched.most == 1


def test_lanes_paint_at_the_same_time(watched: tuple[Callable[[Shape, bool], Any], list[list[str]]]) -> None:
    make, threads = watched
    session = GpuSession(make, lambda _: WHOLE, device="cpu", lanes=2)
    session.prepare((1, 48, 64, 3))
    assert Watched.most == 1  # they are recorded one after the other
    paint_at_once(session, 6)
    assert len(threads) == 2
    assert Watched.most == 2


def test_nothing_runs_while_a_run_is_recorded(watched: tuple[Callable[[Shape, bool], Any], list[list[str]]]) -> None:
    """CUDA breaks off a recording when another thread copies or allocates; and the picture on show goes on afterwards."""
    make, threads = watched
    live, neighbour = (GpuSession(make, lambda _: WHOLE, device="cpu") for _ in range(2))
    live.prepare((1, 48, 64, 3))
    stop = threading.Event()

    def show() -> None:
        while not stop.is_set():
            live.run(batch_of())

    showing = threading.Thread(target=show)
    showing.start()
    for width in (32, 40, 48):
        neighbour.prepare((1, 48, width, 3))
    stop.set()
    showing.join()
    assert len(threads) == 4
    assert Watched.most == 1
    assert len(threads[0]) > 2


def test_stylizer_on_a_gpu_goes_through_it(inversion_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[SessionSettings] = []

    def pretend(model: bytes, choice: SessionSettings, name: str) -> tuple[Any, str]:
        asked.append(choice)
        session, _ = create_session(model, replace(choice, provider="cpu"), name)
        return session, "cuda"

    monkeypatch.setattr("realtime.stylizer.create_session", pretend)
    monkeypatch.setattr(
        "realtime.stylizer.GpuSession", lambda make, placement, lanes: GpuSession(make, placement, "cpu", lanes)
    )
    stylizer = Stylizer(style_of(inversion_onnx), ModelChoice(provider="cuda"))
    photo = noisy_picture((66, 50))
    np.testing.assert_array_equal(stylizer.style(photo), 255 - photo)
    assert len(asked) == 1  # one picture is not worth a session of its own
    np.testing.assert_array_equal(stylizer.style(photo), 255 - photo)
    assert stylizer.provider == "cuda"
    assert stylizer.describe_run((66, 50)) == "CUDA graph"  # a processor records where nodes run only when asked
    assert stylizer.describe_run((8, 8)) == ""  # not ready for that
    stylizer.warm_up((32, 32))
    assert stylizer.is_ready_at((32, 32))
    del asked[-1]
    assert asked[-1] == SessionSettings(
        "cuda", sizes={"batch": 1, "height": 52, "width": 68}, cuda_graph=True, precision="fp32"
    )


def test_picture_without_a_session_of_its_own_waits_while_a_run_is_recorded(inversion_onnx: Path) -> None:
    """Networks of other contracts are never recorded, and use the GPU all the same."""
    stylizer = Stylizer(style_of(inversion_onnx), ModelChoice(provider="cpu", threads=1))
    painted = threading.Event()
    thread = threading.Thread(target=lambda: (stylizer.style(noisy_picture((64, 48))), painted.set()))
    with GPU.alone():
        thread.start()
        assert not painted.wait(0.2)
    assert painted.wait(5)
    thread.join()


def test_gpu_that_fails_while_getting_ready_is_a_model_error(inversion_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class OutOfMemory:
        def prepare(self, shape: Shape) -> Any:
            raise RuntimeError("CUDA failure 2: out of memory\nand a stack of addresses")

    stylizer = Stylizer(style_of(inversion_onnx), ModelChoice(provider="cpu", threads=1))
    monkeypatch.setattr(stylizer, "_gpu", OutOfMemory())
    for call in (stylizer.warm_up, stylizer.placement):
        with pytest.raises(ModelError, match=r"the network failed \(CUDA failure 2: out of memory\)"):
            call((64, 48))


def test_gpu_that_does_not_start_leaves_its_file_for_the_processors(
    tmp_path: Path, inversion_onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """float16 is the GPU's: on a processor it would be the slowest of all."""
    style = style_of(inversion_onnx)
    model = style.models["fast"]["fp32"]
    rich = replace(style, models={"fine": {"fp16": model}, "fast": {"fp32": model}})
    monkeypatch.setattr(
        "realtime.networks.model_choice.expected_provider", lambda wanted: "cuda" if wanted == "auto" else wanted
    )
    monkeypatch.setattr("realtime.stylizer.expected_provider", lambda wanted: "cuda" if wanted == "auto" else wanted)
    stylizer = Stylizer(rich, ModelChoice(threads=1))
    assert (stylizer.provider, stylizer.tier, stylizer.precision) == ("cpu", "fast", "fp32")
