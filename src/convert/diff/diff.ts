import { type ContextOptions, createContext, type Notice, type RunContext } from "../../core/context.ts";
import type { TensorDict } from "../../core/dict.ts";
import { type DType, elementCount } from "../../core/dtype.ts";
import { ConvertError } from "../../core/errors.ts";
import type { Format } from "../../core/format.ts";
import type { LazyTensor } from "../../core/tensor.ts";
import { tiedTo } from "../../transforms/tied.ts";
import { chooseStateDict } from "../open/choose-state-dict.ts";
import type { ModelInput } from "../open/open.ts";
import { openModel } from "../open/open-model.ts";
import { noteGlobals } from "../open/unsafe.ts";
import { checkStorages } from "../plan/check-storages.ts";
import { comparePayloads, type TensorPair } from "./compare-payloads.ts";
import type { Tally } from "./compare-values.ts";

/** How to compare two models. */
export interface DiffOptions extends ContextOptions {
  /** Paths of the state dicts within the two checkpoints; `.` is the top. */
  readonly selectA?: string | undefined;
  readonly selectB?: string | undefined;
  /** Numbers with |a - b| <= absoluteTolerance + relativeTolerance * |b| are equal. Without either, every bit counts. */
  readonly absoluteTolerance?: number | undefined;
  readonly relativeTolerance?: number | undefined;
  /** Compare the values of tensors of different dtypes, and do not count the dtypes. */
  readonly ignoreDType?: boolean | undefined;
  /** Stop at the first difference. */
  readonly brief?: boolean | undefined;
}

/** How one tensor differs; a pair has the side of A first. */
export interface TensorDifference {
  readonly name: string;
  /** The first that applies; values of different dtypes are compared where dtypes are ignored, of different shapes never. */
  readonly reason: "shape" | "dtype" | "values";
  readonly dtypes?: readonly [DType, DType];
  readonly shapes?: readonly [readonly number[], readonly number[]];
  /** Elements that differ; missing for types whose numbers are not known, and after `brief`. */
  readonly count?: number;
  /** Elements there are. */
  readonly elements?: number;
  /** Largest |a - b| of them: NaN where one of the two is NaN, 0 where only bits differ, as in 0 and -0. */
  readonly maxAbs?: number;
  /** Where it is: an index for each dimension. */
  readonly at?: readonly number[];
  /** The two numbers there. */
  readonly values?: readonly [number, number];
}

/** What two models have in common and what not. */
export interface DiffReport {
  readonly equal: boolean;
  readonly a: { readonly path: string; readonly format: string; readonly tensors: number };
  readonly b: { readonly path: string; readonly format: string; readonly tensors: number };
  readonly onlyInA: readonly string[];
  readonly onlyInB: readonly string[];
  /** In the order of A. */
  readonly differing: readonly TensorDifference[];
  readonly notices: readonly Notice[];
}

/**
 * Compares two models tensor by tensor, whatever their formats; names that were dropped as tied, and are recorded so,
 * count as there. Metadata and the order of tensors do not count.
 */
export async function diffModels(
  a: ModelInput,
  b: ModelInput,
  formats: readonly Format[],
  options: DiffOptions = {},
): Promise<DiffReport> {
  const notices: Notice[] = [];
  const context = diffContext(options, notices);
  const tolerance = toleranceOf(options);
  const left = await openSide(a, options.selectA, formats, context);
  const right = await openSide(b, options.selectB, formats, context);
  const onlyInA = [...left.names.keys()].filter((name) => !right.names.has(name));
  const onlyInB = [...right.names.keys()].filter((name) => !left.names.has(name));
  const differing = new Map<string, TensorDifference>();
  const pairs: TensorPair[] = [];
  for (const [name, tensor] of left.names) {
    const other = right.names.get(name);
    if (other === undefined) continue;
    const difference = differentInfo(name, tensor, other, options.ignoreDType ?? false);
    if (difference) differing.set(name, difference);
    else pairs.push({ name, left: tensor, right: other });
  }
  const brief = options.brief ?? false;
  const known = onlyInA.length + onlyInB.length + differing.size > 0;
  if (!(brief && known)) await compareAll(pairs, left, right, differing, { tolerance, brief }, context);
  return {
    equal: onlyInA.length + onlyInB.length + differing.size === 0,
    a: left.report,
    b: right.report,
    onlyInA,
    onlyInB,
    differing: [...left.names.keys()].flatMap((name) => differing.get(name) ?? []),
    notices,
  };
}

