"""Writes the checkpoints of the benchmark with the real torch: generate.py CASE PATH."""

import collections
import sys

import torch


def transformer(total_bytes):
    """Float32 layers of 2,048 features until the size is reached; random bits, so that nothing compresses."""
    shapes = [
        ("attn.q", (2048, 2048)),
        ("attn.k", (2048, 2048)),
        ("attn.v", (2048, 2048)),
        ("attn.o", (2048, 2048)),
        ("mlp.up", (8192, 2048)),
        ("mlp.down", (2048, 8192)),
        ("norm1", (2048,)),
        ("norm2", (2048,)),
    ]
    state_dict = collections.OrderedDict()
    size = 0
    while size < total_bytes:
        layer = len(state_dict) // len(shapes)
        for name, shape in shapes:
            tensor = random_bits(shape)
            state_dict[f"layers.{layer}.{name}.weight"] = tensor
            size += tensor.numel() * 4
    return state_dict


def random_bits(shape):
    tensor = torch.empty(shape, dtype=torch.float32)
    tensor.view(torch.int32).random_()
    return tensor


def many(count):
    return collections.OrderedDict((f"layers.{i // 10}.part{i % 10}.weight", torch.full((4,), float(i))) for i in range(count))


CASES = {
    "2gb": lambda: transformer(2_000_000_000),
    "8gb": lambda: transformer(8_000_000_000),
    "one-4gib": lambda: {"weight": random_bits((2**30,))},
    "70000-tensors": lambda: many(70_000),
}

torch.manual_seed(0)
torch.save(CASES[sys.argv[1]](), sys.argv[2])
