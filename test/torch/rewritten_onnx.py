"""Tells, with the real onnx, which models are other models after they were written over again.

    rewritten_onnx.py PAIRS

PAIRS is a JSON list of [original, rewritten]. Prints a JSON list of sentences, one for each pair that differs.
"""

import json
import sys

import onnx
from onnx import numpy_helper

VALUES = ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data", "external_data", "data_location")


def split(path):
    """A model without the values of its tensors, and those, wherever they were."""
    model = onnx.load(path)
    tensors = []

    def walk(message):
        if isinstance(message, onnx.TensorProto):
            if message.data_type == onnx.TensorProto.STRING:
                return
            tensors.append((message.name, numpy_helper.to_array(message).tobytes()))
            for field in VALUES:
                message.ClearField(field)
            return
        for field, value in message.ListFields():
            if field.message_type is not None:
                for part in value if field.is_repeated else [value]:
                    walk(part)

    walk(model)
    return model.SerializeToString(deterministic=True), tensors


def problem(original, rewritten):
    try:
        before, after = split(original), split(rewritten)
    except Exception as error:
        return f"{rewritten}: {error!r}"
    if before[0] != after[0]:
        return f"{rewritten}: the graph is another one than that of {original}"
    if before[1] != after[1]:
        return f"{rewritten}: the tensors have other values than those of {original}"
    return None


with open(sys.argv[1], encoding="utf-8") as file:
    found = [problem(*pair) for pair in json.load(file)]
print(json.dumps([sentence for sentence in found if sentence]))
