"""What people do without us: torch.load(mmap=True), contiguous(), then save_file."""

import sys

import torch
from safetensors.torch import save_file

state_dict = torch.load(sys.argv[1], mmap=True, weights_only=True)
# save_file refuses strided tensors; what lies in order already is not copied.
contiguous = {name: tensor.contiguous() for name, tensor in state_dict.items()}
save_file(contiguous, sys.argv[2], metadata={"format": "pt"})
