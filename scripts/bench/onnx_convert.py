"""What people do without us: onnx.load, every initializer through numpy, then save_file."""

import sys

import onnx
from onnx import numpy_helper
from safetensors.numpy import save_file

model = onnx.load(sys.argv[1])
tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
save_file(tensors, sys.argv[2], metadata={"format": "pt"})
