"""Compares casts with the real torch: every pair of floating-point types, and quantized tensors.

    casts.py make FOLDER       writes a checkpoint for each type, and one of quantized tensors
    casts.py compare FOLDER    compares FOLDER/out/SOURCE-TARGET.{safetensors,pth} with tensor.to(dtype)

A NaN's bits are compared where torch goes through its main loop, which is a contiguous tensor of many elements; small
and strided ones hold numbers.
"""

import os
import sys
import warnings

import safetensors.torch
import torch

warnings.filterwarnings("ignore", message=".*quantiz.*")

TYPES = {
    "f64": torch.float64,
    "f32": torch.float32,
    "f16": torch.float16,
    "bf16": torch.bfloat16,
    "f8_e4m3": torch.float8_e4m3fn,
    "f8_e5m2": torch.float8_e5m2,
    "f8_e4m3fnuz": torch.float8_e4m3fnuz,
    "f8_e5m2fnuz": torch.float8_e5m2fnuz,
}
INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
COUNT = 1_000_000


def every(dtype):
    """All codes of a narrow type; a million random ones of a wide one, and as many in the range of the narrow types."""
    generator = torch.Generator().manual_seed(11)
    width = dtype.itemsize
    if width <= 2:
        codes = torch.arange(2 ** (8 * width), dtype=torch.int32)
        return codes.to(INTEGERS[width]).view(dtype)
    low, high = -(2 ** (8 * width - 1)), 2 ** (8 * width - 1) - 1
    bits = torch.randint(low, high, (COUNT,), generator=generator, dtype=torch.int64).to(INTEGERS[width])
    exponents = torch.randint(-30, 20, (COUNT,), generator=generator).double()
    moderate = torch.randn(COUNT, generator=generator, dtype=torch.float64) * 2**exponents
    return torch.cat([bits.view(dtype), moderate.to(dtype)])


def checkpoint(dtype):
    generator = torch.Generator().manual_seed(7)
    base = torch.randn(60, 40, generator=generator).to(dtype)
    shared = torch.randn(1000, generator=generator).to(dtype)
    return {
        "all": every(dtype),
        "turned": base.t(),
        "sliced": base[3:50:2, 5:],
        "tied.a": base,
        "tied.b": base,
        "overlap.a": shared[:600],
        "overlap.b": shared[400:],
        "scalar": torch.tensor(1.5).to(dtype),
        "empty": torch.empty(0, 3).to(dtype),
        "integer": torch.arange(5),
        "mask": torch.tensor([True, False]),
    }


def quantized():
    generator = torch.Generator().manual_seed(5)
    found = {}
    for dtype, integer, low, high in (
        (torch.qint8, torch.int8, -128, 128),
        (torch.quint8, torch.uint8, 0, 256),
        (torch.qint32, torch.int32, -(2**31), 2**31),
    ):
        name = str(dtype).removeprefix("torch.")
        codes = torch.randint(low, high, (7, 3, 1500), generator=generator).to(integer)
        found[f"{name}.tensor"] = torch._make_per_tensor_quantized_tensor(codes, 0.1234567, 3)
        found[f"{name}.turned"] = found[f"{name}.tensor"].transpose(0, 2)
        for axis, size in enumerate(codes.shape):
            scales = torch.rand(size, generator=generator, dtype=torch.float64) + 0.01
            zeros = torch.randint(0, 9, (size,), generator=generator)
            found[f"{name}.axis{axis}"] = torch._make_per_channel_quantized_tensor(codes, scales, zeros, axis)
    numbers = torch.randn(64, 32, generator=generator)
    scales = torch.rand(64, generator=generator) * 0.05 + 0.01
    found["float.parameters"] = torch.quantize_per_channel(numbers, scales, torch.rand(64, generator=generator) * 9, 0, torch.quint8)
    return found


def make(folder):
    for name, dtype in TYPES.items():
        torch.save(checkpoint(dtype), os.path.join(folder, f"{name}.pth"))
    torch.save(quantized(), os.path.join(folder, "quantized.pth"))


def wanted(tensor, dtype):
    if tensor.is_quantized:
        return tensor.dequantize().contiguous().to(dtype)
    return tensor.contiguous().to(dtype) if tensor.is_floating_point() else tensor


def same(ours, theirs):
    if ours is None or ours.dtype != theirs.dtype or ours.shape != theirs.shape:
        return False
    integers = INTEGERS[theirs.dtype.itemsize]
    return torch.equal(ours.contiguous().view(integers), theirs.contiguous().view(integers))


def shares(tensors, left, right):
    return tensors[left].untyped_storage().data_ptr() == tensors[right].untyped_storage().data_ptr()


def compare(folder):
    torch.set_num_threads(1)
    passed, failed = 0, []
    for source in [*TYPES, "quantized"]:
        inputs = torch.load(os.path.join(folder, f"{source}.pth"), weights_only=True)
        for target, dtype in TYPES.items():
            for kind in ("safetensors", "pth"):
                path = os.path.join(folder, "out", f"{source}-{target}.{kind}")
                found = safetensors.torch.load_file(path) if kind == "safetensors" else torch.load(path, weights_only=True, mmap=True)
                checks = {name: same(found.get(name), wanted(tensor, dtype)) for name, tensor in inputs.items()}
                checks["no others"] = set(found) == set(inputs)
                if kind == "pth" and source != "quantized":
                    checks["ties"] = shares(found, "tied.a", "tied.b") and shares(found, "tied.a", "turned")
                    checks["overlap"] = shares(found, "overlap.a", "overlap.b")
                passed += sum(checks.values())
                failed += [f"{source} to {target} in {kind}: {name}" for name, ok in checks.items() if not ok]
    for line in failed:
        print(f"FAILED: {line}")
    print(f"{passed} passed, {len(failed)} failed")
    sys.exit(1 if failed else 0)


{"make": make, "compare": compare}[sys.argv[1]](sys.argv[2])
