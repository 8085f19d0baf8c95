"""Turns an archive of TorchScript into ONNX as people do with torch, and prints how long that took.

    export_archive.py ARCHIVE INPUTS OUTPUT [PACKAGE...]

INPUTS is a tuple that torch.save wrote; packages are imported first, for operators of theirs that the archive has.

Prints a line of JSON: the seconds of loading and exporting without those of importing torch, or why it failed.
scripts/test-networks.mjs runs this beside `tensorferry convert`.
"""

import importlib
import json
import sys
import time
import warnings

import torch

archive, inputs, output, *packages = sys.argv[1:]
warnings.filterwarnings("ignore")
for package in packages:
    importlib.import_module(package)
example = torch.load(inputs)
# The exporter of TorchScript: the newer one takes no archives.
extra = {"dynamo": False} if torch.__version__ >= "2.5" else {}
started = time.perf_counter()
try:
    module = torch.jit.load(archive)
    # Torch 1.13 asks for outputs of a scripted module itself, unless something is said of `verbose`.
    torch.onnx.export(module, example, output, opset_version=17, verbose=False, **extra)
    print(json.dumps({"seconds": time.perf_counter() - started}))
except Exception as error:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    print(json.dumps({"error": f"{type(error).__name__}: {lines[0] if lines else ''}"[:160]}))
