import { joinName, type Reference, sameShape, splitName } from "./reference.ts";
import type { WeightMap } from "./weight-map.ts";

/** A convolution of the graph and the norms that it took in, by the paths of their modules. */
export interface Fusion {
  readonly convolution: string;
  /** In the order in which they follow it; empty where the reference does not tell. */
  readonly norms: readonly string[];
}

/** The paths of all convolutions that took in a norm, in graph order. */
function fusedConvolutions({ parameters }: WeightMap): readonly string[] {
  const fused = [...parameters.values()].filter(
    ({ how, name }) => how === "fused" && splitName(name).leaf === "weight",
  );
  return fused.sort((a, b) => a.order - b.order).map(({ name }) => splitName(name).path);
}

/** A norm of the reference that the graph has not: it went into a convolution, or nothing used it. */
interface LostNorm {
  readonly path: string;
  readonly channels: number;
}

/**
 * Which norms went into which convolutions. The graph does not say; the order and the names of the modules in the
 * reference do, if all norms find their place by one of them. Where they disagree or norms are left, all are left open.
 */
export function pairNorms(map: WeightMap, reference: Reference): readonly Fusion[] {
  const convolutions = fusedConvolutions(map);
  const modules = [...new Set(reference.names.map((name) => splitName(name).path))];
  const lost = lostNorms(modules, map, reference);
  const byOrder = pairAll(convolutions, map, lost, (path) => nextModule(path, modules));
  const byName = pairAll(convolutions, map, lost, (path) => namesakes(path));
  const byBoth = pairAll(convolutions, map, lost, (path) => [
    ...namesakes(path),
    ...nextModule(path, modules),
  ]);
  const found = [byOrder, byName].filter((pairs) => pairs !== undefined);
  const [only, other] = found.map((pairs) => addSeconds(pairs, modules, lost));
  if (only && other && JSON.stringify(only) !== JSON.stringify(other)) return open(convolutions);
  const chosen = only ?? (byBoth && addSeconds(byBoth, modules, lost));
  return chosen ?? open(convolutions);
}

function open(convolutions: readonly string[]): readonly Fusion[] {
  return convolutions.map((convolution) => ({ convolution, norms: [] }));
}

function lostNorms(
  modules: readonly string[],
  { parameters }: WeightMap,
  reference: Reference,
): ReadonlyMap<string, LostNorm> {
  const lost = new Map<string, LostNorm>();
  for (const path of modules) {
    const mean = reference.shapeOf(joinName(path, "running_mean"));
    const variance = reference.shapeOf(joinName(path, "running_var"));
    if (mean?.length !== 1 || !variance || !sameShape(mean, variance)) continue;
    if (parameters.has(joinName(path, "running_mean"))) continue;
    lost.set(path, { path, channels: mean[0] as number });
  }
  return lost;
}

/** One norm for each convolution, each norm once; `undefined` where one has none. */
function pairAll(
  convolutions: readonly string[],
  { parameters }: WeightMap,
  lost: ReadonlyMap<string, LostNorm>,
  candidates: (convolution: string) => readonly string[],
): readonly Fusion[] | undefined {
  const taken = new Set<string>();
  const fusions: Fusion[] = [];
  for (const convolution of convolutions) {
    const channels = parameters.get(joinName(convolution, "weight"))?.shape[0];
    const norm = candidates(convolution).find(
      (path) => lost.get(path)?.channels === channels && !taken.has(path),
    );
    if (norm === undefined) return undefined;
    taken.add(norm);
    fusions.push({ convolution, norms: [norm] });
  }
  return fusions;
}

/** A norm that is left and stands right behind a paired one went into the same convolution. `undefined` where others are left. */
function addSeconds(
  fusions: readonly Fusion[],
  modules: readonly string[],
  lost: ReadonlyMap<string, LostNorm>,
): readonly Fusion[] {
  const taken = new Set(fusions.flatMap(({ norms }) => norms));
  return fusions.map(({ convolution, norms }) => {
    const all = [...norms];
    for (;;) {
      const last = all.at(-1) as string;
      const next = nextModule(last, modules)[0] ?? "";
      if (!lost.has(next) || taken.has(next) || lost.get(next)?.channels !== lost.get(last)?.channels) break;
      taken.add(next);
      all.push(next);
    }
    return { convolution, norms: all };
  });
}

function nextModule(path: string, modules: readonly string[]): readonly string[] {
  const at = modules.indexOf(path);
  return at < 0 ? [] : modules.slice(at + 1, at + 2);
}

/** `bn1` and `norm1` for `conv1`, the next number for a number. */
function namesakes(convolution: string): readonly string[] {
  const { path, leaf } = splitName(convolution);
  if (/^\d+$/.test(leaf)) return [joinName(path, String(Number(leaf) + 1))];
  const found = ["bn", "norm", "batchnorm", "batch_norm"].map((word) =>
    leaf.replace(/conv(?:olution)?/i, word),
  );
  return found.filter((other) => other !== leaf).map((other) => joinName(path, other));
}
