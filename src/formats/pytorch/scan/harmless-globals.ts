import { torchDTypeByName, torchDTypeByStorageClass } from "../values/dtypes.ts";

/**
 * Names that do no harm whatever they are called with, by module: they make a value and nothing else. What they are handed
 * is named as well and judged by itself. Matched in full; `torch.*` as a whole would let its gadgets through. Begins with
 * what `torch.load(weights_only=True)` of torch 2.13 takes (FORMAT.md).
 */
const byModule: Readonly<Record<string, string>> = {
  torch: `Size Tensor device per_tensor_affine per_channel_affine per_tensor_symmetric per_channel_symmetric
    per_channel_affine_float_qparams double float half int long short cdouble cfloat chalf bits8 bits16 bits1x8 bits2x4
    bits4x2 quint4x2 quint2x4 int1 int2 int3 int4 int5 int6 int7 uint1 uint2 uint3 uint4 uint5 uint6 uint7 strided
    sparse_coo sparse_csr sparse_csc sparse_bsr sparse_bsc jagged QUInt4x2Storage QUInt2x4Storage`,
  "torch.storage": "TypedStorage UntypedStorage _TypedStorage _UntypedStorage _load_from_bytes",
  "torch.serialization": "_get_layout",
  "torch.tensor": "Tensor _rebuild_from_type _rebuild_from_type_v2",
  "torch._tensor": "Tensor _rebuild_from_type _rebuild_from_type_v2",
  "torch._utils": `_rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_parameter
    _rebuild_parameter_with_state _rebuild_qtensor _rebuild_sparse_tensor _rebuild_sparse_csr_tensor
    _rebuild_nested_tensor _rebuild_meta_tensor_no_storage _rebuild_wrapper_subclass _rebuild_xla_tensor
    _rebuild_device_tensor_from_numpy _rebuild_device_tensor_from_cpu_tensor`,
  "torch.nested._internal.nested_tensor": "NestedTensor _rebuild_njt",
  "torch.autograd.variable": "Variable",
  "torch.distributed.tensor": "DTensor",
  "torch.distributed.tensor._dtensor_spec": "DTensorSpec TensorMeta ShardOrderEntry",
  "torch.distributed.tensor.placement_types": "Replicate Shard Partial",
  "torch.distributed.device_mesh": "DeviceMesh",
  "torch.distributed._mesh_layout": "_MeshLayout _FlatLayout",
  "torch.jit._pickle":
    "build_intlist build_doublelist build_boollist build_tensorlist build_tensor_from_id restore_type_tag",
  "torch.nn.parameter": "Parameter Buffer UninitializedParameter UninitializedBuffer",
  "torch.nn.modules.module": "Module _WrappedHook",
  "torch.nn.modules.activation": `CELU ELU GELU GLU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU LogSigmoid
    LogSoftmax Mish MultiheadAttention PReLU RReLU ReLU ReLU6 SELU SiLU Sigmoid Softmax Softmax2d Softmin Softplus
    Softshrink Softsign Tanh Tanhshrink Threshold`,
  "torch.nn.modules.batchnorm": "BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm",
  "torch.nn.modules.channelshuffle": "ChannelShuffle",
  "torch.nn.modules.container": "ModuleDict ModuleList ParameterDict ParameterList Sequential",
  "torch.nn.modules.conv": "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d",
  "torch.nn.modules.distance": "CosineSimilarity PairwiseDistance",
  "torch.nn.modules.dropout": "AlphaDropout Dropout Dropout1d Dropout2d Dropout3d FeatureAlphaDropout",
  "torch.nn.modules.flatten": "Flatten Unflatten",
  "torch.nn.modules.fold": "Fold Unfold",
  "torch.nn.modules.instancenorm": "InstanceNorm1d InstanceNorm2d InstanceNorm3d",
  "torch.nn.modules.linear": "Bilinear Identity Linear NonDynamicallyQuantizableLinear",
  "torch.nn.modules.loss": `BCELoss BCEWithLogitsLoss CTCLoss CosineEmbeddingLoss CrossEntropyLoss GaussianNLLLoss
    HingeEmbeddingLoss HuberLoss KLDivLoss L1Loss MSELoss MarginRankingLoss MultiLabelMarginLoss
    MultiLabelSoftMarginLoss MultiMarginLoss NLLLoss PoissonNLLLoss SmoothL1Loss SoftMarginLoss TripletMarginLoss`,
  "torch.nn.modules.normalization": "CrossMapLRN2d GroupNorm LayerNorm LocalResponseNorm RMSNorm",
  "torch.nn.modules.padding": `CircularPad1d CircularPad2d CircularPad3d ConstantPad1d ConstantPad2d ConstantPad3d
    ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d ReplicationPad3d ZeroPad1d
    ZeroPad2d ZeroPad3d`,
  "torch.nn.modules.pixelshuffle": "PixelShuffle PixelUnshuffle",
  "torch.nn.modules.pooling": `AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d
    AdaptiveMaxPool2d AdaptiveMaxPool3d AvgPool1d AvgPool2d AvgPool3d FractionalMaxPool2d FractionalMaxPool3d LPPool1d
    LPPool2d LPPool3d MaxPool1d MaxPool2d MaxPool3d MaxUnpool1d MaxUnpool2d MaxUnpool3d`,
  "torch.nn.modules.rnn": "GRU GRUCell LSTM LSTMCell RNN RNNCell",
  "torch.nn.modules.sparse": "Embedding EmbeddingBag",
  "torch.nn.modules.transformer":
    "Transformer TransformerDecoder TransformerDecoderLayer TransformerEncoder TransformerEncoderLayer",
  "torch.nn.modules.upsampling": "Upsample UpsamplingBilinear2d UpsamplingNearest2d",
  "torch.nn.functional":
    "elu gelu hardswish leaky_relu log_softmax mish relu relu6 selu sigmoid silu softmax softplus tanh",
  "torch.nn.parallel.data_parallel": "DataParallel",
  "torch.nn.utils.spectral_norm": "SpectralNorm SpectralNormLoadStateDictPreHook SpectralNormStateDictHook",
  "torch.nn.utils.weight_norm": "WeightNorm",

  collections: "ChainMap Counter OrderedDict UserDict defaultdict deque",
  UserDict: "IterableUserDict UserDict",
  copyreg: "_reconstructor __newobj__ __newobj_ex__",
  copy_reg: "_reconstructor __newobj__ __newobj_ex__",
  _codecs: "encode",
  builtins: `Ellipsis NotImplemented bool bytearray bytes complex dict float frozenset int list object range set slice
    str tuple ArithmeticError AssertionError AttributeError Exception IndexError KeyError NotImplementedError
    OSError OverflowError RuntimeError StopIteration TypeError ValueError ZeroDivisionError`,
  exceptions: `ArithmeticError AssertionError AttributeError Exception IndexError KeyError NotImplementedError
    OSError OverflowError RuntimeError StopIteration TypeError ValueError ZeroDivisionError`,
  argparse: "Namespace",
  types: "SimpleNamespace",
  datetime: "date datetime time timedelta timezone",
  decimal: "Decimal",
  fractions: "Fraction",
  uuid: "UUID SafeUUID",
  pathlib: "Path PosixPath PurePath PurePosixPath PureWindowsPath WindowsPath",
  "pathlib._local": "Path PosixPath PurePath PurePosixPath PureWindowsPath WindowsPath",

  numpy: `bool_ bool complex128 complex64 dtype float16 float32 float64 int16 int32 int64 int8 longlong ndarray str_
    bytes_ uint16 uint32 uint64 uint8 ulonglong`,
  "numpy.core.multiarray": "_reconstruct scalar",
  "numpy._core.multiarray": "_reconstruct scalar",
  "numpy.core.numeric": "_frombuffer",
  "numpy._core.numeric": "_frombuffer",
  "numpy.ma": "MaskedArray",
  "numpy.ma.core": "MaskedArray _mareconstruct",
  "numpy.random._pickle": "__bit_generator_ctor __generator_ctor __randomstate_ctor",
  "numpy.random._mt19937": "MT19937",
  "numpy.random._pcg64": "PCG64 PCG64DXSM",
  "numpy.random._philox": "Philox",
  "numpy.random._sfc64": "SFC64",
  "numpy.random.bit_generator": "SeedSequence __pyx_unpickle_SeedSequence",
};

const tensorClasses = ["BFloat16", "Bool", "Byte", "Char", "Double", "Float", "Half", "Int", "Long", "Short"];

const harmless: ReadonlySet<string> = new Set(harmlessNames());

function* harmlessNames(): Iterable<string> {
  for (const [module, names] of Object.entries(byModule))
    for (const name of names.split(/\s+/)) yield `${module}\n${name}`;
  // Python 2 called builtins otherwise, and had two types more.
  for (const name of `${byModule["builtins"]} long unicode xrange`.split(/\s+/)) yield `__builtin__\n${name}`;
  for (const name of torchDTypeByName.keys()) yield `torch\n${name}`;
  for (const module of ["torch", "torch.cuda"])
    for (const name of torchDTypeByStorageClass.keys()) yield `${module}\n${name}`;
  for (const module of ["torch", "torch.cuda", "torch.sparse", "torch.cuda.sparse"])
    for (const name of tensorClasses) yield `${module}\n${name}Tensor`;
}

/** Whether a name is known to do no harm. */
export function isHarmless(module: string, name: string): boolean {
  return harmless.has(`${module}\n${name}`);
}
