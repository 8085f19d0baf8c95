import { type FloatType, floatBytes, isFloatType } from "../bytes/floats.ts";
import type { RunContext } from "../core/context.ts";
import type { TensorDict } from "../core/dict.ts";
import { section } from "../core/source.ts";
import type { LazyTensor, StorageView } from "../core/tensor.ts";
import type { CastLosses } from "./cast-losses.ts";
import { type CastRule, parseCastRule } from "./cast-rules.ts";
import { castSource } from "./cast-source.ts";
import { dequantize } from "./dequantize.ts";

/** What may be said of dtypes; documented with the options of `convert`. */
export interface CastOptions {
  /** `f16` for all floating tensors, or `PATTERN=f16` for those that a pattern names; the last one that fits a tensor counts. */
  readonly dtype?: string | readonly string[] | undefined;
}

/**
 * Casts floating tensors, and turns quantized ones into the numbers that they stand for, while they are read. Tensors
 * that share a storage go on sharing it where they are cast alike. Losses are counted in `losses`.
 */
export function cast({ dtype = [] }: CastOptions, losses: CastLosses, context: RunContext) {
  const rules = [dtype].flat().map(parseCastRule);
  return (dict: TensorDict): TensorDict => {
    if (rules.length === 0) return dict;
    const chosen = chooseTargets(dict, rules, context);
    const folded = foldedNames(dict, chosen);
    const storages = createCastStorages(losses, context);
    const tensors = new Map<string, LazyTensor>();
    for (const [name, stored] of dict.tensors) {
      if (folded.has(name)) continue;
      const to = chosen.get(name);
      if (to === undefined) {
        tensors.set(name, stored);
        continue;
      }
      const tensor = stored.quantization ? dequantize(name, stored, stored.quantization, context) : stored;
      tensors.set(name, castTensor(name, tensor, to, storages, losses, context));
    }
    return { ...dict, tensors };
  };
}

/** Scales and the like of tensors that become numbers, under whatever names they have by now. */
function foldedNames({ tensors }: TensorDict, chosen: ReadonlyMap<string, FloatType>): ReadonlySet<string> {
  const solved = new Set([...chosen.keys()].map((name) => tensors.get(name)?.quantization));
  const folded = [...tensors].filter(([, { partOf }]) => partOf !== undefined && solved.has(partOf));
  return new Set(folded.map(([name]) => name));
}

/** What each tensor becomes that is changed at all. */
function chooseTargets(
  { tensors }: TensorDict,
  rules: readonly CastRule[],
  context: RunContext,
): ReadonlyMap<string, FloatType> {
  const targets = new Map<string, FloatType>();
  const matched = new Set<CastRule>();
  for (const [name, tensor] of tensors) {
    const fitting = rules.filter(({ pattern }) => pattern?.matches(name) ?? true);
    for (const rule of fitting) matched.add(rule);
    const rule = fitting.at(-1);
    if (rule === undefined) continue;
    if (isCastable(tensor)) {
      if (tensor.dtype !== rule.to) targets.set(name, rule.to);
    } else if (rule.pattern && isOddFloat(tensor)) {
      const message = `"${name}" is ${tensor.dtype} and stays so: only numbers of 8 to 64 bits are cast`;
      context.warn({ code: "not-cast", tensor: name, message });
    }
  }
  for (const rule of rules) {
    if (rule.pattern === undefined || matched.has(rule)) continue;
    context.warn({ code: "unmatched", message: `--dtype "${rule.pattern.text}=" fits no tensor` });
  }
  return targets;
}

function isCastable({ dtype, quantization }: LazyTensor): boolean {
  return isFloatType(dtype) || quantization !== undefined;
}

/** Complex numbers, and the parts of block formats: no integers, but nothing that a cast would keep meaningful. */
function isOddFloat({ dtype }: LazyTensor): boolean {
  return /^[CF]/.test(dtype);
}

function castTensor(
  name: string,
  tensor: LazyTensor,
  to: FloatType,
  storages: CastStorages,
  losses: CastLosses,
  context: RunContext,
): LazyTensor {
  const { dtype: from, payload, view } = tensor;
  if (from === to || !isFloatType(from)) return tensor;
  const request = { from, to, tensor: name, note: losses.of(name, to) };
  return {
    ...tensor,
    dtype: to,
    payload: castSource(payload, request, context),
    view: view && storages.viewOf(name, view, from, to),
  };
}

/** Storages as they are after a cast, each made once. */
interface CastStorages {
  viewOf(tensor: string, view: StorageView, from: FloatType, to: FloatType): StorageView;
}

/** Writers that share storages read these; those that do not read payloads. Either way a number is cast once. */
function createCastStorages(losses: CastLosses, context: RunContext): CastStorages {
  const sources = new Map<string, StorageView["source"]>();
  return {
    viewOf(tensor, view, from, to) {
      const [fromBytes, toBytes] = [floatBytes(from), floatBytes(to)];
      // Where the first whole number lies, for tensors that do not begin at a multiple of their width.
      const shift = view.start % fromBytes;
      const storage = `${view.storage} from ${shift} as ${from} to ${to}`;
      const known = sources.get(storage);
      const numbers = Math.floor((view.source.size - shift) / fromBytes);
      const inner = section(view.source, shift, shift + numbers * fromBytes, view.source.name);
      const source = known ?? castSource(inner, { from, to, tensor, note: losses.of(tensor, to) }, context);
      sources.set(storage, source);
      const scaled = (position: number) => ((position - shift) / fromBytes) * toBytes;
      return { ...view, storage, source, start: scaled(view.start), end: scaled(view.end) };
    },
  };
}
