"""From a trained checkpoint to what ships: the only room that imports both torch and onnxruntime."""
