"""Exports networks with the torch that runs this, converts the graphs, and counts what of their state dicts comes back.

    recovery.py FOLDER [NETWORK...]        a row of the table of docs/onnx-names.md for each network

Needs `npm run build` before. With torchvision (torch 1.13's) the large networks are there, too. Weights and the statistics
of norms are random; every element of the state dict counts, but `num_batches_tracked`. Ends with what passed and what
failed: each network has to come back as far as the exporter has left it, see `shortfall`.
"""

import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
EXPORTS = os.path.join(HERE, "fixtures", "onnx-names")
sys.path.insert(0, EXPORTS)
sys.dont_write_bytecode = True

import torch  # noqa: E402

from cases import CASES, case  # noqa: E402
from export import export  # noqa: E402

CLI = os.path.join(HERE, "..", "dist", "bin", "tensorferry.js")

LARGE = ["vit_b_16", "convnext_tiny", "swin_t", "resnet18", "mobilenet_v3_small", "efficientnet_b0", "densenet121"]
SMALL = [
    "mlp", "projections", "vit", "convnext", "encoder", "transformer", "cross-attention", "lstm", "gru", "rnn",
    "language", "norms", "cnn", "cnn-preserve", "mobile", "shared", "uncalled", "branching", "normed",
]
# Networks whose norms are gone into convolutions: the vectors of the norms are lost, and nothing else may be.
FUSED = ["resnet18", "mobilenet_v3_small", "efficientnet_b0", "densenet121", "cnn", "mobile"]
# What the exporter computed and did not keep: Swin's position tables, direction and length of weight_norm before torch 2.
COMPUTED = {"swin_t": 0.997, "normed": 0.46 if torch.__version__.startswith("1.") else 1}
# Names that only a reference has.
WITHOUT_REFERENCE = {"uncalled": 0.5}
EPSILON = {"mobile": "1e-3", "mobilenet_v3_small": "1e-3"}


def networks():
    found = {name: CASES[name] for name in SMALL}
    try:
        import torchvision
    except ImportError:
        return found
    for name in LARGE:
        build = getattr(torchvision.models, name)
        found[name] = case(build, (1, 3, 224, 224))
    found["resnet18, PRESERVE"] = case(
        torchvision.models.resnet18, (1, 3, 64, 64), training=torch.onnx.TrainingMode.PRESERVE
    )
    return found


def tensorferry(*words):
    done = subprocess.run(["node", CLI, *words, "--json", "--force"], capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout) if done.returncode == 0 else done.stderr.strip()


def count(wanted, path, notices):
    products = next((entry["message"] for entry in notices if entry["code"] == "fused"), "") != ""
    found = torch.load(path)
    total = same = fused = 0
    for name, tensor in wanted.items():
        if name.endswith("num_batches_tracked"):
            continue
        total += tensor.numel()
        other = found.get(name)
        if other is None or other.shape != tensor.shape:
            continue
        if other.dtype == tensor.dtype and torch.equal(other, tensor):
            same += tensor.numel()
        elif products and f"{name.rsplit('.', 1)[0]}.bias" in found and tensor.dim() > 2:
            fused += tensor.numel()
    return total, same, fused


def shortfall(name, wanted, path, notices, guided):
    """What is missing that has to be there, or None: all of it, or what FUSED, COMPUTED and WITHOUT_REFERENCE leave."""
    total, same, _ = count(wanted, path, notices)
    least = COMPUTED.get(name, 1 if guided else WITHOUT_REFERENCE.get(name, 1))
    if name not in FUSED:
        return None if same >= least * total else f"{same:,} of {total:,} elements came back"
    if not any(entry["code"] == "fused" for entry in notices):
        return "products are not reported"
    found = torch.load(path)
    for key, tensor in wanted.items():
        other = found.get(key)
        if tensor.dim() > 1 and (other is None or other.shape != tensor.shape):
            return f"{key} has no product under its name"
        if tensor.dim() > 1 and not torch.equal(other, tensor) and not is_reported(key, notices):
            return f"{key} is a product and not reported"
    return None


def is_reported(key, notices):
    return any(key in entry.get("tensors", []) for entry in notices if entry["code"] == "fused")


def share(part, total):
    return "100 %" if part == total else "–" if part == 0 else f"{100 * part / total:.1f} %"


def main():
    folder, wanted = sys.argv[1], sys.argv[2:]
    os.makedirs(folder, exist_ok=True)
    passed = failed = 0
    for name, network in networks().items():
        if wanted and name not in wanted:
            continue
        stem = os.path.join(folder, name.replace(", ", "-"))
        for seed, path in [(1, stem), (2, f"{stem}.other")]:
            if network["script"]:
                # A process of its own: torch gives scripted modules other scopes the second time.
                one = [sys.executable, os.path.join(EXPORTS, "export.py"), "--one", name, str(seed), path]
                subprocess.run(one, check=True)
            else:
                export(network, seed, path)
        state = torch.load(f"{stem}.pth")
        columns, problems = [], []
        for reference in ([], ["--reference", f"{stem}.other.pth"]):
            code, result = tensorferry("convert", f"{stem}.onnx", f"{stem}.back.pth", *reference)
            assert code == 0, result
            total, same, fused = count(state, f"{stem}.back.pth", result["notices"])
            columns += [share(same, total), share(fused, total)]
            problem = shortfall(name, state, f"{stem}.back.pth", result["notices"], bool(reference))
            problems += [problem] if problem else []
        words = ["--template", f"{stem}.onnx", "--bn-eps", EPSILON.get(name, "1e-5")]
        code, result = tensorferry("convert", f"{stem}.other.pth", f"{stem}.swapped.onnx", *words)
        swapped = "refused" if code else "differs"
        if code == 0:
            with open(f"{stem}.swapped.onnx", "rb") as ours, open(f"{stem}.other.onnx", "rb") as theirs:
                swapped = "equal" if ours.read() == theirs.read() else "differs"
        print(f"| {name} | {total:,} | {' | '.join(columns)} | {swapped} |", flush=True)
        if swapped != ("refused" if COMPUTED.get(name, 1) < 1 else "equal"):
            problems.append(f"with other weights the file {'is refused' if swapped == 'refused' else swapped}")
        for problem in problems:
            print(f"failed: {name}, torch {torch.__version__}: {problem}", file=sys.stderr, flush=True)
        passed, failed = (passed, failed + 1) if problems else (passed + 1, failed)
        for file in os.listdir(folder):
            os.remove(os.path.join(folder, file))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


sys.exit(main())
