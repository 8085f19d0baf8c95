"""Builds networks of torchvision and transformers as TorchScript, with inputs and what torch makes of them.

    networks.py list                       names of what this Python's packages have, one a line
    networks.py make NAME FOLDER           NAME-traced.pt, NAME-scripted.pt, NAME.safetensors and NAME.json

Weights are random, and so are the statistics of norms; weights that start as zero get numbers, so that every layer shows
in the outputs. NAME.json has the inputs as `--inputs` takes them, what could not be made and why, and the seconds that
torch.onnx.export takes for the same module. scripts/test-networks.mjs runs this, a network at a time.
"""

import importlib
import importlib.util
import json
import os
import sys
import time
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "fixtures")]
sys.dont_write_bytecode = True

import torch  # noqa: E402

from recurrent_networks import recurrent_networks  # noqa: E402
from torchscript_ops import RELEASE, tensors_in, write_tensors  # noqa: E402

# Images of another size than 64 x 64: what the network is made for, or the least that it takes.
SIZES = {"inception_v3": 96, "googlenet": 64, "maxvit_t": 224, "alexnet": 96, "swin_v2": 64}

# Thresholds under which networks with random weights find something at all.
FINDING = {
    "fasterrcnn": {"box_score_thresh": 0.01, "num_classes": 5}, "maskrcnn": {"box_score_thresh": 0.01, "num_classes": 5},
    "keypointrcnn": {"box_score_thresh": 0.01, "num_classes": 2}, "retinanet": {"score_thresh": 0.001, "num_classes": 5},
    "ssd": {"score_thresh": 0.01, "num_classes": 5}, "fcos": {"score_thresh": 0.001, "num_classes": 5},
}


def vision_networks():
    """Name to a function that gives the module, its inputs, and the ways it can become TorchScript."""
    try:
        from torchvision import models
    except ImportError:
        return {}
    found = {}
    for kind, package in [("classification", models), ("segmentation", models.segmentation), ("detection", models.detection)]:
        for name in models.list_models(package):
            if not name.startswith("quantized_"):
                found[name] = (kind, vision_network(models, kind, name))
    return found


def vision_network(models, kind, name):
    def build():
        size = next((SIZES[key] for key in SIZES if name.startswith(key)), 64)
        extra = {"weights": None}
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
            return network, ([torch.rand(3, 96, 112)],), ["scripted"]
        return models.get_model(name, **extra), (torch.rand(1, 3, size, size),), ["traced", "scripted"]

    return build


class Plain(torch.nn.Module):
    """A network of transformers that takes tensors by position and gives a tuple of these fields."""

    def __init__(self, network, parameters, fields, **fixed):
        super().__init__()
        self.network = network
        self.parameters_ = parameters
        self.fields = fields
        self.fixed = fixed

    def forward(self, *tensors):
        given = self.network(**dict(zip(self.parameters_, tensors)), **self.fixed)
        return tuple(getattr(given, field) for field in self.fields)


class Later:
    """A package that takes seconds to import, once it is needed."""

    def __init__(self, name):
        self.name = name

    def __getattr__(self, name):
        return getattr(importlib.import_module(self.name), name)


