import { floatKernels } from "./float-kernels.ts";
import { type CastTable, narrowTable, upperHalfTable, wideningTable } from "./float-tables.ts";
import { type FloatType, floatBytes, hasInfinity, isNarrow, type NarrowFloat } from "./floats.ts";
import { instantiate } from "./instantiate.ts";

/** Numbers that one block takes: few enough to stay in a processor's cache from step to step. */
export const blockElements = 8192;

/** A stretch of working memory, seen as every kind of word. */
export interface Region {
  /** Byte position in the memory. */
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly words: Uint16Array;
  readonly bits: Uint32Array;
  readonly signed: Int32Array;
  readonly singles: Float32Array;
  readonly doubles: Float64Array;
}

/** Casts the first `count` numbers of one region into another; returns the sum of `lossOf` over them. */
export type CastStep = (from: Region, to: Region, count: number) => number;

/** Working memory and the steps that use it. */
export interface CastMachine {
  /** The input of the first step, its output, and that of a second one. */
  readonly regions: readonly [Region, Region, Region];
  /** One step, or two by way of float32. */
  steps(from: FloatType, to: FloatType): readonly CastStep[];
}

type Kernel = (from: number, to: number, count: number) => number;
type Kernels = Readonly<Record<"f32ToBf16" | "f32ToF16" | "bf16ToF32" | "f16ToF32", Kernel>>;

const regionBytes = 8 * blockElements;

/** A machine; `portable` leaves WebAssembly out, which is slower and does the same. */
export function createCastMachine(portable: boolean): CastMachine {
  const compiled = portable ? undefined : compileKernels();
  const buffer = compiled?.buffer ?? new ArrayBuffer(3 * regionBytes);
  const steps = compiled ? compiledSteps(compiled.kernels) : portableSteps;
  return {
    regions: [region(buffer, 0), region(buffer, 1), region(buffer, 2)],
    steps: (from, to) => stepsBetween(from, to, steps),
  };
}

function region(buffer: ArrayBuffer, index: number): Region {
  const at = index * regionBytes;
  return {
    at,
    bytes: new Uint8Array(buffer, at, regionBytes),
    words: new Uint16Array(buffer, at, regionBytes / 2),
    bits: new Uint32Array(buffer, at, regionBytes / 4),
    signed: new Int32Array(buffer, at, regionBytes / 4),
    singles: new Float32Array(buffer, at, regionBytes / 4),
    doubles: new Float64Array(buffer, at, regionBytes / 8),
  };
}

function compileKernels(): { readonly buffer: ArrayBuffer; readonly kernels: Kernels } | undefined {
  const exports = instantiate(floatKernels);
  if (exports === undefined) return undefined;
  const memory = exports["memory"] as WebAssembly.Memory;
  return { buffer: memory.buffer as ArrayBuffer, kernels: exports as unknown as Kernels };
}

/** The four pairs that most conversions are about. */
interface CommonSteps extends Readonly<Record<"toBf16" | "toF16" | "fromBf16" | "fromF16", CastStep>> {
  /** By way of float32, where that is faster than a table. */
  readonly bf16ToF16?: readonly CastStep[];
}

function compiledSteps(kernels: Kernels): CommonSteps {
  const step =
    (kernel: Kernel): CastStep =>
    (from, to, count) =>
      kernel(from.at, to.at, count);
  const fromBf16 = step(kernels.bf16ToF32);
  const toF16 = narrowing(kernels.f32ToF16);
  return {
    toBf16: narrowing(kernels.f32ToBf16),
    toF16,
    fromBf16,
    fromF16: step(kernels.f16ToF32),
    bf16ToF16: [fromBf16, toF16],
  };
}

/** Eight numbers at a time: those behind the last must not be counted as lost. */
function narrowing(kernel: Kernel): CastStep {
  return (from, to, count) => {
    from.bits.fill(0, count, Math.ceil(count / 8) * 8);
    return kernel(from.at, to.at, count);
  };
}

const portableSteps: CommonSteps = {
  toBf16: bf16FromF32,
  toF16: f16FromF32,
  fromBf16: widening("BF16"),
  fromF16: widening("F16"),
};

function stepsBetween(from: FloatType, to: FloatType, common: CommonSteps): readonly CastStep[] {
  if (isNarrow(from)) {
    if (from === "BF16" && to === "F16" && common.bf16ToF16) return common.bf16ToF16;
    if (isNarrow(to)) return [byTable(floatBytes(from), narrowTable(from, to))];
    const widen = from === "BF16" ? common.fromBf16 : from === "F16" ? common.fromF16 : widening(from);
    return to === "F32" ? [widen] : [widen, f64FromF32];
  }
  if (from === "F64") {
    if (to === "F32") return [f32FromF64];
    const [second] = stepsBetween("F32", to, common) as [CastStep];
    return [hasInfinity(to) ? f32FromF64 : f32FromF64Uncounted, second];
  }
  if (!isNarrow(to)) return [f64FromF32];
  if (to === "BF16") return [common.toBf16];
  return [to === "F16" ? common.toF16 : byUpperHalf(to)];
}

