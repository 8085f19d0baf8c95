"""Writes seeded random state dicts with torch.save: every dtype, layouts of all sorts, tied and overlapping tensors.

    generate.py FOLDER SEED COUNT
"""

import collections
import os
import random
import sys

import torch

DTYPES = [
    torch.bool,
    torch.uint8,
    torch.int8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.uint16,
    torch.uint32,
    torch.uint64,
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.complex64,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
    torch.float8_e4m3fnuz,
    torch.float8_e5m2fnuz,
    torch.float8_e8m0fnu,
]

WORDS = ["layer", "block", "attention", "weight", "bias", "norm", "ключ", "重み", "a b", 'quote"', "back\\slash", "0"]


def random_bits(rng, dtype, shape):
    """A contiguous tensor of random bits, NaNs with payloads among them."""
    count = 1
    for extent in shape:
        count *= extent
    if dtype == torch.bool:
        return torch.tensor([rng.random() < 0.5 for _ in range(count)], dtype=torch.bool).reshape(shape)
    raw = torch.frombuffer(bytearray(rng.randbytes(count * dtype.itemsize) or b"\0"), dtype=torch.uint8)
    return raw[: count * dtype.itemsize].clone().view(dtype).reshape(shape)


def random_shape(rng, dimensions):
    return [rng.choice([1, 2, 3, 5, 8, 17]) for _ in range(dimensions)]


def whole(rng, dtype):
    return random_bits(rng, dtype, random_shape(rng, rng.randint(0, 4)))


def empty(rng, dtype):
    return random_bits(rng, dtype, rng.choice([[0], [3, 0], [0, 2, 4]]))


def transposed(rng, dtype):
    return random_bits(rng, dtype, random_shape(rng, 2)).t()


def permuted(rng, dtype):
    order = list(range(4))
    rng.shuffle(order)
    return random_bits(rng, dtype, random_shape(rng, 4)).permute(order)


def stepped(rng, dtype):
    return random_bits(rng, dtype, [rng.randint(5, 40), 7])[rng.randint(0, 3) :: rng.randint(1, 3), 1::2]


def slice_of(rng, dtype):
    start = rng.randint(0, 10)
    return random_bits(rng, dtype, [rng.randint(12, 60)])[start : start + rng.randint(1, 12)]


def expanded(rng, dtype):
    return random_bits(rng, dtype, [1, rng.randint(1, 9)]).expand(rng.randint(2, 6), -1)


def overlapping(rng, dtype):
    return random_bits(rng, dtype, [40]).as_strided([6, 5], [rng.randint(1, 4), rng.randint(1, 3)], rng.randint(0, 5))


def channels_last(rng, dtype):
    return random_bits(rng, dtype, [2, 3, 5, 4]).permute(0, 3, 1, 2)


def large(rng, dtype):
    """Longer than a transfer buffer of the runs that use small ones, and transposed half of the time."""
    tensor = random_bits(rng, dtype, [rng.randint(100, 300), rng.randint(100, 300)])
    return tensor.t() if rng.random() < 0.5 else tensor


# What huggingface_hub saves too; it refuses views that share a storage without being equal.
SIMPLE = [whole, whole, whole, whole, empty, transposed, permuted, channels_last]
LAYOUTS = [*SIMPLE, stepped, slice_of, expanded, overlapping]


def random_name(rng, taken):
    while True:
        name = ".".join(rng.choice(WORDS) for _ in range(rng.randint(1, 4))) + rng.choice(["", ".1", ".weight"])
        if name not in taken:
            return name


def random_dict(rng, simple):
    tensors = collections.OrderedDict()
    for _ in range(rng.randint(1, 30)):
        name = random_name(rng, tensors)
        kind = rng.random()
        whole_ones = [tensor for tensor in tensors.values() if tensor.is_contiguous() and tensor.numel() > 0]
        if whole_ones and kind < 0.1:
            tensors[name] = rng.choice(whole_ones)
        elif whole_ones and kind < 0.15 and not simple:
            other = rng.choice(whole_ones).reshape(-1)
            tensors[name] = other[: max(1, other.numel() // 2)]
        else:
            layout = large if kind > 0.97 else rng.choice(SIMPLE if simple else LAYOUTS)
            tensors[name] = layout(rng, rng.choice(DTYPES))
            if tensors[name].is_floating_point() and tensors[name].itemsize > 1 and rng.random() < 0.3:
                tensors[name] = torch.nn.Parameter(tensors[name], requires_grad=rng.random() < 0.5)
    return tensors


def random_object(rng, simple):
    """The state dict alone, or inside a checkpoint; five tensors and more are never taken for bookkeeping."""
    tensors = random_dict(rng, simple)
    wrapped = rng.random()
    if len(tensors) < 5 or wrapped < 0.6:
        return tensors if wrapped < 0.4 else dict(tensors)
    return {"epoch": rng.randint(0, 99), "state_dict": tensors, "config": {"lr": 0.1, "names": ["a", None]}}


def main():
    folder, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    for index in range(count):
        rng = random.Random(seed * 10_000 + index)
        path = os.path.join(folder, f"random-{index:03}.pth")
        torch.save(random_object(rng, index % 2 == 0), path, pickle_protocol=rng.choice([2, 2, 3, 4, 5]))


main()