function diffContext(options: DiffOptions, notices: Notice[]): RunContext {
  const plain = createContext({
    ...options,
    onNotice(notice) {
      notices.push(notice);
      options.onNotice?.(notice);
    },
  });
  return { ...plain, review: noteGlobals(plain.warn) };
}

function toleranceOf({ absoluteTolerance, relativeTolerance }: DiffOptions) {
  if (absoluteTolerance === undefined && relativeTolerance === undefined) return undefined;
  const [absolute, relative] = [absoluteTolerance ?? 0, relativeTolerance ?? 0];
  if (absolute >= 0 && relative >= 0) return { absolute, relative };
  throw new ConvertError("usage", "a tolerance is a number that is not negative");
}

interface Side {
  readonly dict: TensorDict;
  /** Tensors by all their names. */
  readonly names: ReadonlyMap<string, LazyTensor>;
  /** Names of the same bytes have the same representative. */
  representative(name: string): string;
  readonly report: DiffReport["a"];
}

async function openSide(
  input: ModelInput,
  select: string | undefined,
  formats: readonly Format[],
  context: RunContext,
): Promise<Side> {
  const model = await openModel(input, { formats }, context);
  const dict = chooseStateDict(model.checkpoint, select, model.name, context).load();
  const names = new Map(dict.tensors);
  const ties = new Map(tiedTo(dict));
  for (const [dropped, kept] of dict.aliases) {
    const tensor = dict.tensors.get(kept);
    if (tensor === undefined || names.has(dropped)) continue;
    names.set(dropped, tensor);
    ties.set(dropped, kept);
  }
  const representative = (name: string): string => ties.get(ties.get(name) ?? name) ?? ties.get(name) ?? name;
  return {
    dict,
    names,
    representative,
    report: { path: model.name, format: model.format, tensors: names.size },
  };
}

function differentInfo(
  name: string,
  a: LazyTensor,
  b: LazyTensor,
  ignoreDType: boolean,
): TensorDifference | undefined {
  const dtypes = a.dtype === b.dtype ? {} : { dtypes: [a.dtype, b.dtype] as const };
  if (a.shape.join() !== b.shape.join())
    return { name, reason: "shape", ...dtypes, shapes: [a.shape, b.shape] };
  if (a.dtype !== b.dtype && !ignoreDType) return { name, reason: "dtype", ...dtypes };
  return undefined;
}

/** Compares payloads, those of tied names once, and adds what differs. */
async function compareAll(
  pairs: readonly TensorPair[],
  left: Side,
  right: Side,
  differing: Map<string, TensorDifference>,
  options: Parameters<typeof comparePayloads>[1],
  context: RunContext,
): Promise<void> {
  const distinct = new Map<string, TensorPair>();
  const keyOf = ({ name }: TensorPair) =>
    JSON.stringify([left.representative(name), right.representative(name)]);
  for (const pair of pairs) if (!distinct.has(keyOf(pair))) distinct.set(keyOf(pair), pair);
  if (!options.brief) {
    await checkStorages(left.dict, context);
    await checkStorages(right.dict, context);
  }
  const tallies = await comparePayloads([...distinct.values()], options, context);
  const byKey = new Map([...distinct.keys()].map((key, index) => [key, tallies[index] as Tally]));
  for (const pair of pairs) {
    const tally = byKey.get(keyOf(pair));
    if (tally?.differs) differing.set(pair.name, differentValues(pair, tally, options.brief));
  }
}

function differentValues({ name, left, right }: TensorPair, tally: Tally, brief: boolean): TensorDifference {
  const dtypes = left.dtype === right.dtype ? {} : { dtypes: [left.dtype, right.dtype] as const };
  const elements = elementCount(left.shape, { tensor: name });
  if (tally.count === 0 || brief) return { name, reason: "values", ...dtypes, elements };
  const { count, maxAbs, values } = tally;
  return {
    name,
    reason: "values",
    ...dtypes,
    count,
    elements,
    maxAbs,
    at: multiIndex(tally.index, left.shape),
    values,
  };
}

/** The index in each dimension of an element of a row-major tensor. */
function multiIndex(index: number, shape: readonly number[]): readonly number[] {
  const at: number[] = [];
  let rest = index;
  for (const extent of [...shape].reverse()) {
    at.unshift(rest % extent);
    rest = Math.floor(rest / extent);
  }
  return at;
}
