"""Measures: each module prints a table and writes JSON. Nothing here is a test."""

from realtime.program.packages import check_room

NEED_TORCH = frozenset({"candidates", "gatys", "gpu", "peak", "quality", "reference", "speed", "stability"})
check_room("torch", "onnx", "onnxscript", programs=NEED_TORCH)
