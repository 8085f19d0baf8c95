"""Networks of transformers for networks.py, with random weights: some in their full size, many architectures in a small one."""

import importlib
import importlib.util

import torch


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


t = Later("transformers")


def ids(*shape, most=500):
    return torch.randint(3, most, shape)


def full_size():
    """The configurations that the classes have by themselves."""

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

    return {
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


SMALL = {"vocab_size": 200, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
# The same by the names that GPT-2 and its descendants have for it.
SMALL_GPT = {"vocab_size": 200, "n_embd": 32, "n_layer": 2, "n_head": 4}
SMALL_IMAGE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "image_size": 32, "patch_size": 8}
# Encoder and decoder, by the names that BART and its descendants have for it.
SMALL_PAIR = {
    "vocab_size": 200, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": 64,
}
STAGES = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
SPEECH = {"conv_dim": (16, 16, 16), "conv_stride": (5, 2, 2), "conv_kernel": (10, 3, 3), "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
GROUPED = {"num_key_value_heads": 2}

# Name to class, configuration, and what that is made of. Encoders of text give their last hidden state, the others what `FIELDS` says.
TEXT = {
    "albert": ("AlbertModel", "AlbertConfig", {**SMALL, "embedding_size": 16}),
    "bert-classifier": ("BertForSequenceClassification", "BertConfig", SMALL),
    "bert-questions": ("BertForQuestionAnswering", "BertConfig", SMALL),
    "bigbird": ("BigBirdModel", "BigBirdConfig", {**SMALL, "attention_type": "original_full"}),
    "camembert": ("CamembertModel", "CamembertConfig", SMALL),
    "clip-text": ("CLIPTextModel", "CLIPTextConfig", {**SMALL, "bos_token_id": 1, "eos_token_id": 2}),
    "deberta": ("DebertaModel", "DebertaConfig", {**SMALL, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]}),
    "deberta-v2": ("DebertaV2Model", "DebertaV2Config", {**SMALL, "relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_buckets": 8}),
    "electra": ("ElectraModel", "ElectraConfig", {**SMALL, "embedding_size": 16}),
    "esm": ("EsmModel", "EsmConfig", {**SMALL, "pad_token_id": 1, "position_embedding_type": "rotary"}),
    "fnet": ("FNetModel", "FNetConfig", {key: value for key, value in SMALL.items() if key != "num_attention_heads"}),
    "funnel": ("FunnelModel", "FunnelConfig", {"vocab_size": 200, "block_sizes": [1, 1], "d_model": 32, "n_head": 4, "d_head": 8, "d_inner": 64}),
    "longformer": ("LongformerModel", "LongformerConfig", {**SMALL, "attention_window": 4}),
    "mobilebert": ("MobileBertModel", "MobileBertConfig", {**SMALL, "embedding_size": 32, "intra_bottleneck_size": 32}),
    "modernbert": ("ModernBertModel", "ModernBertConfig", {
        **SMALL, "local_attention": 4, "global_attn_every_n_layers": 2, "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 1, "cls_token_id": 1, "sep_token_id": 1
    }),
    "mpnet": ("MPNetModel", "MPNetConfig", SMALL),
    "roformer": ("RoFormerModel", "RoFormerConfig", {**SMALL, "embedding_size": 32}),
    "rwkv": ("RwkvModel", "RwkvConfig", {**SMALL, "attention_hidden_size": 32}),
    "squeezebert": ("SqueezeBertModel", "SqueezeBertConfig", {**SMALL, "embedding_size": 32}),
    "xlm-roberta": ("XLMRobertaModel", "XLMRobertaConfig", SMALL),
    "xlnet": ("XLNetModel", "XLNetConfig", {"vocab_size": 200, "d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 64}),
}
FIELDS = {"bert-classifier": ["logits"], "bert-questions": ["start_logits", "end_logits"], "clip-text": ["last_hidden_state", "pooler_output"]}
UNMASKED = ("fnet", "rwkv", "mamba")
CAUSAL = {
    "codegen": ("CodeGenForCausalLM", "CodeGenConfig", {**SMALL_GPT, "rotary_dim": 4, "n_positions": 64}),
    "cohere": ("CohereForCausalLM", "CohereConfig", {**SMALL, **GROUPED, "eos_token_id": 2}),
    "falcon": ("FalconForCausalLM", "FalconConfig", SMALL),
    "gemma": ("GemmaForCausalLM", "GemmaConfig", {**SMALL, **GROUPED, "head_dim": 8}),
    "gemma2": ("Gemma2ForCausalLM", "Gemma2Config", {**SMALL, **GROUPED, "head_dim": 8}),
    "gemma3": ("Gemma3ForCausalLM", "Gemma3TextConfig", {**SMALL, **GROUPED, "head_dim": 8}),
    "gpt-neo": ("GPTNeoForCausalLM", "GPTNeoConfig", {
        "vocab_size": 200, "hidden_size": 32, "num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]], "window_size": 4,
        "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 2,
    }),
    "gpt-neox": ("GPTNeoXForCausalLM", "GPTNeoXConfig", SMALL),
    "gptj": ("GPTJForCausalLM", "GPTJConfig", {**SMALL_GPT, "rotary_dim": 4, "n_positions": 64}),
    "granite": ("GraniteForCausalLM", "GraniteConfig", {**SMALL, **GROUPED}),
    "mamba": ("MambaForCausalLM", "MambaConfig", {"vocab_size": 200, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}),
    "mistral": ("MistralForCausalLM", "MistralConfig", {**SMALL, **GROUPED, "sliding_window": 4}),
    "mixtral": ("MixtralForCausalLM", "MixtralConfig", {**SMALL, **GROUPED, "num_local_experts": 4}),
    "mpt": ("MptForCausalLM", "MptConfig", {"vocab_size": 200, "d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 64}),
    "olmo": ("OlmoForCausalLM", "OlmoConfig", {**SMALL, "eos_token_id": 2}),
    "opt": ("OPTForCausalLM", "OPTConfig", {
        "vocab_size": 200, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "ffn_dim": 64, "word_embed_proj_dim": 32, "max_position_embeddings": 64
    }),
    "phi": ("PhiForCausalLM", "PhiConfig", SMALL),
    "phi3": ("Phi3ForCausalLM", "Phi3Config", {**SMALL, **GROUPED, "pad_token_id": 0, "eos_token_id": 2}),
    "qwen2": ("Qwen2ForCausalLM", "Qwen2Config", {**SMALL, **GROUPED}),
    "qwen3": ("Qwen3ForCausalLM", "Qwen3Config", {**SMALL, **GROUPED, "head_dim": 8}),
    "stablelm": ("StableLmForCausalLM", "StableLmConfig", {**SMALL, **GROUPED}),
    "starcoder2": ("Starcoder2ForCausalLM", "Starcoder2Config", {**SMALL, **GROUPED}),
}
PAIRS = {
    "marian": ("MarianMTModel", "MarianConfig", {**SMALL_PAIR, "pad_token_id": 199, "decoder_start_token_id": 199}),
    "mt5": ("MT5ForConditionalGeneration", "MT5Config", {"vocab_size": 200, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}),
    "bart": ("BartForConditionalGeneration", "BartConfig", SMALL_PAIR),
    "pegasus": ("PegasusForConditionalGeneration", "PegasusConfig", SMALL_PAIR),
}
# Name to class, configuration, what that is made of, what is taken of the result, and the shape and name of the input.
PICTURE, LARGER = ("pixel_values", (1, 3, 32, 32)), ("pixel_values", (1, 3, 64, 64))
WAVE = ("input_values", (1, 1600))
OTHERS = {
    "beit": ("BeitModel", "BeitConfig", {**SMALL_IMAGE, "use_relative_position_bias": True}, "last_hidden_state", PICTURE),
    "blip-vision": ("BlipVisionModel", "BlipVisionConfig", SMALL_IMAGE, "last_hidden_state", PICTURE),
    "convnextv2": ("ConvNextV2Model", "ConvNextV2Config", STAGES, "last_hidden_state", LARGER),
    "deit": ("DeiTModel", "DeiTConfig", SMALL_IMAGE, "last_hidden_state", PICTURE),
    "dinov2": ("Dinov2Model", "Dinov2Config", SMALL_IMAGE, "last_hidden_state", PICTURE),
    "levit": ("LevitModel", "LevitConfig", {
        "image_size": 64, "hidden_sizes": [16, 24, 32], "num_attention_heads": [2, 3, 4], "depths": [1, 1, 1], "key_dim": [8, 8, 8]
    }, "last_hidden_state", LARGER),
    "mobilevit": ("MobileViTModel", "MobileViTConfig", {
        "image_size": 64, "hidden_sizes": [16, 24, 32], "neck_hidden_sizes": [8, 8, 16, 16, 24, 24, 32], "num_attention_heads": 4
    }, "last_hidden_state", LARGER),
    "owlvit-vision": ("OwlViTVisionModel", "OwlViTVisionConfig", SMALL_IMAGE, "last_hidden_state", PICTURE),
    "poolformer": ("PoolFormerModel", "PoolFormerConfig", STAGES, "last_hidden_state", LARGER),
    "pvt": ("PvtModel", "PvtConfig", {"image_size": 64, **STAGES, "num_attention_heads": [1, 2, 4, 8]}, "last_hidden_state", LARGER),
    "regnet": ("RegNetModel", "RegNetConfig", {**STAGES, "embedding_size": 8, "groups_width": 4}, "last_hidden_state", LARGER),
    "segformer": ("SegformerForSemanticSegmentation", "SegformerConfig", {**STAGES, "num_attention_heads": [1, 2, 4, 8], "decoder_hidden_size": 16}, "logits", LARGER),
    "siglip-vision": ("SiglipVisionModel", "SiglipVisionConfig", SMALL_IMAGE, "last_hidden_state", PICTURE),
    "swinv2": ("Swinv2Model", "Swinv2Config", {
        "image_size": 32, "patch_size": 4, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4], "window_size": 4
    }, "last_hidden_state", PICTURE),
    "yolos": ("YolosForObjectDetection", "YolosConfig", {**SMALL_IMAGE, "image_size": [32, 32], "num_detection_tokens": 5}, "pred_boxes", PICTURE),
    "hubert": ("HubertModel", "HubertConfig", {**SMALL, **SPEECH}, "last_hidden_state", WAVE),
    "wav2vec2": ("Wav2Vec2Model", "Wav2Vec2Config", {**SMALL, **SPEECH}, "last_hidden_state", WAVE),
    "wavlm": ("WavLMModel", "WavLMConfig", {**SMALL, **SPEECH}, "last_hidden_state", WAVE),
    "audio-spectrogram": ("ASTModel", "ASTConfig", {
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "max_length": 64, "num_mel_bins": 32
    }, "last_hidden_state", ("input_values", (1, 64, 32))),
    "patchtst": ("PatchTSTModel", "PatchTSTConfig", {
        "d_model": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "ffn_dim": 64, "context_length": 32, "patch_length": 8, "patch_stride": 8, "num_input_channels": 2
    }, "last_hidden_state", ("past_values", (2, 32, 2))),
}


def made(kind, config, sizes):
    return getattr(t, kind)(getattr(t, config)(**sizes))


def text_network(name, fields, described, **fixed):
    network = made(*described)
    if name in UNMASKED:
        return Plain(network, ["input_ids"], fields, **fixed), (ids(2, 8, most=190),)
    mask = torch.ones(2, 8, dtype=torch.int64)
    mask[1, 6:] = 0
    return Plain(network, ["input_ids", "attention_mask"], fields, **fixed), (ids(2, 8, most=190), mask)


def pair_network(name, described):
    mask = torch.ones(2, 8, dtype=torch.int64)
    mask[1, 6:] = 0
    parameters = ["input_ids", "attention_mask", "decoder_input_ids"]
    return Plain(made(*described), parameters, ["logits"], use_cache=False), (ids(2, 8, most=190), mask, ids(2, 5, most=190))


def small():
    """Each architecture with two layers or so."""
    builders = {}
    for name, described in TEXT.items():
        builders[name] = lambda name=name, described=described: text_network(name, FIELDS.get(name, ["last_hidden_state"]), described)
    for name, described in CAUSAL.items():
        builders[name] = lambda name=name, described=described: text_network(name, ["logits"], described, use_cache=False)
    for name, described in PAIRS.items():
        builders[name] = lambda name=name, described=described: pair_network(name, described)
    for name, (*described, field, (parameter, shape)) in OTHERS.items():
        builders[name] = lambda name=name, described=described, field=field, parameter=parameter, shape=shape: (
            Plain(made(*described), [parameter], [field]), (torch.rand(shape),)
        )
    return builders


def transformer_networks():
    """Name to what it is, and a function that gives the module, its inputs, and the ways it can become TorchScript."""
    if importlib.util.find_spec("transformers") is None:
        return {}

    def traced(build):
        return lambda: (*build(), ["traced"])

    return {
        **{f"transformers-{name}": ("transformers", traced(build)) for name, build in full_size().items()},
        **{f"small-{name}": ("architectures", traced(build)) for name, build in small().items()},
    }
