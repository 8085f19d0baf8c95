"""Compares checkpoints that went through `--all` and back with themselves, as the torch that runs this sees them.

    whole.py train FOLDER          writes a training checkpoint for each of several optimizers
    whole.py compare JOBS          JOBS is a JSON list of {input, back, exit, said, refused}

An object is equal if every value is: types, dtypes, shapes, bits, `requires_grad`, attributes, order of keys, and
which objects are one and the same. Tensors that are tied stay so; of those that overlap otherwise, and of strides,
safetensors keeps nothing. Training goes on from both and has to come to the same bits.
Prints a line for each failure, and "N passed, N failed" at the end.
"""

import collections
import json
import os
import random
import sys
import warnings

import numpy
import torch
from torch import nn

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts", "fixtures"))
warnings.simplefilter("ignore")

OPTIMIZERS = {
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=1e-2, amsgrad=True),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=1e-2, weight_decay=0.1),
    "momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True),
    "rmsprop": lambda parameters: torch.optim.RMSprop(parameters, lr=1e-2, momentum=0.5, centered=True),
}


def new_run(name):
    torch.manual_seed(11)
    module = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Dropout(0.3), nn.Linear(5, 2))
    optimizer = OPTIMIZERS[name](module.parameters())
    return module, optimizer, torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)


def steps(module, optimizer, scheduler, count):
    """Batches come from the global generator, so its state is part of the run."""
    for _ in range(count):
        optimizer.zero_grad()
        module(torch.randn(8, 6)).square().mean().backward()
        optimizer.step()
        scheduler.step()


def train(folder):
    for name in OPTIMIZERS:
        module, optimizer, scheduler = new_run(name)
        steps(module, optimizer, scheduler, 3)
        checkpoint = {
            "model": module.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
            "epoch": 3,
            "rng": {"torch": torch.get_rng_state(), "numpy": numpy.random.get_state(), "python": random.getstate()},
        }
        torch.save(checkpoint, os.path.join(folder, f"resume-{name}.pth"))


def resumed(checkpoint, name):
    """Every parameter and buffer after five more steps."""
    module, optimizer, scheduler = new_run(name)
    module.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    scheduler.load_state_dict(checkpoint["scheduler"])
    torch.set_rng_state(checkpoint["rng"]["torch"])
    steps(module, optimizer, scheduler, 5)
    return {**module.state_dict(), "lr": torch.tensor(scheduler.get_last_lr())}


class Differs(Exception):
    pass


