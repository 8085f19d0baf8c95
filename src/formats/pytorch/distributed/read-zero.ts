import { isKind, PickleDict, type PickleValue } from "../../../containers/pickle/values.ts";
import type { RunContext } from "../../../core/context.ts";
import type { Candidate, Checkpoint } from "../../../core/dict.ts";
import { isConvertError } from "../../../core/errors.ts";
import type { InputFolder } from "../../../core/sink.ts";
import { findCandidates } from "../objects/candidates.ts";
import { stateDict } from "../objects/state-dict.ts";
import { mappingEntries } from "../values/python-values.ts";
import { asTensor, host, type TorchTensor } from "../values/torch-values.ts";
import { openRanks } from "./zero-ranks.ts";
import { isZeroModel, parseZeroModel, type ZeroModel } from "./zero-states.ts";

/** Where the weights that are put together stand among the candidates. */
const path = "fp32";

/** Whether a file may be the first of a ZeRO checkpoint, the others beside it. */
export function isZeroFile(name: string, root: PickleValue): boolean {
  return /(^|[\\/])(zero_pp_rank_0_)?mp_rank_00_model_states\.pt$/.test(name) && isZeroModel(root);
}

/**
 * The candidates in DeepSpeed's model states, and one more: the weights in the precision of the optimizer, which are put
 * together from the flat tensors in the files of its ranks (FORMAT.md, "ZeRO"). Where the model states have weights
 * too, those are taken unless the others are selected, and what is wrong with the others is told only then.
 */
export async function readZero(
  root: PickleValue,
  file: string,
  folder: InputFolder,
  context: RunContext,
): Promise<Checkpoint> {
  const model = parseZeroModel(root, { file });
  const others = findCandidates(root, file, context);
  const isEmptied = hasEmptied(model);
  const state = await mergedState(model, file, folder, context).catch((error: unknown) => {
    if (isEmptied || !isConvertError(error, "io", "malformed", "unsupported")) throw error;
    return error;
  });
  if (state === undefined) return { container: "zip", candidates: others };
  const merged = candidate(state, model, root, !isEmptied, file, context);
  const candidates = others.map((other) => (other.path === "module" ? beside(other, isEmptied) : other));
  return { container: "zip", candidates: [...candidates, merged] };
}

/** The model's own state dict: of no use where it is emptied, else the one that is taken; then the other is told of. */
function beside(module: Candidate, isEmptied: boolean): Candidate {
  const other = { name: path, what: `the weights as the optimizer has them: --select ${path}` };
  if (isEmptied) return { ...module, auxiliary: true };
  return {
    ...module,
    load() {
      const dict = module.load();
      return { ...dict, leftovers: [other, ...dict.leftovers] };
    },
  };
}

/** ZeRO stage 3 leaves empty tensors in the place of weights. */
function hasEmptied({ module, groups, frozen }: ZeroModel): boolean {
  const sizes = new Map(module.map(([name, value]) => [name, asTensor(value)?.storage.source.size]));
  return [...groups.flat(), ...frozen].some(({ name, elements }) => elements > 0 && sizes.get(name) === 0);
}

/** `undefined` where no file of an optimizer is there. */
async function mergedState(
  model: ZeroModel,
  file: string,
  folder: InputFolder,
  context: RunContext,
): Promise<ReadonlyMap<string, PickleValue> | undefined> {
  const weights = await openRanks(model, file, folder, context);
  if (weights === undefined) return undefined;
  const state = new Map<string, PickleValue>();
  for (const [name, value] of model.module) state.set(name, value);
  const places = placesOf(model, weights);
  for (const [name, value] of model.module) {
    // Older releases do not list what is shared; the model has it as one tensor under two names.
    const same = weights.get(name) ?? weights.get(places.get(placeOf(asTensor(value))) ?? "");
    if (same) state.set(name, host(same));
  }
  for (const [name, tensor] of weights) state.set(name, host(tensor));
  for (const [name, other] of model.shared) {
    const tensor = weights.get(other);
    if (tensor) state.set(name, host(tensor));
  }
  return state;
}

/** Names of merged weights by the place that the model's own tensor of that name has in a storage. */
function placesOf(model: ZeroModel, weights: ReadonlyMap<string, unknown>): ReadonlyMap<string, string> {
  const places = new Map<string, string>();
  for (const [name, value] of model.module) {
    const place = placeOf(asTensor(value));
    if (place !== "" && weights.has(name)) places.set(place, name);
  }
  return places;
}

function placeOf(tensor: TorchTensor | undefined): string {
  if (tensor === undefined || tensor.shape.includes(0)) return "";
  return [tensor.storage.key, tensor.offset, tensor.shape, tensor.strides].join(" ");
}

function candidate(
  state: ReadonlyMap<string, PickleValue> | Error,
  model: ZeroModel,
  root: PickleValue,
  auxiliary: boolean,
  file: string,
  context: RunContext,
): Candidate {
  const shapes = [...model.groups.flat(), ...model.frozen];
  return {
    path,
    auxiliary,
    tensorCount: state instanceof Error ? shapes.length : state.size,
    bytes: shapes.reduce((sum, { elements }) => sum + 4 * elements, 0),
    load() {
      if (state instanceof Error) throw state;
      const dict = new PickleDict();
      for (const [name, value] of state) dict.set(name, value);
      return stateDict(likeModule(root, dict), mappingEntries(dict) ?? [], path, root, file, context);
    },
  };
}

/** The dict of the model with other tensors: it has the versions of its modules as an attribute. */
function likeModule(root: PickleValue, entries: PickleDict): PickleValue {
  const module = isKind(root, "dict") ? root.get("module") : undefined;
  return isKind(module, "call") ? { ...module, entries } : entries;
}
