"""Whether sums of bytes come out right on this processor, tried on a tiny network.

x86 processors without VNNI add products of bytes two at a time in 16 bits, and what does not fit is cut off: an 8-bit network
then paints a grid into bright places. onnxruntime has another, slower way, which it takes on all x86 processors once it
is asked to, those with VNNI too: there it would cost more than half of the speed for nothing.
"""

from __future__ import annotations

import base64
from functools import lru_cache

import numpy as np
import onnxruntime as ort

# One 1x1 convolution of 16 channels, QLinearConv of opset 18 with weights of 127, that makes 200 of 255; cut off it makes
# 101. tests/realtime/networks/test_exact_sums.py builds it again.
SUMS_ONNX = base64.b64decode(
    b"CAg6xAMKQAoBeAoBcwoBegoBdwoBcwoCencKAXQKAXoSAXkiC1FMaW5lYXJDb252KhUKDGtlcm5lbF9zaGFwZUABQAGgAQcSBHN1bXMq"
    b"kAIIEAgQCAEIARADQgF3SoACf39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/"
    b"f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/"
    b"f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/"
    b"f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/f39/fyoLEAFCAXNKBAAAgD8qCBACQgF6SgEAKgkQA0ICendKAQAqCxAB"
    b"QgF0SgTN7CFFWhsKAXgSFgoUCAISEAoCCAEKAggQCgIIBAoCCARiGwoBeRIWChQIAhIQCgIIAQoCCBAKAggECgIIBEIECgAQEg=="
)
_CHANNELS, _BRIGHTEST, _EXACT = 16, 255, 200


def keep_sums_exact(options: ort.SessionOptions) -> None:
    """Has the 8-bit networks of a session painted as every other processor paints them, also where that is slower."""
    if not sums_are_exact():
        options.add_session_config_entry("session.x64quantprecision", "1")


@lru_cache(maxsize=1)
def sums_are_exact() -> bool:
    """Whether onnxruntime's quickest way to add products of bytes loses nothing here; asked once."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(SUMS_ONNX, options, providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {"x": np.full((1, _CHANNELS, 4, 4), _BRIGHTEST, np.uint8)})
    except Exception:  # onnxruntime's own exception types have no common base; the slower way is right in any case
        return False
    return bool(np.all(found == _EXACT))
