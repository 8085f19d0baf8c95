"""Checks every model of a folder with onnx's checker, types and shapes included: check_onnx.py FOLDER.

Prints `[name, null]` or `[name, what is wrong]` for each, as JSON, one a line.
"""

import json
import os
import sys

import onnx

folder = sys.argv[1]
for name in sorted(os.listdir(folder)):
    try:
        onnx.checker.check_model(os.path.join(folder, name), full_check=True)
        print(json.dumps([name, None]))
    except Exception as error:
        print(json.dumps([name, str(error).strip().split("\n")[0][:200]]))
