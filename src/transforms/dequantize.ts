import { checkedSource } from "../core/checksum.ts";
import type { RunContext } from "../core/context.ts";
import { elementCount } from "../core/dtype.ts";
import { ConvertError, throwIfCancelled } from "../core/errors.ts";
import { createScratchPool } from "../core/scratch.ts";
import { type ByteSource, checkRange, readBytes } from "../core/source.ts";
import type { LazyTensor, Quantization } from "../core/tensor.ts";

/** Numbers worked out at a time, in borrowed memory. */
const blockNumbers = 65_536;

/**
 * The numbers that a quantized tensor stands for, as F32: bit for bit what torch's `dequantize()` gives. Throws kind
 * `malformed` where scales and zero points do not fit the tensor.
 */
export function dequantize(
  name: string,
  tensor: LazyTensor,
  quantization: Quantization,
  context: RunContext,
): LazyTensor {
  const { scale, zeroPoint, axis } = quantization;
  const site = { file: tensor.payload.name, tensor: name };
  const channels = axis === undefined ? 1 : tensor.shape[axis];
  const counts = [scale, zeroPoint].map(({ shape }) => elementCount(shape, site));
  if (channels === undefined || counts.some((count) => count !== channels)) {
    const along = axis === undefined ? "" : ` along dimension ${axis}`;
    throw new ConvertError(
      "malformed",
      `"${name}" of shape [${tensor.shape.join(", ")}] has ${counts.join(" scales and ")} zero points${along}`,
      site,
    );
  }
  const numbers = elementCount(tensor.shape, site);
  const run = axis === undefined ? numbers : elementCount(tensor.shape.slice(axis + 1), site);
  let rule: Promise<Rule> | undefined;
  const integers = checkedSource(tensor.payload, name, context);
  const slices = { channels, run: Math.max(1, run) };
  const payload = numbersSource(integers, integersOf(name, tensor), slices, () => {
    rule ??= loadRule(name, quantization, context);
    return rule;
  });
  return { ...tensor, dtype: "F32", payload, view: undefined, quantization: undefined };
}

/** Which slice an element belongs to. */
interface Slices {
  readonly channels: number;
  /** Elements of one slice that lie together. */
  readonly run: number;
}

function numbersSource(
  integers: ByteSource,
  { itemBytes, view }: Integers,
  { channels, run }: Slices,
  ruleOf: () => Promise<Rule>,
): ByteSource {
  const size = (integers.size / itemBytes) * 4;

  function fill(floats: Float32Array, words: ArrayLike<number>, first: number, rule: Rule): void {
    for (let index = 0; index < words.length; ) {
      const position = first + index;
      const channel = Math.floor(position / run) % channels;
      const end = Math.min(words.length, index + run - (position % run));
      if (itemBytes === 1 && end - index > longRun) {
        const table = tableOf(rule, channel, view);
        for (; index < end; index++) floats[index] = table[(words[index] as number) & 0xff] as number;
      } else {
        for (; index < end; index++) floats[index] = rule(words[index] as number, channel);
      }
    }
  }

  return {
    name: integers.name,
    size,
    granule: 4,
    async readInto(target, offset, request) {
      checkRange(integers.name, size, offset, target.length);
      const rule = await ruleOf();
      const scratch = request?.scratch ?? createScratchPool();
      const [first, total] = [offset / 4, target.length / 4];
      const step = Math.min(blockNumbers, total);
      await scratch.lend(step * (4 + itemBytes), async (buffer) => {
        const floats = new Float32Array(buffer.buffer, buffer.byteOffset, step);
        for (let at = 0; at < total; at += step) {
          throwIfCancelled(request?.signal);
          const count = Math.min(step, total - at);
          const part = buffer.subarray(4 * step, 4 * step + count * itemBytes);
          await integers.readInto(part, (first + at) * itemBytes, request);
          fill(floats, view(part), first + at, rule);
          target.set(buffer.subarray(0, 4 * count), 4 * at);
        }
      });
    },
  };
}

/** What makes a table of 256 numbers worth its while. */
const longRun = 1024;
const everyByte = Uint8Array.from({ length: 256 }, (_, code) => code);
const lastTable: { rule: Rule | undefined; channel: number; readonly numbers: Float32Array } = {
  rule: undefined,
  channel: 0,
  numbers: new Float32Array(256),
};

/** What each byte comes to in one slice, until another is asked for. */
function tableOf(rule: Rule, channel: number, view: Integers["view"]): Float32Array {
  const { numbers } = lastTable;
  if (lastTable.rule !== rule || lastTable.channel !== channel) {
    const integers = view(everyByte);
    for (let code = 0; code < 256; code++) numbers[code] = rule(integers[code] as number, channel);
    lastTable.rule = rule;
    lastTable.channel = channel;
  }
  return numbers;
}

type Rule = (integer: number, channel: number) => number;

/** Each of the three ways rounds in its own order, as torch's loops do; the caller rounds the result to F32. */
async function loadRule(
  name: string,
  { scale, zeroPoint, axis }: Quantization,
  context: RunContext,
): Promise<Rule> {
  const scales = await readNumbers(name, scale, context);
  const zeroPoints = await readNumbers(name, zeroPoint, context);
  if (axis === undefined) {
    const factor = Math.fround(scales[0] as number);
    const zero = zeroPoints[0] as number;
    // A difference of 32-bit integers, which may wrap around.
    return (integer) => Math.fround((integer - zero) | 0) * factor;
  }
  return (integer, channel) =>
    Math.fround(Math.fround(integer) - (zeroPoints[channel] as number)) * (scales[channel] as number);
}

async function readNumbers(
  tensor: string,
  { dtype, payload }: LazyTensor,
  context: RunContext,
): Promise<Float64Array> {
  const { buffer } = await readBytes(checkedSource(payload, tensor, context), 0, payload.size, context);
  if (dtype === "F64") return new Float64Array(buffer);
  if (dtype === "F32") return Float64Array.from(new Float32Array(buffer));
  if (dtype === "I64") return Float64Array.from(new BigInt64Array(buffer), Number);
  throw new ConvertError("unsupported", `the scales or zero points of "${tensor}" are ${dtype}`, {
    file: payload.name,
    tensor,
  });
}

interface Integers {
  readonly itemBytes: number;
  view(bytes: Uint8Array): Int8Array | Uint8Array | Int32Array;
}

function integersOf(tensor: string, { dtype, payload }: LazyTensor): Integers {
  if (dtype === "U8") return { itemBytes: 1, view: (bytes) => bytes };
  if (dtype === "I8")
    return {
      itemBytes: 1,
      view: ({ buffer, byteOffset, length }) => new Int8Array(buffer, byteOffset, length),
    };
  if (dtype === "I32")
    return {
      itemBytes: 4,
      view: ({ buffer, byteOffset, length }) => new Int32Array(buffer, byteOffset, length / 4),
    };
  throw new ConvertError("unsupported", `"${tensor}" is quantized to ${dtype}, which is not dequantized`, {
    file: payload.name,
    tensor,
  });
}
