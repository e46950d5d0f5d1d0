"""From a trained checkpoint to what ships: the only room that imports both torch and onnxruntime."""

from realtime.program.packages import check_room

check_room("torch", "onnx", "onnxscript")
