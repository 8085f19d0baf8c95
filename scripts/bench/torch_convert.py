"""What people do without us: torch.load(mmap=True), then save_file."""

import sys

import torch
from safetensors.torch import save_file

save_file(torch.load(sys.argv[1], mmap=True, weights_only=True), sys.argv[2], metadata={"format": "pt"})
