import { safeProduct } from "../../../bytes/size.ts";
import { isKind, type PickleValue } from "../../../containers/pickle/values.ts";
import { ConvertError, type ErrorSite } from "../../../core/errors.ts";
import { mappingEntries } from "../values/python-values.ts";
import { asTensor, sizesOf, type TorchTensor } from "../values/torch-values.ts";

/** A weight by its name, and the shape that it has where it is whole. */
export interface ZeroShape {
  readonly name: string;
  readonly shape: readonly number[];
  readonly elements: number;
}

/** What DeepSpeed's file of model states says about weights that lie flat in others (FORMAT.md, "ZeRO"). */
export interface ZeroModel {
  /** The state dict as training has it; in stage 3 its weights are empty. */
  readonly module: readonly (readonly [name: string, value: PickleValue])[];
  /** Weights that are trained, by group of the optimizer, in the order in which they lie in the flat tensors. */
  readonly groups: readonly (readonly ZeroShape[])[];
  /** Weights that are not trained. */
  readonly frozen: readonly ZeroShape[];
  /** What this rank has of those: all of them, or in stage 3 a part of each. */
  readonly fragments: ReadonlyMap<string, TorchTensor>;
  /** Names of weights that are another one, with the name of that. */
  readonly shared: ReadonlyMap<string, string>;
}

/** What one rank's file of optimizer states has of the weights. */
export interface ZeroPartition {
  /** Stage 3 cuts each weight into one piece for each rank, the stages before it each group. */
  readonly cuts: "groups" | "weights";
  /** How many ranks there are. */
  readonly ranks: number;
  /** Flat tensors, one for each group. */
  readonly flat: readonly TorchTensor[];
}

type Fail = (message: string) => never;

/** Whether a pickled object is one of DeepSpeed's model states whose weights an optimizer may have in flat form. */
export function isZeroModel(root: PickleValue): boolean {
  const shapes = isKind(root, "dict") ? root.get("param_shapes") : undefined;
  return isKind(shapes, "list") || mappingEntries(shapes) !== undefined;
}

/** Reads model states. Throws kind `malformed` where the shapes are none. */
export function parseZeroModel(root: PickleValue, site: ErrorSite): ZeroModel {
  const fail = failing(site);
  const states = isKind(root, "dict") ? root : undefined;
  const shapes = states?.get("param_shapes");
  const groups = isKind(shapes, "list") ? shapes.items : shapes === undefined ? [] : [shapes];
  const fragments = new Map<string, TorchTensor>();
  for (const [name, value] of named(states?.get("frozen_param_fragments"))) {
    const tensor = asTensor(value) ?? fail(`the part of "${name}" is no tensor`);
    fragments.set(name, tensor);
  }
  const shared = new Map<string, string>();
  for (const [name, other] of named(states?.get("shared_params")))
    if (typeof other === "string") shared.set(name, other);
  return {
    module: named(states?.get("module")),
    groups: groups.map((group) => shapesIn(group, fail)),
    frozen: shapesIn(states?.get("frozen_param_shapes"), fail),
    fragments,
    shared,
  };
}

/** Reads optimizer states. Throws kind `malformed` where they have no flat tensors, `unsupported` where groups have ranks of their own. */
export function parseZeroPartition(root: PickleValue, site: ErrorSite): ZeroPartition {
  const fail = failing(site);
  const outer = isKind(root, "dict") ? root.get("optimizer_state_dict") : undefined;
  const states = isKind(outer, "dict") ? outer : fail("the file has no states of an optimizer");
  const whole = states.get("fp32_flat_groups");
  const flat = whole ?? states.get("single_partition_of_fp32_groups");
  if (!isKind(flat, "list")) return fail("the states of the optimizer have no weights in flat form");
  return {
    cuts: whole === undefined ? "groups" : "weights",
    ranks: rankCount(states.get("partition_count"), site, fail),
    flat: flat.items.map((item) => {
      const tensor = asTensor(item);
      return tensor?.shape.length === 1 ? tensor : fail("a group of weights is no flat tensor");
    }),
  };
}

function rankCount(count: PickleValue | undefined, site: ErrorSite, fail: Fail): number {
  const counts: readonly PickleValue[] = isKind(count, "list") ? count.items : [count ?? null];
  const [ranks] = counts;
  if (typeof ranks !== "number" || ranks < 1)
    return fail("the states of the optimizer do not count its ranks");
  if (counts.every((other) => other === ranks)) return ranks;
  throw new ConvertError(
    "unsupported",
    "groups of weights lie on different numbers of ranks, as experts do",
    {
      ...site,
      hint: "let DeepSpeed make a universal checkpoint of it: ds_to_universal.py",
    },
  );
}

/** `None` where DeepSpeed has nothing to say. */
function named(value: PickleValue | undefined): readonly (readonly [string, PickleValue])[] {
  const entries: (readonly [string, PickleValue])[] = [];
  for (const [name, entry] of mappingEntries(value) ?? [])
    if (typeof name === "string") entries.push([name, entry]);
  return entries;
}

function shapesIn(value: PickleValue | undefined, fail: Fail): readonly ZeroShape[] {
  return named(value).map(([name, size]) => {
    const shape = sizesOf(size);
    const elements = shape && safeProduct(shape);
    if (shape === undefined || elements === undefined) return fail(`"${name}" is listed with a broken shape`);
    return { name, shape, elements };
  });
}

function failing(site: ErrorSite): Fail {
  return (message) => {
    throw new ConvertError("malformed", message, site);
  };
}
