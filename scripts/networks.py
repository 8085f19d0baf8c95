"""Builds networks of torchvision and transformers as TorchScript, with inputs and what torch makes of them.

    networks.py list                       names of what this Python's packages have, one a line
    networks.py make NAME FOLDER           NAME-traced.pt, NAME-scripted.pt, NAME.safetensors, NAME.json, NAME-inputs.bin

Weights are random, and so are the statistics of norms; weights that start as zero get numbers, so that every layer shows
in the outputs. NAME.json has the inputs as `--inputs` takes them, and what could not be made and why; NAME-inputs.bin has
them as export_archive.py takes them. scripts/test-networks.mjs runs this, a network at a time.
"""

import copy
import json
import os
import sys
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "fixtures")]
sys.dont_write_bytecode = True

import torch  # noqa: E402

from recurrent_networks import recurrent_networks  # noqa: E402
from torchscript_ops import RELEASE, tensors_in, write_tensors  # noqa: E402
from transformer_networks import transformer_networks  # noqa: E402

# Images of another size than 64 x 64: what the network is made for, or the least that it takes.
SIZES = {"inception_v3": 96, "googlenet": 64, "maxvit_t": 224, "alexnet": 96, "swin_v2": 64}

# Clips of other frames and pixels than 4 of 32 x 32.
CLIPS = {"s3d": (16, 224), "mvit": (16, 224)}

# Thresholds under which networks with random weights find something at all, and not so much that scores are as good as equal.
REGIONS = {"box_score_thresh": 0.01, "box_detections_per_img": 10, "rpn_pre_nms_top_n_test": 200, "rpn_post_nms_top_n_test": 200}
FINDING = {
    "fasterrcnn": {**REGIONS, "num_classes": 5}, "maskrcnn": {**REGIONS, "num_classes": 5}, "keypointrcnn": {**REGIONS, "num_classes": 2},
    "retinanet": {"num_classes": 5, "detections_per_img": 20}, "ssd": {"num_classes": 5, "detections_per_img": 20}, "fcos": {"num_classes": 5, "detections_per_img": 20},
}


def smooth(channels, height, width):
    """An image without noise."""
    return torch.nn.functional.interpolate(torch.rand(1, channels, 9, 11), (height, width), mode="bicubic", align_corners=False)[0]


def vision_networks():
    """Name to a function that gives the module, its inputs, and the ways it can become TorchScript."""
    try:
        from torchvision import models
    except ImportError:
        return {}
    found = {}
    for kind, package in [("classification", models), ("segmentation", models.segmentation), ("detection", models.detection), ("video", models.video)]:
        for name in models.list_models(package):
            if not name.startswith("quantized_"):
                found[name] = (kind, vision_network(models, kind, name))
    # The architectures of torchvision.models.quantization; mobilenet_v3_large has a form for one engine only.
    for name in ("googlenet", "inception_v3", "mobilenet_v2", "resnet18", "resnet50", "shufflenet_v2_x0_5"):
        found[f"quantized_{name}"] = ("quantized", quantized_network(models, name))
    return found


def quantized_network(models, name):
    """A network that torch.ao quantizes statically, with statistics and ranges of random images."""

    def build():
        size = SIZES.get(name, 64)
        extra = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
        network = getattr(models.quantization, name)(weights=None, quantize=False, **extra).train()
        for _ in range(6):
            network(torch.randn(4, 3, size, size))
        network.eval().qconfig = torch.ao.quantization.get_default_qconfig("fbgemm")
        network.fuse_model(is_qat=False)
        torch.ao.quantization.prepare(network, inplace=True)
        network(torch.randn(4, 3, size, size))
        return torch.ao.quantization.convert(network), (torch.randn(1, 3, size, size),), ["traced", "scripted"]

    return build


def steps_apart(outputs, count):
    """How much of the largest output so many steps of a quantized one are: what torch's own engines differ by after many layers."""
    values = torch.unique(outputs[0])
    return count * float(values.diff().min() / values.abs().max())


def vision_network(models, kind, name):
    def build():
        size = next((SIZES[key] for key in SIZES if name.startswith(key)), 64)
        extra = {"weights": None}
        if kind == "video":
            frames, side = next((CLIPS[key] for key in CLIPS if name.startswith(key)), (4, 32))
            return models.get_model(name, **extra), (torch.rand(1, 3, frames, side, side),), ["traced", "scripted"]
        if kind != "classification":
            extra["weights_backbone"] = None
        if name.startswith("vit_"):
            extra["image_size"] = 56 if name == "vit_h_14" else 64
            size = extra["image_size"]
        if name in ("googlenet", "inception_v3"):
            extra["init_weights"] = False
        if kind == "detection":
            extra.update(next(FINDING[key] for key in FINDING if name.startswith(key)))
            network = models.get_model(name, **extra)
            if hasattr(network, "transform") and not name.startswith("ssd"):
                network.transform.min_size, network.transform.max_size = (96,), 128
            return network, ([smooth(3, 96, 112)],), ["scripted"]
        return models.get_model(name, **extra), (torch.rand(1, 3, size, size),), ["traced", "scripted"]

    return build


def randomize(network):
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._NormBase) and module.running_mean is not None:
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.numel() > 0 and bool((parameter == 0).all()):
                parameter.normal_(0, 0.02)


