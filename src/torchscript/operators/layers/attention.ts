import { ConvertError } from "../../../core/errors.ts";
import { add, binary, cast, multiply, not, number, scaled, unary, where } from "../../emit/arithmetic.ts";
import { floatAttribute, intAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { axisOf, expand, reshape, slice, swapAxes, transpose } from "../../emit/layout.ts";
import { linear, matmul } from "../../emit/linear.ts";
import { constant, knownNumbers, type Operand } from "../../emit/operand.ts";
import { reduce } from "../../emit/reduce.ts";
import { isFloat } from "../../emit/types.ts";
import { type Dimension, divideDimensions, multiplyDimensions, shapeText } from "../../shapes/dimension.ts";
import { gelu } from "../elements/activations.ts";
import { triangle } from "../indexing/masking.ts";
import { repeatedEach } from "../layout/repeating.ts";
import { type OperatorRule, type RuleContext, rule } from "../rule.ts";

/** Whether some row of a known mask keeps nothing; `undefined` where the mask depends on data. */
function hasDeadRow(mask: Operand): boolean | undefined {
  const known = knownNumbers(mask);
  const columns = mask.shape.at(-1);
  if (known === undefined || typeof columns !== "number") return undefined;
  const isKept = (value: number): boolean => (mask.dtype === "BOOL" ? value !== 0 : value !== -Infinity);
  for (let start = 0; start < known.length; start += columns)
    if (!known.slice(start, start + columns).some(isKept)) return true;
  return false;
}

/** Softmax over the last axis; a row that is masked throughout gives zeros, as torch does since 2.5, and no NaN. */
function safeSoftmax(builder: GraphBuilder, scores: Operand, mayBeDead: boolean): Operand {
  const axis = scores.shape.length - 1;
  const weights = unary(builder, "Softmax", scores, { axis: intAttribute(axis) });
  if (!mayBeDead) return weights;
  const highest = reduce(builder, "ReduceMax", scores, [axis], true);
  const isDead = binary(builder, "Equal", highest, number(scores.dtype, -Infinity));
  return where(builder, isDead, number(scores.dtype, 0), weights);
}

/** Scores with a mask: bools keep what is true, numbers are added. */
function masked(builder: GraphBuilder, scores: Operand, mask: Operand): Operand {
  if (mask.dtype === "BOOL") return where(builder, mask, scores, number(scores.dtype, -Infinity));
  if (!isFloat(mask.dtype))
    throw new ConvertError("malformed", `an attention mask of ${mask.dtype}, neither bools nor floats`);
  return add(builder, scores, cast(builder, mask, scores.dtype));
}

/** What lies on or below the diagonal from the first element on, for queries in rows and keys in columns. */
function causalMask(builder: GraphBuilder, query: Operand, key: Operand): Operand {
  const shape = [query.shape.at(-2) as Dimension, key.shape.at(-2) as Dimension];
  return triangle(builder, expand(builder, constant("BOOL", [], [1]), shape), 0, "lower");
}

/** As many heads of keys or values as there are of queries, neighbours alike. */
function grouped(builder: GraphBuilder, query: Operand, own: Operand): Operand {
  const [wanted, given] = [query, own].map(({ shape }) =>
    builder.guards.settle(shape.at(-3) ?? 1, "the number of attention heads"),
  ) as [number, number];
  if (wanted % given !== 0)
    throw new ConvertError("malformed", `${wanted} attention heads cannot share ${given} of keys`);
  return repeatedEach(builder, own, wanted / given, axisOf(-3, own.shape.length));
}

interface AttentionOptions {
  readonly mask: Operand | undefined;
  readonly isCausal: boolean;
  readonly scale: number | undefined;
}

/** `softmax(query · keyᵀ · scale + mask) · value` over the last two axes. */
function scaledAttention(
  builder: GraphBuilder,
  query: Operand,
  key: Operand,
  value: Operand,
  { mask, isCausal, scale }: AttentionOptions,
): Operand {
  if (query.shape.length < 2 || key.shape.length < 2 || value.shape.length < 2)
    throw new ConvertError("malformed", `attention of a query of shape ${shapeText(query.shape)}`);
  const width = builder.guards.settle(query.shape.at(-1) as Dimension, "the width of an attention head");
  const shorter = scaled(builder, query, scale ?? 1 / Math.sqrt(width));
  const scores = matmul(builder, shorter, swapAxes(builder, key, -2, -1));
  if (mask !== undefined && isCausal)
    throw new ConvertError("malformed", "attention is given a mask, and is to be causal as well");
  const own = isCausal ? causalMask(builder, query, key) : mask;
  if (own === undefined) return matmul(builder, safeSoftmax(builder, scores, false), value);
  const mayBeDead = isCausal ? false : (hasDeadRow(own) ?? true);
  return matmul(builder, safeSoftmax(builder, masked(builder, scores, own), mayBeDead), value);
}

/** Weights and sizes of an attention layer whose projections of queries, keys and values are one matrix. */
interface PackedAttention {
  readonly heads: number;
  readonly inWeight: Operand;
  readonly inBias: Operand;
  readonly outWeight: Operand;
  readonly outBias: Operand;
  readonly mask: Operand | undefined;
  /** How the mask lies: 0 is [queries, keys], 1 is [batch, keys], 2 is [batch, heads, queries, keys]. */
  readonly maskType: number | undefined;
}

/** What the fused operators are given of it, by torch's names. */
interface FusedArguments {
  readonly qkv_weight: Operand;
  readonly qkv_bias: Operand;
  readonly proj_weight: Operand;
  readonly proj_bias: Operand;
  readonly mask: Operand | undefined;
  readonly mask_type: number | undefined;
}

function packedWeights(heads: number, given: FusedArguments): PackedAttention {
  return {
    heads,
    inWeight: given.qkv_weight,
    inBias: given.qkv_bias,
    outWeight: given.proj_weight,
    outBias: given.proj_bias,
    mask: given.mask,
    maskType: given.mask_type,
  };
}

/** One third of the packed projection of `x`, as [batch, heads, length, width of a head]. */
function projected(
  builder: GraphBuilder,
  x: Operand,
  third: number,
  { heads, inWeight, inBias }: PackedAttention,
): Operand {
  if (x.shape.length !== 3)
    throw new ConvertError("malformed", `attention is given a tensor of shape ${shapeText(x.shape)}`);
  const [batch, length, width] = x.shape as readonly [Dimension, Dimension, Dimension];
  const start = multiplyDimensions(width, third);
  const end = multiplyDimensions(width, third + 1);
  const part = (whole: Operand): Operand => slice(builder, whole, 0, start, end);
  const flat = linear(builder, x, part(inWeight), part(inBias));
  const split = reshape(builder, flat, [batch, length, heads, divideDimensions(width, heads)]);
  return transpose(builder, split, [0, 2, 1, 3]);
}

/** The mask over [batch, heads, queries, keys]; what is true, or not zero, is left out. */
function droppedKeys(builder: GraphBuilder, mask: Operand, type: number | undefined): Operand {
  const flags = cast(builder, mask, "BOOL");
  const { shape } = flags;
  if (type === 2 && shape.length === 4) return flags;
  if (type === 0 && shape.length === 2) return reshape(builder, flags, [1, 1, ...shape]);
  const [batch, keys] = shape as readonly [Dimension, Dimension];
  if (type === 1 && shape.length === 2) return reshape(builder, flags, [batch, 1, 1, keys]);
  throw new ConvertError("unsupported", `an attention mask of shape ${shapeText(shape)} and type ${type}`);
}

/** The layer's output, and its weights by head. */
function packedAttention(
  builder: GraphBuilder,
  [query, key, value]: readonly [Operand, Operand, Operand],
  layer: PackedAttention,
): readonly [output: Operand, weights: Operand] {
  if (query.shape.length !== 3)
    throw new ConvertError("malformed", `fused attention of a tensor of shape ${shapeText(query.shape)}`);
  const [batch, length, width] = query.shape as readonly [Dimension, Dimension, Dimension];
  const q = projected(builder, query, 0, layer);
  const k = projected(builder, key, 1, layer);
  const v = projected(builder, value, 2, layer);
  const perHead = builder.guards.settle(q.shape[3] as Dimension, "the width of an attention head");
  const shorter = scaled(builder, q, 1 / Math.sqrt(perHead));
  const scores = matmul(builder, shorter, swapAxes(builder, k, -2, -1));
  const kept =
    layer.mask === undefined
      ? scores
      : masked(builder, scores, not(builder, droppedKeys(builder, layer.mask, layer.maskType)));
  const weights = safeSoftmax(builder, kept, false);
  const joined = transpose(builder, matmul(builder, weights, v), [0, 2, 1, 3]);
  const flat = reshape(builder, joined, [batch, length, width]);
  return [linear(builder, flat, layer.outWeight, layer.outBias), weights];
}

function checkDropout(context: RuleContext, probability: number): void {
  if (probability > 0)
    context.warn("the model was saved in training mode: its dropout is left out, as it would be in use");
}

/** A result that torch leaves undefined, so that nobody may read it. */
const undefinedWeights: Operand = {
  kind: "operand",
  dtype: "F32",
  shape: [],
  known: undefined,
  origin: { kind: "opaque", operator: "_native_multi_head_attention, asked for no weights," },
};

function normalized(builder: GraphBuilder, x: Operand, weight: Operand, bias: Operand, eps: number): Operand {
  return builder.node("LayerNormalization", [x, weight, bias], x, {
    axis: intAttribute(-1),
    epsilon: floatAttribute(eps),
  });
}

/** Weights of the two halves of a fused encoder layer that follow its attention. */
interface EncoderLayer {
  readonly attention: PackedAttention;
  readonly usesGelu: boolean;
  readonly isNormFirst: boolean;
  readonly eps: number;
  readonly norms: readonly [readonly [Operand, Operand], readonly [Operand, Operand]];
  readonly feedForward: readonly [readonly [Operand, Operand], readonly [Operand, Operand]];
}

function encoderLayer(builder: GraphBuilder, x: Operand, layer: EncoderLayer, context: RuleContext): Operand {
  const { isNormFirst, eps, norms, feedForward } = layer;
  const norm = (which: 0 | 1, y: Operand): Operand => normalized(builder, y, ...norms[which], eps);
  const around = (which: 0 | 1, y: Operand, inner: (z: Operand) => Operand): Operand =>
    isNormFirst ? add(builder, y, inner(norm(which, y))) : norm(which, add(builder, y, inner(y)));
  const attend = (y: Operand): Operand => packedAttention(builder, [y, y, y], layer.attention)[0];
  const feed = (y: Operand): Operand => {
    const hidden = linear(builder, y, ...feedForward[0]);
    const active = layer.usesGelu ? gelu(builder, hidden, "none", context) : unary(builder, "Relu", hidden);
    return linear(builder, active, ...feedForward[1]);
  };
  return around(1, around(0, x, attend), feed);
}

/** Attention, plain and as the fused operators that a trace of torch's own layers holds. */
export const attentionRules: readonly OperatorRule[] = [
  rule(
    "scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float dropout_p=0.0, bool is_causal=False, *, float? scale=None, bool enable_gqa=False)",
    ({ query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa }, builder, context) => {
      checkDropout(context, dropout_p);
      const [k, v] = [key, value].map((own) => (enable_gqa ? grouped(builder, query, own) : own));
      const options = { mask: attn_mask, isCausal: is_causal, scale };
      return scaledAttention(builder, query, k as Operand, v as Operand, options);
    },
  ),
  rule(
    "_native_multi_head_attention(Tensor query, Tensor key, Tensor value, int embed_dim, int num_head, Tensor qkv_weight, Tensor qkv_bias, Tensor proj_weight, Tensor proj_bias, Tensor? mask=None, bool need_weights=True, bool average_attn_weights=True, int? mask_type=None)",
    (args, builder) => {
      const { query, key, value, need_weights, average_attn_weights } = args;
      const [output, weights] = packedAttention(
        builder,
        [query, key, value],
        packedWeights(args.num_head, args),
      );
      if (!need_weights) return [output, undefinedWeights];
      return [output, average_attn_weights ? reduce(builder, "ReduceMean", weights, [1], false) : weights];
    },
  ),
  rule(
    "_transformer_encoder_layer_fwd(Tensor src, int embed_dim, int num_heads, Tensor qkv_weight, Tensor qkv_bias, Tensor proj_weight, Tensor proj_bias, bool use_gelu, bool norm_first, float eps, Tensor norm_weight_1, Tensor norm_bias_1, Tensor norm_weight_2, Tensor norm_bias_2, Tensor ffn_weight_1, Tensor ffn_bias_1, Tensor ffn_weight_2, Tensor ffn_bias_2, Tensor? mask=None, int? mask_type=None)",
    (args, builder, context) =>
      encoderLayer(
        builder,
        args.src,
        {
          attention: packedWeights(args.num_heads, args),
          usesGelu: args.use_gelu,
          isNormFirst: args.norm_first,
          eps: args.eps,
          norms: [
            [args.norm_weight_1, args.norm_bias_1],
            [args.norm_weight_2, args.norm_bias_2],
          ],
          feedForward: [
            [args.ffn_weight_1, args.ffn_bias_1],
            [args.ffn_weight_2, args.ffn_bias_2],
          ],
        },
        context,
      ),
  ),
  rule(
    "rms_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, float? eps=None)",
    ({ input, normalized_shape, weight, eps }, builder) =>
      rootMeanSquareNorm(builder, input, normalized_shape.length, weight, eps),
  ),
];

/** The smallest distance between numbers next to 1, torch's default for `rms_norm`. */
const epsilons: Readonly<Record<string, number>> = { F32: 2 ** -23, F64: 2 ** -52 };

/** Divided by the root of the mean square over the last axes. */
function rootMeanSquareNorm(
  builder: GraphBuilder,
  x: Operand,
  count: number,
  weight: Operand | undefined,
  eps: number | undefined,
): Operand {
  const epsilon = eps ?? epsilons[x.dtype];
  if (epsilon === undefined) throw new ConvertError("unsupported", `rms_norm of ${x.dtype} without eps`);
  // Torch computes halves in float32 here.
  const wide = x.dtype === "F64" ? x : cast(builder, x, "F32");
  const axes = [...x.shape.keys()].slice(x.shape.length - count);
  const mean = reduce(builder, "ReduceMean", multiply(builder, wide, wide), axes, true);
  const root = unary(builder, "Sqrt", add(builder, mean, number(wide.dtype, epsilon)));
  const normal = multiply(builder, wide, unary(builder, "Reciprocal", root));
  const weighted =
    weight === undefined ? normal : multiply(builder, normal, cast(builder, weight, wide.dtype));
  return cast(builder, weighted, x.dtype);
}