function widening(from: NarrowFloat): CastStep {
  // Made on first use: 65,536 codes take a while.
  return (source, target, count) => byTable(floatBytes(from), wideningTable(from))(source, target, count);
}

/** Looks each code up. */
function byTable(sourceBytes: number, { codes, losses }: CastTable): CastStep {
  return (from, to, count) => {
    const source = sourceBytes === 1 ? from.bytes : from.words;
    const target = wordsLike(to, codes);
    for (let index = 0; index < count; index++) target[index] = codes[source[index] as number] as number;
    let lost = 0;
    if (losses) for (let index = 0; index < count; index++) lost += losses[source[index] as number] as number;
    return lost;
  };
}

function byUpperHalf(to: NarrowFloat): CastStep {
  const { codes, losses } = upperHalfTable(to);
  return (from, { bytes }, count) => {
    let lost = 0;
    for (let index = 0; index < count; index++) {
      const bits = from.bits[index] as number;
      const key = (bits >>> 16) | ((bits & 0xffff) !== 0 ? 1 : 0);
      bytes[index] = codes[key] as number;
      lost += (losses as Uint32Array)[key] as number;
    }
    return lost;
  };
}

function wordsLike(region: Region, codes: CastTable["codes"]): Uint8Array | Uint16Array | Uint32Array {
  if (codes.BYTES_PER_ELEMENT === 1) return region.bytes;
  return codes.BYTES_PER_ELEMENT === 2 ? region.words : region.bits;
}

function bf16FromF32(from: Region, { words }: Region, count: number): number {
  let lost = 0;
  for (let index = 0; index < count; index++) {
    const bits = from.signed[index] as number;
    const size = bits & 0x7fff_ffff;
    if (size > 0x7f80_0000) {
      words[index] = 0xffff;
      continue;
    }
    const code = (size + 0x7fff + ((size >> 16) & 1)) >> 16;
    if (code === 0x7f80 && size < 0x7f80_0000) lost += 0x1_0000;
    else if (code === 0 && size > 0) lost++;
    words[index] = ((bits >>> 16) & 0x8000) | code;
  }
  return lost;
}

function f16FromF32(from: Region, { words }: Region, count: number): number {
  let lost = 0;
  for (let index = 0; index < count; index++) {
    const bits = from.signed[index] as number;
    const size = bits & 0x7fff_ffff;
    const code = f16Size(size);
    if (code === 0x7c00 && size < 0x7f80_0000) lost += 0x1_0000;
    else if (code === 0 && size > 0) lost++;
    words[index] = ((bits >>> 16) & 0x8000) | code;
  }
  return lost;
}

/** A float16 without its sign from a float32 without its sign. */
function f16Size(size: number): number {
  if (size > 0x7f80_0000) return 0x7e00 | ((size >> 13) & 0x3ff);
  if (size >= 0x477f_f000) return 0x7c00;
  if (size >= 0x3880_0000) return (size - 0x3800_0000 + 0xfff + ((size >> 13) & 1)) >> 13;
  // Half of the smallest one is a tie, and goes to zero.
  if (size <= 0x3300_0000) return 0;
  const digits = (size & 0x7f_ffff) | 0x80_0000;
  const shift = 126 - (size >> 23);
  return (digits + (1 << (shift - 1)) - 1 + ((digits >> shift) & 1)) >> shift;
}

function f32FromF64(from: Region, to: Region, count: number): number {
  let lost = 0;
  for (let index = 0; index < count; index++) {
    const value = from.doubles[index] as number;
    to.singles[index] = value;
    const size = (to.bits[index] as number) & 0x7fff_ffff;
    if (Number.isNaN(value)) to.bits[index] = narrowNan(from.bits, index);
    else if (size === 0x7f80_0000 && value !== Infinity && value !== -Infinity) lost += 0x1_0000;
    else if (size === 0 && value !== 0) lost++;
  }
  return lost;
}

/** What becomes infinite here is counted by the next step, whose type has no infinity. */
function f32FromF64Uncounted(from: Region, to: Region, count: number): number {
  return f32FromF64(from, to, count) & 0xffff;
}

/** Sign and upper payload of a NaN of 64 bits, quiet. An engine may change the bits of a NaN that passes as a number. */
function narrowNan(halves: Uint32Array, index: number): number {
  const low = halves[2 * index] as number;
  const high = halves[2 * index + 1] as number;
  return (high & 0x8000_0000) | 0x7fc0_0000 | ((high & 0xf_ffff) << 3) | (low >>> 29);
}

function f64FromF32(from: Region, to: Region, count: number): number {
  for (let index = 0; index < count; index++) {
    const value = from.singles[index] as number;
    to.doubles[index] = value;
    if (!Number.isNaN(value)) continue;
    const bits = from.bits[index] as number;
    to.bits[2 * index] = bits << 29;
    to.bits[2 * index + 1] = (bits & 0x8000_0000) | 0x7ff8_0000 | ((bits & 0x7f_ffff) >>> 3);
  }
  return 0;
}
