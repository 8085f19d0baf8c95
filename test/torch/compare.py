"""Compares converted files with what the real torch, safetensors and huggingface_hub make of the same checkpoints.

    compare.py JOBS

JOBS is a JSON list of {input, select, single, folder, maxShardSize, copied, onnx, back, again}: a checkpoint, and what was
made of it; `back` is a PyTorch file, and `again` the safetensors file that was made of that.
Prints a line for each failure, and "N passed, N failed" at the end.
"""

import hashlib
import json
import os
import struct
import sys
import tempfile
import warnings
import zipfile

import huggingface_hub
import safetensors
import safetensors.torch
import torch

import written_onnx

# Pickle protocols above 2 make torch.load uneasy; they are here on purpose.
warnings.filterwarnings("ignore", message="Detected pickle protocol")

NOT_STORABLE = {torch.complex32, torch.complex128}

passed = 0
failed = 0


def check(job, what, ok, detail=""):
    global passed, failed
    if ok:
        passed += 1
        return
    failed += 1
    print(f"FAILED: {job['input']} {job['select'] or ''}: {what} {detail}")


def bits(tensor):
    """Dtype, shape and bytes of a tensor's values: row-major, lazy conjugation and negation carried out."""
    values = tensor.detach().resolve_conj().resolve_neg().contiguous()
    raw = values.reshape(-1).view(torch.uint8).numpy().tobytes() if values.numel() else b""
    return values.dtype, tuple(values.shape), hashlib.sha256(raw).hexdigest()


def load_input(path, select):
    """The state dict of a checkpoint of ours, as torch sees it."""
    if path.endswith(".safetensors"):
        return safetensors.torch.load_file(path)
    try:
        value = torch.load(path, weights_only=True)
    except Exception:
        # Our own fixtures, some of which hold more than weights on purpose.
        value = torch.load(path, weights_only=False)
    for key in [] if select in (None, ".") else select.split("."):
        value = value[key] if key in value else value[int(key)]
    return {str(name): tensor for name, tensor in value.items() if isinstance(tensor, torch.Tensor)}


def state_dict_of(path, select):
    if select is not None:
        return load_input(path, select)
    # The generator and the fixtures keep a single state dict here where it is not the root.
    tensors = load_input(path, None)
    return tensors if tensors else load_input(path, "state_dict")


def split(path):
    """A safetensors file as its header's metadata, the rest of the header as text, and the hash of its data."""
    with open(path, "rb") as file:
        data = file.read()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size], object_pairs_hook=lambda pairs: pairs)
    metadata = sorted(dict(header).get("__metadata__", []))
    entries = json.dumps([pair for pair in header if pair[0] != "__metadata__"])
    return size, metadata, entries, hashlib.sha256(data[8 + size :]).hexdigest()


def same_file(ours, theirs):
    """Byte for byte, but for the order of several metadata keys, which the reference leaves to chance."""
    if len(split(theirs)[1]) > 1:
        return split(ours) == split(theirs)
    with open(ours, "rb") as left, open(theirs, "rb") as right:
        return left.read() == right.read()


def metadata_of(path):
    with safetensors.safe_open(path, framework="pt") as file:
        return file.metadata()


def check_values(job, what, wanted, found, aliases):
    """Every tensor of the input is there under its name, or under the one that the metadata gives."""
    problems = []
    for name, facts in wanted.items():
        other = found.get(name, found.get(aliases.get(name)))
        if other is None:
            problems.append(f"{name!r} is missing")
        elif bits(other) != facts:
            problems.append(f"{name!r} is {bits(other)[:2]}, wanted {facts[:2]}")
    problems += [f"{name!r} is new" for name in found if name not in wanted]
    check(job, what, not problems, "; ".join(problems[:3]))


def check_single(job, wanted, tensors):
    path = job["single"]
    metadata = metadata_of(path)
    check_values(job, "load_file", wanted, safetensors.torch.load_file(path), metadata)
    with safetensors.safe_open(path, framework="pt") as file:
        opened = {name: file.get_tensor(name) for name in file.keys()}
    check_values(job, "safe_open", wanted, opened, metadata)
    loaded = huggingface_hub.load_state_dict_from_file(path)
    check_values(job, "load_state_dict_from_file", wanted, loaded, metadata)
    kept = {
        name: tensor.detach().resolve_conj().resolve_neg().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
        if name in loaded
    }
    with tempfile.TemporaryDirectory() as folder:
        reference = os.path.join(folder, "model.safetensors")
        safetensors.torch.save_file(kept, reference, metadata=metadata)
        check(job, "the same file as save_file's", same_file(path, reference))


def check_edited(job):
    """Other metadata, the same tensors in the eyes of the reference."""
    plain, edited = (safetensors.torch.load_file(job[name]) for name in ("single", "edited"))
    check_values(job, "edit", {name: bits(tensor) for name, tensor in plain.items()}, edited, {})
    check(job, "edit sets one key", metadata_of(job["edited"]) == {**metadata_of(job["single"]), "note": ""})


def check_copied(job, wanted):
    loaded = safetensors.torch.load_file(job["copied"])
    check_values(job, "--tied copy", wanted, loaded, {})
    check(job, "--tied copy keeps every name", set(loaded) == set(wanted))


