"""Training in PyTorch: generators, VGG-19 losses, pictures. Never imports onnxruntime."""

from realtime.program.packages import check_room

check_room("torch", "safetensors")
