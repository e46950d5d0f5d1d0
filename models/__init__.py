"""Training in PyTorch: generators, VGG-19 losses, pictures. Never imports onnxruntime."""

from realtime.installation import check_installed

check_installed("torch", "safetensors")
