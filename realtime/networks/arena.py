"""The memory that onnxruntime computes in on the processor: one arena for all sessions."""

from __future__ import annotations

from collections import deque

import onnxruntime as ort

_REMEMBERED = 16  # runs; four frames that are painted at a time, each at up to four sizes

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
        self._recent: deque[tuple[int, ...]] = deque(maxlen=_REMEMBERED)

    def used_by(self, options: ort.SessionOptions) -> None:
        """Lets a session that is made with these options compute here."""
        options.add_session_config_entry("session.use_env_allocators", "1")

    def options_for(self, shape: tuple[int, ...]) -> ort.RunOptions | None:
        """What to run with: after the first run of a size, and once a size is no longer painted, memory is given back.

        The first run of a size takes piece by piece what the next ones take as a block. A size that recurs keeps its block: a
        film is painted at several sizes in turn, and what is given back has to be taken anew.
        """
        is_new = shape not in self._recent
        oldest = self._recent[0] if len(self._recent) == _REMEMBERED else shape
        self._recent.append(shape)
        if oldest in self._recent and not is_new:
            return None
        options = ort.RunOptions()
        options.add_run_config_entry(_SHRINK, _CPU)
        return options


ARENA = Arena()
