"""Writes the checkpoints of the benchmark with the real torch: generate.py CASE PATH."""

import collections
import sys

import torch


def transformer(total_bytes):
    """Float32 layers of 2,048 features until the size is reached; normal numbers, as weights are."""
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
            tensor = torch.empty(shape).normal_(std=0.02)
            state_dict[f"layers.{layer}.{name}.weight"] = tensor
            size += tensor.numel() * 4
    return state_dict


def random_bits(shape):
    tensor = torch.empty(shape, dtype=torch.float32)
    tensor.view(torch.int32).random_()
    return tensor


def many(count):
    return collections.OrderedDict((f"layers.{i // 10}.part{i % 10}.weight", torch.full((4,), float(i))) for i in range(count))


def strided():
    """A transposed matrix of 2 GB: neighbours of a row lie 89 kB apart."""
    return {"weight": random_bits((22360, 22360)).t()}


def permuted():
    """Images whose channels lie together, shown with the channels first."""
    return {"weight": random_bits((2048, 64, 64, 60)).permute(0, 3, 1, 2)}


def backwards():
    """Four dimensions of 1 GB in the opposite order: neighbours of the result lie 8 MB apart."""
    return {"weight": random_bits((128, 128, 128, 128)).permute(3, 2, 1, 0)}


def save_safetensors(tensors, path):
    from safetensors.torch import save_file

    save_file(tensors, path, metadata={"format": "pt"})


def save_legacy(tensors, path):
    torch.save(tensors, path, _use_new_zipfile_serialization=False)


def save_onnx(tensors, path):
    """A graph of initializers in one file, streamed: the library would hold it in memory several times."""
    heads = []
    for name, tensor in tensors.items():
        head = b"".join(varint(8) + varint(size) for size in tensor.shape) + varint(16) + varint(1)
        head += varint(66) + varint(len(name)) + name.encode() + varint(74) + varint(tensor.numel() * 4)
        heads.append(varint(42) + varint(len(head) + tensor.numel() * 4) + head)
    size = sum(len(head) + tensor.numel() * 4 for head, tensor in zip(heads, tensors.values()))
    with open(path, "wb") as file:
        file.write(varint(8) + varint(8) + varint(58) + varint(size))
        for head, tensor in zip(heads, tensors.values()):
            file.write(head)
            file.write(tensor.numpy().data)


def save_onnx_external(tensors, path):
    """The same with the weights in a file beside it."""
    entries, position = [], 0
    with open(f"{path}.data", "wb") as data:
        for name, tensor in tensors.items():
            place = {"location": path.split("/")[-1] + ".data", "offset": position, "length": tensor.numel() * 4}
            body = b"".join(varint(8) + varint(size) for size in tensor.shape) + varint(16) + varint(1) + field(66, name)
            for key, value in place.items():
                body += message(106, field(10, key) + field(18, str(value)))
            entries.append(message(42, body + varint(112) + varint(1)))
            data.write(tensor.numpy().data)
            position += tensor.numel() * 4
    with open(path, "wb") as file:
        file.write(varint(8) + varint(8) + message(58, b"".join(entries)))


def save_export(network, path):
    """As torch's exporter writes it: weights of linear layers are transposed where their input has three dimensions."""
    torch.onnx.export(network, torch.zeros(1, 2, 4096), path, dynamo=False)


def field(tag, text):
    return message(tag, text.encode())


def message(tag, body):
    return varint(tag) + varint(len(body)) + body


def varint(value):
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    data.append(value)
    return bytes(data)


CASES = {
    "2gb": (lambda: transformer(2_000_000_000), torch.save),
    "2gb-legacy": (lambda: transformer(2_000_000_000), save_legacy),
    "2gb-safetensors": (lambda: transformer(2_000_000_000), save_safetensors),
    "2gb-onnx": (lambda: transformer(1_900_000_000), save_onnx),
    "4gb-onnx": (lambda: transformer(4_500_000_000), save_onnx),
    "3gb-onnx-external": (lambda: transformer(3_000_000_000), save_onnx_external),
    "transposed-onnx": (lambda: torch.nn.Sequential(*(torch.nn.Linear(4096, 4096, bias=False) for _ in range(28))), save_export),
    "8gb": (lambda: transformer(8_000_000_000), torch.save),
    "one-4gib": (lambda: {"weight": random_bits((2**30,))}, torch.save),
    "strided": (strided, torch.save),
    "permuted": (permuted, torch.save),
    "reversed": (backwards, torch.save),
    "70000-tensors": (lambda: many(70_000), torch.save),
    "200000-tensors": (lambda: many(200_000), torch.save),
}

torch.manual_seed(0)
make, save = CASES[sys.argv[1]]
save(make(), sys.argv[2])
