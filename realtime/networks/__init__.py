"""Runs ONNX networks: where, in which precision, in whose memory, and what is wrong where one does not load."""