def language_networks():
    if importlib.util.find_spec("transformers") is None:
        return {}
    t = Later("transformers")

    def ids(*shape, most=500):
        return torch.randint(3, most, shape)

    def text(network, *fields, **fixed):
        mask = torch.ones(2, 11, dtype=torch.int64)
        mask[1, 7:] = 0
        return Plain(network, ["input_ids", "attention_mask"], fields, **fixed), (ids(2, 11), mask)

    def image(network, size, *fields):
        return Plain(network, ["pixel_values"], fields), (torch.rand(1, 3, size, size),)

    def t5():
        return Plain(
            t.T5ForConditionalGeneration(t.T5Config()), ["input_ids", "attention_mask", "decoder_input_ids"], ["logits"], use_cache=False
        ), (ids(2, 9), torch.ones(2, 9, dtype=torch.int64), ids(2, 5))

    def clip():
        return Plain(
            t.CLIPModel(t.CLIPConfig()), ["input_ids", "pixel_values", "attention_mask"], ["logits_per_image", "text_embeds", "image_embeds"]
        ), (ids(2, 7), torch.rand(1, 3, 224, 224), torch.ones(2, 7, dtype=torch.int64))

    def whisper():
        return Plain(
            t.WhisperForConditionalGeneration(t.WhisperConfig()), ["input_features", "decoder_input_ids"], ["logits"], use_cache=False
        ), (torch.rand(1, 80, 3000), ids(1, 4))

    builders = {
        "bert-base": lambda: text(t.BertModel(t.BertConfig()), "last_hidden_state", "pooler_output"),
        "distilbert": lambda: text(t.DistilBertModel(t.DistilBertConfig()), "last_hidden_state"),
        "roberta-base": lambda: text(t.RobertaModel(t.RobertaConfig()), "last_hidden_state"),
        "gpt2": lambda: text(t.GPT2LMHeadModel(t.GPT2Config()), "logits", use_cache=False),
        "llama-small": lambda: text(
            t.LlamaForCausalLM(t.LlamaConfig(
                vocab_size=1000, hidden_size=256, intermediate_size=512, num_hidden_layers=4, num_attention_heads=8, num_key_value_heads=4
            )),
            "logits",
            use_cache=False,
        ),
        "t5-small": t5,
        "clip-vit-b-32": clip,
        "whisper-tiny": whisper,
        "vit-b-16": lambda: image(t.ViTModel(t.ViTConfig()), 224, "last_hidden_state"),
        "swin-t": lambda: image(t.SwinModel(t.SwinConfig()), 224, "last_hidden_state", "pooler_output"),
    }

    def with_ways(build):
        return lambda: (*build(), ["traced"])

    return {f"transformers-{name}": ("transformers", with_ways(build)) for name, build in builders.items()}


def randomize(network):
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._NormBase) and module.running_mean is not None:
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.numel() > 0 and bool((parameter == 0).all()):
                parameter.normal_(0, 0.02)


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


def export_seconds(module, inputs, path, is_script):
    # The exporter of TorchScript: the newer one takes no such archives.
    extra = {"dynamo": False} if torch.__version__ >= "2.5" else {}
    if is_script:
        # Torch 1.13 asks for outputs of a scripted module itself.
        extra["verbose"] = False
    started = time.perf_counter()
    torch.onnx.export(module, inputs, path, opset_version=17, **extra)
    return time.perf_counter() - started


def first_line(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:160]


def make(name, folder):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    kind, build = NETWORKS[name]
    network, inputs, ways = build()
    network.eval()
    randomize(network)
    made, refused, seconds = [], {}, {}
    stem = os.path.join(folder, name)
    with torch.no_grad():
        outputs = flat(network(*inputs))
        for way in ways:
            try:
                module = torch.jit.script(network) if way == "scripted" else torch.jit.trace(network, inputs, strict=False, check_trace=False)
                module.save(f"{stem}-{way}.pt")
                if kind == "detection":
                    # Scripted ones give their losses, too.
                    outputs = flat(module(*inputs))
                made.append(way)
            except Exception as error:
                refused[way] = first_line(error)
                continue
            try:
                seconds[way] = export_seconds(module, inputs, f"{stem}.export", way == "scripted")
            except Exception as error:
                seconds[way] = first_line(error)
            for file in os.listdir(folder):
                if file.startswith(f"{name}.export"):
                    os.remove(os.path.join(folder, file))
    tensors = {f"in/{index}": tensor for index, tensor in enumerate(flat(list(inputs)))}
    tensors.update({f"out/{index}": tensor for index, tensor in enumerate(outputs)})
    write_tensors(f"{stem}.safetensors", tensors, {"format": "pt"})
    with open(f"{stem}.json", "w") as file:
        json.dump(
            {
                "args": [described(value) for value in inputs], "kind": kind, "made": made, "refused": refused, "export": seconds,
                "parameters": sum(parameter.numel() for parameter in network.parameters()), "torch": torch.__version__.split("+")[0],
            },
            file,
        )


warnings.filterwarnings("ignore")
NETWORKS = {**vision_networks(), **language_networks()}
for own, create in recurrent_networks().items():
    NETWORKS[f"{own}-{RELEASE}"] = ("recurrent", lambda create=create: (*create(), ["traced", "scripted"]))
if sys.argv[1] == "list":
    for name, (kind, _) in NETWORKS.items():
        print(kind, name)
else:
    make(sys.argv[2], sys.argv[3])
