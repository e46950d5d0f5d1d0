"""Frames in, painted frames out: the live filter. Never imports torch."""

import os

# onnxruntime's packages send use and machine to their maker unless this stands before they are loaded: nothing is uploaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
