"""A network on an NVIDIA GPU: for each size a session of its own, tensors that stay where they are, a recorded run.

A frame costs one copy to the GPU, the playback of a recorded run (a CUDA graph: no kernel is launched one by one), and
one copy back. What makes that possible: sizes fixed when the session is made, so that no shape is computed on the
processor; input and output allocated on the GPU once; every node on the GPU. onnxruntime keeps a recorded run for the
thread that recorded it, so each has a thread of its own, on which it is recorded and played back. And CUDA breaks off a
recording when any other thread allocates or copies, so nothing else is asked of the GPU meanwhile.

With several lanes the copies of one frame and the playback of another overlap: for films, where a frame may wait for
the one before. A live picture has one lane, since a frame in a second one would be shown a frame later.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import numpy as np
import onnxruntime as ort

from realtime.networks.placement import Placement
from realtime.networks.shared_lock import SharedLock

KEPT_SIZES = 4  # sessions kept at a time: sizes come and go with [ and ]
_RECORDING_RUNS = 2  # the first run sets memory aside and is recorded (older versions of onnxruntime: the second)
Shape = tuple[int, ...]

GPU = SharedLock()  # of the process: shared by whatever uses the GPU, held alone while a run is recorded


@dataclass(frozen=True)
class PreparedRun:
    """A session for one size with its tensors on the GPU.

    thread: the only one that may run it.
    """

    session: Any
    binding: Any
    frame: Any
    painted: Any
    uses_graph: bool
    placement: Placement | None
    thread: ThreadPoolExecutor

    def play(self) -> None:
        """Runs it on the frame that is on the GPU."""
        self.thread.submit(self.session.run_with_iobinding, self.binding).result()


@dataclass(frozen=True)
class _Lanes:
    """What paints frames of one size: so many at a time as there are runs."""

    runs: tuple[PreparedRun, ...]
    idle: SimpleQueue[PreparedRun] = field(default_factory=SimpleQueue)

    def __post_init__(self) -> None:
        for run in self.runs:
            self.idle.put(run)


class GpuSession:
    """Runs networks of the StyleCam contract: bytes in, bytes of the same shape out.

    Args:
        make: a session for an input shape, with a CUDA graph or without.
        placement: how a session's nodes are spread.
        device: where tensors are allocated; tests without a GPU say "cpu".
        lanes: frames painted at the same time.
    """

    def __init__(
        self,
        make: Callable[[Shape, bool], Any],
        placement: Callable[[Any], Placement | None],
        device: str = "cuda",
        lanes: int = 1,
    ) -> None:
        self._make, self._placement, self._device, self._lanes = make, placement, device, lanes
        self._ready: OrderedDict[Shape, _Lanes] = OrderedDict()
        self._lock = threading.Lock()
        self._preparing = threading.Lock()
        self._graph_fails = False
        self._seen: set[Shape] = set()

    def run(self, batch: Any) -> Any:
        """Paints a batch; waits where every lane is busy.

        Args:
            batch: (B, H, W, 3) uint8, contiguous.
        Returns:
            A new array of the same shape and type.
        """
        lanes = self._lanes_for(batch.shape)
        prepared = lanes.idle.get()
        try:
            return prepared.thread.submit(self._paint, prepared, batch).result()
        finally:
            lanes.idle.put(prepared)

    def prepare(self, shape: Shape) -> PreparedRun:
        """Gets ready for a size; at once where that was done before. Not on the live path: it takes a moment.

        Returns:
            The first lane's.
        """
        return self._lanes_for(shape).runs[0]

    def is_worth_preparing(self, shape: Shape) -> bool:
        """Whether a size has come before: a picture of a size of its own is painted sooner without a session for it."""
        with self._lock:
            has_come = shape in self._ready or shape in self._seen
            self._seen.add(shape)
            return has_come

    def is_prepared(self, shape: Shape) -> bool:
        """Whether a size would run at once."""
        with self._lock:
            return shape in self._ready

    def _lanes_for(self, shape: Shape) -> _Lanes:
        lanes = self._find(shape)
        if lanes is not None:
            return lanes
        with self._preparing:  # who comes second for a size takes what the first has made
            lanes = self._find(shape) or _Lanes(tuple(self._record(shape) for _ in range(self._lanes)))
            with GPU.shared(), self._lock:  # shared: sessions that are given up free memory
                self._ready[shape] = lanes
                while len(self._ready) > KEPT_SIZES:
                    self._ready.popitem(last=False)
            return lanes

    def _find(self, shape: Shape) -> _Lanes | None:
        with self._lock:
            lanes = self._ready.get(shape)
            if lanes is not None:
                self._ready.move_to_end(shape)
            return lanes

    def _paint(self, prepared: PreparedRun, batch: Any) -> Any:
        with GPU.shared():
            prepared.frame.update_inplace(batch)
            prepared.session.run_with_iobinding(prepared.binding)
            painted = prepared.painted.numpy()
        # From a GPU that is a new array; of the processor's own memory it is a view of what the next frame overwrites.
        return painted.copy() if self._device == "cpu" else painted

    def _record(self, shape: Shape) -> PreparedRun:
        """With a CUDA graph where the network allows it; once it did not, it is not tried again."""
        thread = ThreadPoolExecutor(1, "gpu")
        if not self._graph_fails:
            try:
                return thread.submit(self._bind, shape, True, thread).result()
            except Exception:  # onnxruntime's own exception types have no common base but Exception
                self._graph_fails = True
        return thread.submit(self._bind, shape, False, thread).result()

    def _bind(self, shape: Shape, uses_graph: bool, thread: ThreadPoolExecutor) -> PreparedRun:
        with GPU.shared():
            session = self._make(shape, uses_graph)
            frame, painted = (ort.OrtValue.ortvalue_from_shape_and_type(shape, np.uint8, self._device, 0) for _ in range(2))
            binding = session.io_binding()
            binding.bind_ortvalue_input(session.get_inputs()[0].name, frame)
            binding.bind_ortvalue_output(session.get_outputs()[0].name, painted)
            frame.update_inplace(np.zeros(shape, np.uint8))
            placement = self._placement(session)
        with GPU.alone():
            for _ in range(_RECORDING_RUNS):
                session.run_with_iobinding(binding)
        return PreparedRun(session, binding, frame, painted, uses_graph, placement, thread)
