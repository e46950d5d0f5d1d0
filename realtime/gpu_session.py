"""A network on an NVIDIA GPU: for each size a session of its own, tensors that stay where they are, a recorded run.

A frame costs one copy to the GPU, the playback of a recorded run (a CUDA graph: no kernel is launched one by one), and
one copy back. What makes that possible: sizes fixed when the session is made, so that no shape is computed on the
processor; input and output allocated on the GPU once; every node on the GPU.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnxruntime as ort

from realtime.placement import Placement

KEPT_SIZES = 4  # sessions kept at a time: sizes come and go with [ and ]
_RECORDING_RUNS = 2  # the first run sets memory aside, the second is recorded
Shape = tuple[int, ...]


@dataclass(frozen=True)
class PreparedRun:
    """A session for one size with its tensors on the GPU."""

    session: Any
    binding: Any
    frame: Any
    painted: Any
    uses_graph: bool
    placement: Placement | None
    lock: threading.Lock = field(default_factory=threading.Lock)  # a snapshot may be painted while the picture runs


class GpuSession:
    """Runs networks of the StyleCam contract: bytes in, bytes of the same shape out.

    Args:
        make: a session for an input shape, with a CUDA graph or without.
        placement: how a session's nodes are spread.
        device: where tensors are allocated; tests without a GPU say "cpu".
    """

    def __init__(
        self,
        make: Callable[[Shape, bool], Any],
        placement: Callable[[Any], Placement | None],
        device: str = "cuda",
    ) -> None:
        self._make, self._placement, self._device = make, placement, device
        self._runs: OrderedDict[Shape, PreparedRun] = OrderedDict()
        self._lock = threading.Lock()
        self._graph_fails = False
        self._seen: set[Shape] = set()

    def run(self, batch: Any) -> Any:
        """Paints a batch.

        Args:
            batch: (B, H, W, 3) uint8, contiguous.
        Returns:
            A new array of the same shape and type.
        """
        prepared = self.prepare(batch.shape)
        with prepared.lock:
            prepared.frame.update_inplace(batch)
            prepared.session.run_with_iobinding(prepared.binding)
            painted = prepared.painted.numpy()
            # From a GPU that is a new array; of the processor's own memory it is a view of what the next frame overwrites.
            return painted.copy() if self._device == "cpu" else painted

    def prepare(self, shape: Shape) -> PreparedRun:
        """Gets ready for a size; at once where that was done before. Not on the live path: it takes a moment."""
        with self._lock:
            prepared = self._runs.get(shape)
            if prepared is not None:
                self._runs.move_to_end(shape)
                return prepared
        prepared = self._record(shape)
        with self._lock:
            self._runs[shape] = prepared
            while len(self._runs) > KEPT_SIZES:
                self._runs.popitem(last=False)
        return prepared

    def is_worth_preparing(self, shape: Shape) -> bool:
        """Whether a size has come before: a picture of a size of its own is painted sooner without a session for it."""
        with self._lock:
            has_come = shape in self._runs or shape in self._seen
            self._seen.add(shape)
            return has_come

    def is_prepared(self, shape: Shape) -> bool:
        """Whether a size would run at once."""
        with self._lock:
            return shape in self._runs

    def _record(self, shape: Shape) -> PreparedRun:
        """With a CUDA graph where the network allows it; once it did not, it is not tried again."""
        if not self._graph_fails:
            try:
                return self._bind(shape, uses_graph=True)
            except Exception:  # onnxruntime's own exception types have no common base but Exception
                self._graph_fails = True
        return self._bind(shape, uses_graph=False)

    def _bind(self, shape: Shape, uses_graph: bool) -> PreparedRun:
        session = self._make(shape, uses_graph)
        frame, painted = (ort.OrtValue.ortvalue_from_shape_and_type(shape, np.uint8, self._device, 0) for _ in range(2))
        binding = session.io_binding()
        binding.bind_ortvalue_input(session.get_inputs()[0].name, frame)
        binding.bind_ortvalue_output(session.get_outputs()[0].name, painted)
        frame.update_inplace(np.zeros(shape, np.uint8))
        for _ in range(_RECORDING_RUNS):
            session.run_with_iobinding(binding)
        return PreparedRun(session, binding, frame, painted, uses_graph, self._placement(session))
