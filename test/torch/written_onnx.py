"""Compares the ONNX files that were made of a checkpoint with what the real onnx and ONNX Runtime see in them."""

import os

import numpy
import torch

try:
    import onnx
    import onnxruntime
    from onnx import TensorProto, numpy_helper
except ImportError:
    onnx = None

# Elements of these have less than a byte, which numpy_helper gives one by one; torch has pairs of the first only.
NARROW = {TensorProto.FLOAT4E2M1} if onnx else set()


def is_available():
    return onnx is not None


def raw_bytes(tensor):
    values = tensor.detach().resolve_conj().resolve_neg().contiguous()
    return values.reshape(-1).view(torch.uint8).numpy().tobytes() if values.numel() else b""


def bytes_of(proto):
    """What numpy_helper makes of a tensor, packed again where torch has packed elements."""
    array = numpy_helper.to_array(proto)
    if proto.data_type not in NARROW:
        return array.tobytes()
    single = array.reshape(-1).view(numpy.uint8)
    return (single[0::2] | (single[1::2] << 4)).astype(numpy.uint8).tobytes()


def shape_of(tensor):
    shape = list(tensor.shape)
    if tensor.dtype == getattr(torch, "float4_e2m1fn_x2", None) and shape:
        shape[-1] *= 2
    return shape


def problems_of(path, tensors):
    """What is wrong with a written file, as sentences; nothing where all is well."""
    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path)
    aliases = {entry.key: entry.value for entry in model.metadata_props}
    found = {proto.name: proto for proto in model.graph.initializer}
    problems = [f"{name!r} is new" for name in found if name not in tensors]
    for name, tensor in tensors.items():
        proto = found.get(name, found.get(aliases.get(name)))
        if proto is None:
            problems.append(f"{name!r} is missing")
        elif list(proto.dims) != shape_of(tensor) or bytes_of(proto) != raw_bytes(tensor):
            problems.append(f"{name!r} is {proto.data_type} {list(proto.dims)}, wanted {tensor.dtype} {shape_of(tensor)}")
    return problems + runtime_problems(path, tensors)


def runtime_problems(path, tensors):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    feeds = {value.name: numpy.zeros(value.shape, numpy.float32) for value in session.get_inputs()}
    # A file of types that the runtime cannot hand out has an empty tensor instead, which is also the only input.
    wanted = [name for name in names if name not in feeds or feeds[name].size]
    values = session.run(names, feeds)
    return [
        f"ONNX Runtime has other bytes for {name!r}"
        for name, value in zip(names, values)
        if name in wanted and value.tobytes() != raw_bytes(tensors[name])
    ]


def left_beside(path):
    """Names of files in the folder of a model that nothing in it points at."""
    model = onnx.load(path, load_external_data=False)
    used = {entry.value for proto in model.graph.initializer for entry in proto.external_data if entry.key == "location"}
    return [name for name in os.listdir(os.path.dirname(path)) if name.endswith(".data") and name not in used]
