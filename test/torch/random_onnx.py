"""Random ONNX models by the real onnx, and what it sees in them: random_onnx.py FOLDER SEED COUNT

Each is FOLDER/N/model.onnx, with other files beside it where its weights lie there; FOLDER/facts.json has a row a model.
"""

import json
import os
import random
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "..", "scripts", "fixtures", "onnx"))

import facts
import models

# What this release of onnx knows; some names are newer than others.
KINDS = [kind for kind in TensorProto.DataType.keys() if kind == "STRING" or kind in facts.SPELLING]


def array(draw, kind, shape):
    """Random bits as elements of a type."""
    dtype = helper.tensor_dtype_to_np_dtype(TensorProto.DataType.Value(kind))
    count = int(numpy.prod(shape, dtype=numpy.int64))
    if kind == "BOOL":
        return numpy.array([draw.random() < 0.5 for _ in range(count)], dtype).reshape(shape)
    spelling = facts.SPELLING[kind]
    if spelling in facts.BITS:
        codes = numpy.array([draw.randrange(2 ** facts.BITS[spelling]) for _ in range(count)], numpy.uint8)
        return codes.view(dtype).reshape(shape)
    data = draw.randbytes(count * numpy.dtype(dtype).itemsize)
    return numpy.frombuffer(data, dtype).reshape(shape)


def signed(draw, value, bits):
    """Some writers extend the sign of narrow numbers, some do not."""
    return value - 2**bits if value >= 2 ** (bits - 1) and draw.random() < 0.5 else value


def tensor(draw, name):
    kind = draw.choice(KINDS)
    rank = draw.choice([0, 1, 1, 2, 3])
    shape = [draw.choice([0, 1, 2, 3, 4, 8, 30]) if draw.random() < 0.9 else 5 for _ in range(rank)]
    if kind == "STRING":
        return helper.make_tensor(name, TensorProto.STRING, [2], [b"a", b"b"])
    if facts.SPELLING[kind] in facts.BITS:
        shape = [*shape, 4]
    values = array(draw, kind, shape)
    made = numpy_helper.from_array(values, name)
    if draw.random() < 0.4:
        return made
    typed = TensorProto(name=name, dims=shape, data_type=made.data_type)
    raw = made.raw_data
    field = helper.tensor_dtype_to_field(made.data_type)
    if field == "float_data":
        typed.float_data.extend(numpy.frombuffer(raw, numpy.float32).tolist())
    elif field == "double_data":
        typed.double_data.extend(numpy.frombuffer(raw, numpy.float64).tolist())
    elif field == "int64_data":
        typed.int64_data.extend(numpy.frombuffer(raw, numpy.int64).tolist())
    elif field == "uint64_data":
        width = "u4" if kind == "UINT32" else "u8"
        typed.uint64_data.extend(numpy.frombuffer(raw, f"<{width}").tolist())
    elif facts.SPELLING[kind].startswith("F6"):
        typed.int32_data.extend(values.flatten().view(numpy.uint8).tolist())
    elif kind == "INT32":
        typed.int32_data.extend(numpy.frombuffer(raw, numpy.int32).tolist())
    else:
        bytes_each = max(1, numpy.dtype(values.dtype).itemsize)
        words = numpy.frombuffer(raw, f"<u{bytes_each}").tolist()
        typed.int32_data.extend(signed(draw, word, 8 * bytes_each) for word in words)
    # Floats pass through Python's, which may quieten a signalling NaN: what onnx reads back is what counts.
    return typed


def sparse(draw, name):
    shape = [draw.randrange(1, 6), draw.randrange(1, 6)]
    cells = sorted(draw.sample(range(shape[0] * shape[1]), draw.randrange(shape[0] * shape[1] + 1)))
    values = numpy_helper.from_array(numpy.arange(1, len(cells) + 1, dtype=numpy.float32), name)
    flat = numpy.array(cells, numpy.int64)
    indices = flat if draw.random() < 0.5 else numpy.stack([flat // shape[1], flat % shape[1]], axis=1)
    return helper.make_sparse_tensor(values, numpy_helper.from_array(indices, ""), shape)


def graph(draw, name, depth):
    tensors = [tensor(draw, f"{name}.{index}") for index in range(draw.randrange(1, 6))]
    nodes = []
    for index in range(draw.randrange(3)):
        nodes.append(helper.make_node("Constant", [], [f"{name}.constant{index}"],
                                      value=tensor(draw, "inside")))
    if draw.random() < 0.4:
        count = draw.randrange(1, 2000)
        nodes.append(helper.make_node("Constant", [], [f"{name}.ints"], value_ints=[
            draw.randrange(-(2**63), 2**63) >> draw.randrange(64) for _ in range(count)]))
    for index in range(draw.randrange(2) if depth < 3 else 0):
        nodes.append(helper.make_node(
            "If", ["flag"], [], name=f"if{index}" if draw.random() < 0.5 else None,
            then_branch=graph(draw, "same", depth + 1), else_branch=graph(draw, "same", depth + 1)))
    sparses = [sparse(draw, f"{name}.sparse")] if draw.random() < 0.3 else []
    return helper.make_graph(nodes, name, [], [], tensors, sparse_initializer=sparses)


def write(draw, folder):
    os.makedirs(folder)
    model = models.model(graph(draw, "main", 0), ir_version=draw.randrange(8, onnx.IR_VERSION + 1))
    options = {}
    if draw.random() < 0.6:
        options = {"save_as_external_data": True, "size_threshold": draw.choice([0, 16, 200]),
                   "convert_attribute": draw.random() < 0.5, "all_tensors_to_one_file": draw.random() < 0.6}
        if options["all_tensors_to_one_file"]:
            options["location"] = "weights.bin"
    onnx.save_model(model, os.path.join(folder, "model.onnx"), **options)


def main(folder, seed, count):
    draw = random.Random(int(seed))
    rows = []
    for index in range(int(count)):
        path = os.path.join(folder, str(index))
        write(draw, path)
        file = os.path.join(path, "model.onnx")
        rows.append({"file": file, **facts.facts(file)})
    with open(os.path.join(folder, "facts.json"), "w") as file:
        json.dump(rows, file)


main(*sys.argv[1:])