def check_shards(job, wanted, tensors):
    folder = job["folder"]
    found = {}
    for name in os.listdir(folder):
        if name.endswith(".safetensors"):
            found.update(safetensors.torch.load_file(os.path.join(folder, name)))
    index = os.path.join(folder, "model.safetensors.index.json")
    if os.path.exists(index):
        with open(index, encoding="utf-8") as file:
            aliases = json.load(file)["metadata"]
    else:
        aliases = metadata_of(os.path.join(folder, "model.safetensors"))
    check_values(job, "shards", wanted, found, aliases)
    if any(bits(tensor)[2] != wanted[name][2] for name, tensor in found.items()):
        return
    with tempfile.TemporaryDirectory() as reference:
        if not save_reference(job, tensors, wanted, found, reference):
            return
        names = sorted(os.listdir(reference))
        same = names == sorted(os.listdir(folder)) and all(
            same_file(os.path.join(folder, name), os.path.join(reference, name))
            if name.endswith(".safetensors")
            else same_text(os.path.join(folder, name), os.path.join(reference, name))
            for name in names
        )
        check(job, "the same shards as save_torch_state_dict's", same, f"{names} {sorted(os.listdir(folder))}")


def check_back(job, wanted, tensors):
    """Our own PyTorch file: torch reads it in all its ways, and finds the same tensors, sharing what they shared."""
    path = job["back"]
    with zipfile.ZipFile(path) as archive:
        check(job, "a sound zip", archive.testzip() is None)
    for mmap in (False, True):
        loaded = torch.load(path, weights_only=True, mmap=mmap)
        check_values(job, f"torch.load with mmap={mmap}", wanted, loaded, {})
        # safetensors has no order of names to keep.
        if not job["input"].endswith(".safetensors"):
            check(job, "the order of names", list(loaded) == list(tensors))
    if not job["input"].endswith(".safetensors"):
        check(job, "what shares bytes", shared(loaded) == shared(tensors), f"{shared(loaded)} {shared(tensors)}")


def shared(tensors):
    """Names by the place where they begin, where there are several."""
    places = {}
    for name, tensor in tensors.items():
        if tensor.numel() and not tensor.is_conj() and not tensor.is_neg():
            places.setdefault(tensor.data_ptr(), []).append(name)
    return sorted(names for names in places.values() if len(names) > 1)


def same_text(ours, theirs):
    with open(ours, encoding="utf-8") as left, open(theirs, encoding="utf-8") as right:
        mine, reference = json.load(left), json.load(right)
    return mine == reference and list(mine["weight_map"]) == list(reference["weight_map"])


def save_reference(job, tensors, wanted, found, folder):
    """Saves with huggingface_hub; False where that refuses, loses values, or keeps another name of a tied group."""
    metadata = metadata_of(job["input"]) if job["input"].endswith(".safetensors") else None
    try:
        huggingface_hub.save_torch_state_dict(
            dict(tensors), folder, max_shard_size=job["maxShardSize"], metadata=metadata
        )
    except Exception:
        return False
    saved = {}
    for name in os.listdir(folder):
        if name.endswith(".safetensors"):
            saved.update(safetensors.torch.load_file(os.path.join(folder, name)))
    return set(saved) == set(found) and all(bits(tensor) == wanted[name] for name, tensor in saved.items())


def check_onnx(job, tensors):
    """Our own ONNX files: sound in the eyes of the checker, and with the same tensors for onnx and for ONNX Runtime."""
    # ONNX lacks 32-bit complex numbers as safetensors does, and refuses a tensor without a name.
    if "" in tensors or any(tensor.dtype == torch.complex32 for tensor in tensors.values()):
        check(job, "refused, having what ONNX lacks", job["onnxExit"] == 5, f"exit {job['onnxExit']}")
        return
    check(job, "converts to ONNX", job["onnxExit"] == 0, job["onnxSaid"])
    if job["onnxExit"] != 0:
        return
    try:
        problems = written_onnx.problems_of(job["onnx"], tensors)
    except Exception as error:
        problems = [repr(error)]
    check(job, "ONNX", not problems, "; ".join(problems[:3]))
    check(job, "ONNX has no file beside it that nothing points at", not written_onnx.left_beside(job["onnx"]))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        jobs = json.load(file)
    for job in jobs:
        try:
            tensors = state_dict_of(job["input"], job["select"])
        except safetensors.SafetensorError as error:
            print(f"left out: {job['input']}: {error}")
            continue
        wanted = {name: bits(tensor) for name, tensor in tensors.items()}
        check(job, "converts to PyTorch", job["backExit"] == 0, job["said"])
        if job["backExit"] == 0:
            check_back(job, wanted, tensors)
        if written_onnx.is_available():
            check_onnx(job, tensors)
        if any(tensor.dtype in NOT_STORABLE for tensor in tensors.values()):
            check(job, "refused, having a dtype that safetensors lacks", job["exit"] == 5, f"exit {job['exit']}")
            continue
        check(job, "converts", job["exit"] == 0, f"exit {job['exit']}: {job['said']}")
        if job["exit"] != 0:
            continue
        # A PyTorch file has no room for the metadata of a safetensors file.
        if not job["input"].endswith(".safetensors"):
            check(job, "the same by way of a PyTorch file", split(job["again"]) == split(job["single"]))
        check_single(job, wanted, tensors)
        check_edited(job)
        check_copied(job, wanted)
        check_shards(job, wanted, tensors)
    if not written_onnx.is_available():
        print("left out: ONNX, since there is no onnx and onnxruntime in this Python")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