def unit_variance(network, inputs):
    """Scales layers and statistics so that this input leaves each layer with a mean of zero and a variance of one.

    Without, a detection network of random weights multiplies the rounding of its layers, and which boxes it finds is
    chance: torch's own float32 and float64 then disagree.
    """

    def normalized(module, given):
        count = module.running_mean.numel()
        columns = given[0].transpose(0, 1).reshape(count, -1)
        # A handful of places says nothing of a channel; all channels together do.
        mean = columns.mean(1) if columns.shape[1] >= 16 else columns.mean()
        variance = (columns - mean.reshape(-1, 1)).square().mean(1)
        module.running_mean.copy_(mean.expand(count))
        module.running_var.copy_(variance * 0.5 + 0.5 * variance.mean() + 1e-6)

    seen = set()

    def scaled(module, given, result):
        # Heads are applied to several levels of features; the first is the largest.
        if module in seen or result.numel() < 2:
            return result
        seen.add(module)
        factor = 1 / (result.std() + 1e-6)
        module.weight.mul_(factor)
        if module.bias is None:
            return result * factor
        mean = result.mean()
        module.bias.sub_(mean).mul_(factor)
        return (result - mean) * factor

    handles = []
    for module in network.modules():
        if hasattr(module, "running_var"):
            handles.append(module.register_forward_pre_hook(normalized))
        elif isinstance(module, (torch.nn.Conv2d, torch.nn.ConvTranspose2d, torch.nn.Linear)):
            handles.append(module.register_forward_hook(scaled))
    network(*inputs)
    for handle in handles:
        handle.remove()


def steady(build):
    """A detection network that finds the same in float32 and float64, how far apart these are, and what float64 gives: of several seeds, the first."""
    for seed in range(20):
        torch.manual_seed(seed)
        network, inputs, ways = build()
        network.eval()
        randomize(network)
        unit_variance(network, inputs)
        [single], [double] = network(*inputs), copy.deepcopy(network).double()(*cast(inputs, torch.float64))
        scores = single["scores"]
        if len(scores) < 5 or any(single[key].shape != double[key].shape for key in single):
            continue
        # Two scores that are as good as equal may come in either order.
        gap = float((scores[:-1] - scores[1:]).min())
        if gap < 5 * float((scores - double["scores"]).abs().max()):
            continue
        noise = max(float((single[key] - other).abs().max() / other.abs().max()) for key, other in double.items())
        if noise < 1e-3:
            return network, inputs, ways, (noise, cast(flat(double), torch.float32))
    raise RuntimeError("no seed gives a network whose float32 and float64 agree")


def cast(value, dtype):
    if isinstance(value, torch.Tensor):
        return value.to(dtype) if value.is_floating_point() else value
    return type(value)(cast(item, dtype) for item in value)


def described(value):
    if isinstance(value, torch.Tensor):
        return {"dtype": str(value.dtype).split(".")[1], "shape": list(value.shape)}
    return {"tuple" if isinstance(value, tuple) else "list": [described(item) for item in value]}


def flat(value):
    if isinstance(value, dict):
        return [tensor for item in value.values() for tensor in flat(item)]
    if isinstance(value, (list, tuple)):
        return [tensor for item in value for tensor in flat(item)]
    return [] if value is None else tensors_in(value)


def first_line(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:160]


def built(name):
    """The module, its inputs, how it can be saved, what `steady` tells of it, and what it is."""
    kind, build = NETWORKS[name]
    if kind == "detection":
        return (*steady(build), kind)
    torch.manual_seed(0)
    network, inputs, ways = build()
    network.eval()
    if kind == "quantized":
        outputs = flat(network(*inputs))
        return network, inputs, ways, (steps_apart(outputs, 3), outputs), kind
    randomize(network)
    return network, inputs, ways, None, kind


def make(name, folder):
    torch.set_num_threads(1)
    made, refused = [], {}
    stem = os.path.join(folder, name)
    with torch.no_grad():
        network, inputs, ways, steadiness, kind = built(name)
        noise, outputs = steadiness or (None, flat(network(*inputs)))
        for way in ways:
            try:
                module = torch.jit.script(network) if way == "scripted" else torch.jit.trace(network, inputs, strict=False, check_trace=False)
                module.save(f"{stem}-{way}.pt")
                made.append(way)
            except Exception as error:
                refused[way] = first_line(error)
    torch.save(inputs, f"{stem}-inputs.bin")
    tensors = {f"in/{index}": tensor for index, tensor in enumerate(flat(list(inputs)))}
    tensors.update({f"out/{index}": tensor for index, tensor in enumerate(outputs)})
    write_tensors(f"{stem}.safetensors", tensors, {"format": "pt"})
    with open(f"{stem}.json", "w") as file:
        json.dump(
            {
                "args": [described(value) for value in inputs], "kind": kind, "made": made, "refused": refused, "noise": noise,
                "parameters": sum(parameter.numel() for parameter in network.parameters()), "torch": torch.__version__.split("+")[0],
            },
            file,
        )


warnings.filterwarnings("ignore")
NETWORKS = {**vision_networks(), **transformer_networks()}
for own, create in recurrent_networks().items():
    NETWORKS[f"{own}-{RELEASE}"] = ("recurrent", lambda create=create: (*create(), ["traced", "scripted"]))
if sys.argv[1] == "list":
    for name, (kind, _) in NETWORKS.items():
        print(kind, name)
else:
    make(sys.argv[2], sys.argv[3])
