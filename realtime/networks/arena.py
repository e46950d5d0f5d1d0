"""The memory that onnxruntime computes in on the processor: one arena for all sessions."""

from __future__ import annotations

import onnxruntime as ort

_SHRINK = "memory.enable_memory_arena_shrinkage"
_CPU = "cpu:0"


class Arena:
    """Memory shared by the sessions of a process, of which few paint at the same time.

    Left alone, every session keeps an arena of its own, as large as the largest picture it ever painted: three styles
    kept warm take three times the memory, and a snapshot at full size is paid for until the end.
    """

    def __init__(self) -> None:
        memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
        ort.create_and_register_allocator(memory, ort.OrtArenaCfg(0, -1, -1, -1))  # onnxruntime's defaults; once a process
        self._last_shape: tuple[int, ...] | None = None

    def used_by(self, options: ort.SessionOptions) -> None:
        """Lets a session that is made with these options compute here."""
        options.add_session_config_entry("session.use_env_allocators", "1")

    def options_for(self, shape: tuple[int, ...]) -> ort.RunOptions | None:
        """What to run with: at another size than the last one, what that took is given back to the system."""
        if shape == self._last_shape:
            return None
        self._last_shape = shape
        options = ort.RunOptions()
        options.add_run_config_entry(_SHRINK, _CPU)
        return options


ARENA = Arena()