class Comparison:
    """Walks two objects side by side. What was met as one object before has to be one again, on the other side too."""

    def __init__(self):
        self.met = {}
        self.ties = {}
        self.kept = []

    def compare(self, path, a, b):
        pending = [(path, a, b)]
        while pending:
            pending += list(self.step(*pending.pop()))

    def step(self, path, a, b):
        if type(a) is not type(b):
            raise Differs(f"{path}: {type(a).__name__} became {type(b).__name__}")
        if a is None or isinstance(a, (bool, int, str, bytes, type)):
            self.expect(a == b, path, f"{a!r} became {b!r}")
            return []
        if isinstance(a, float):
            self.expect(a.hex() == b.hex(), path, f"{a!r} became {b!r}")
            return []
        if id(a) in self.met:
            self.expect(self.met[id(a)] == id(b), path, "is no longer the object that it was elsewhere")
            return []
        self.met[id(a)] = id(b)
        self.kept.append((a, b))
        if isinstance(a, torch.Tensor):
            return self.tensors(path, a, b)
        if isinstance(a, numpy.ndarray):
            return self.arrays(path, a, b)
        if isinstance(a, collections.abc.Mapping) and not isinstance(a, collections.ChainMap):
            self.expect(len(a) == len(b), path, f"{len(a)} entries became {len(b)}")
            pairs = list(zip(a.items(), b.items()))
            found = [(f"{path} key", x, y) for (x, _), (y, _) in pairs]
            return found + [(f"{path}.{x}", v, w) for (x, v), (_, w) in pairs] + self.attributes(path, a, b)
        if isinstance(a, (list, tuple, collections.deque)):
            self.expect(len(a) == len(b), path, f"{len(a)} items became {len(b)}")
            return [(f"{path}.{i}", x, y) for i, (x, y) in enumerate(zip(a, b))] + self.attributes(path, a, b)
        if isinstance(a, (set, frozenset, bytearray, complex, numpy.generic, torch.dtype, torch.device)):
            self.expect(a == b, path, f"{a!r} became {b!r}")
            return []
        return self.others(path, a, b)

    def others(self, path, a, b):
        if torch.is_storage(a):
            self.expect(a.tolist() == b.tolist(), path, "has other elements")
            return []
        if isinstance(a, torch.ScriptObject):
            return [(path, a.__getstate__(), b.__getstate__())]
        attributes = self.attributes(path, a, b)
        if attributes or callable(a):
            return attributes
        same = bool(a == b) or repr(a) == repr(b)
        self.expect(same, path, f"{a!r} became {b!r}")
        return []

    def attributes(self, path, a, b):
        names = list(getattr(a, "__dict__", {}))
        self.expect(names == list(getattr(b, "__dict__", {})), path, "has other attributes")
        for kind in type(a).__mro__:
            slots = getattr(kind, "__slots__", ())
            names += [slots] if isinstance(slots, str) else list(slots)
        return [(f"{path}.{name}", getattr(a, name), getattr(b, name)) for name in names if hasattr(a, name) and not name.startswith("__")]

    def tensors(self, path, a, b):
        if isinstance(a, nn.parameter.UninitializedTensorMixin):
            self.expect(a.dtype == b.dtype, path, "has another dtype")
            return self.plain_attributes(path, a, b)
        self.expect(facts(a) == facts(b), path, f"{facts(a)} became {facts(b)}")
        if a.layout is not torch.strided or a.device.type == "meta" or type(a) not in (torch.Tensor, nn.Parameter):
            self.expect(repr(a) == repr(b), path, "has other values")
            return self.plain_attributes(path, a, b)
        self.expect(values(a) == values(b), path, "has other values")
        if a.numel():
            view = (a.data_ptr(), a.dtype, tuple(a.shape), a.stride())
            tie = self.ties.setdefault(view, b.data_ptr())
            self.expect(tie == b.data_ptr(), path, "is no longer tied")
        return self.plain_attributes(path, a, b)

    def plain_attributes(self, path, a, b):
        return [(f"{path}.{key}", value, b.__dict__.get(key)) for key, value in a.__dict__.items()]

    def arrays(self, path, a, b):
        kind = (a.dtype, a.shape, a.flags.f_contiguous)
        self.expect(kind == (b.dtype, b.shape, b.flags.f_contiguous), path, f"{kind} became another array")
        if a.dtype.hasobject:
            return list(zip([path] * a.size, a.reshape(-1).tolist(), b.reshape(-1).tolist()))
        self.expect(a.tobytes() == b.tobytes(), path, "has other values")
        return []

    def expect(self, ok, path, what):
        if not ok:
            raise Differs(f"{path}: {what}")


def facts(tensor):
    return (
        tensor.dtype,
        None if tensor.is_nested else tuple(tensor.shape),
        tensor.layout,
        tensor.requires_grad,
        tensor.is_quantized,
    )


def values(tensor):
    if tensor.is_quantized:
        return repr(tensor), tensor.int_repr().numpy().tobytes() if tensor.dtype is not torch.quint4x2 else None
    if tensor.is_nested:
        return repr(tensor)
    plain = tensor.detach().resolve_conj().resolve_neg().contiguous()
    return plain.reshape(-1).view(torch.uint8).numpy().tobytes() if plain.numel() else b""


def load(path):
    extra = {"weights_only": False} if torch.__version__ >= "2" else {}
    return torch.load(path, map_location="cpu", **extra)


def check(job):
    if job["refused"] is not None:
        return None if job["refused"] in job["said"] else f"should be refused, but: {job['said']}"
    if job["exit"] != 0:
        return job["said"]
    original, restored = load(job["input"]), load(job["back"])
    try:
        Comparison().compare("", original, restored)
    except Differs as difference:
        return str(difference)
    name = os.path.basename(job["input"]).removeprefix("resume-").removesuffix(".pth")
    if name in OPTIMIZERS:
        left, right = resumed(original, name), resumed(restored, name)
        different = [key for key in left if not torch.equal(left[key], right[key])]
        start = original["model"]
        if different or all(torch.equal(left[key], start[key]) for key in start):
            return f"training goes on otherwise: {different}"
    return None


def main():
    command, argument = sys.argv[1:]
    if command == "train":
        return train(argument)
    with open(argument, encoding="utf-8") as file:
        jobs = json.load(file)
    failed = 0
    for job in jobs:
        problem = check(job)
        if problem is not None:
            failed += 1
            print(f"FAILED: {job['input']}: --all and back: {problem}")
    print(f"{len(jobs) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
