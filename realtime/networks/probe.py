"""A tiny network run on a provider: the only proof that it loads, its convolution libraries included."""

from __future__ import annotations

import base64

import numpy as np

from realtime.errors import ModelError, first_line
from realtime.networks.providers import SessionSettings, create_session, why_not

# One 3x3 convolution that doubles a picture of 4x4 pixels (opset 18); tests/realtime/networks/test_probe.py builds it again.
PROBE_ONNX = base64.b64decode(
    b"CAg6sQEKOQoBeAoBdxIBeSIEQ29udioVCgxrZXJuZWxfc2hhcGVAA0ADoAEHKhEKBHBhZHNAAUABQAFAAaABBxIFcHJvYmUqMwgB"
    b"CAEIAwgDEAFCAXdKJAAAAAAAAAAAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAFobCgF4EhYKFAgBEhAKAggBCgIIAQoCCAQK"
    b"AggEYhsKAXkSFgoUCAESEAoCCAEKAggBCgIIBAoCCARCBAoAEBI="
)


def problem_of(provider: str) -> str | None:
    """Why a provider does not run here, with the command that mends it; None where it runs.

    Args:
        provider: "cuda", "tensorrt", "coreml" or "cpu".
    """
    try:
        session, _ = create_session(PROBE_ONNX, SessionSettings(provider, threads=1), "probe")
    except ModelError:
        return why_not(provider)
    try:
        doubled = session.run(None, {"x": np.ones((1, 1, 4, 4), np.float32)})[0]
    except Exception as error:  # onnxruntime's own exception types have no common base but Exception
        return first_line(error)
    return None if np.allclose(doubled, 2.0, atol=1e-2) else "it computes wrong values"
