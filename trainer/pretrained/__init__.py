"""Starting a training from weights: checkpoints of this and of other programs, safetensors and ONNX files."""
