"""Training in PyTorch: generators, VGG-19 losses, pictures. Never imports onnxruntime."""
