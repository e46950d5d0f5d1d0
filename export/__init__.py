"""From a trained checkpoint to what ships: the only room that imports both torch and onnxruntime."""

from realtime.installation import check_installed

check_installed("torch", "onnx", "onnxscript")
