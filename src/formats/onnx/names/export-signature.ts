import type { OnnxGraph } from "../model.ts";
import type { GraphIndex, Slot } from "./graph-index.ts";
import { joinName, splitName } from "./reference.ts";
import { quotedIn } from "./scope-path.ts";

/** Names of the state dict as the exporter with `dynamo=True` lists them; parameters first, then saved buffers. */
export function exportedNames({ metadata }: OnnxGraph): readonly string[] | undefined {
  const signature = metadata.get("pkg.torch.export.ExportedProgram.graph_signature");
  if (signature === undefined) return undefined;
  const found = signature.matchAll(/^\S+: (?:PARAMETER|BUFFER) target='([^']+)'(.*)$/gm);
  return [...found]
    .filter((match) => !match[2]?.includes("persistent=False"))
    .map((match) => match[1] as string);
}

/** The one parameter that a tensor was folded from, where the exporter notes it. */
export function foldedFrom(graph: OnnxGraph, names: ReadonlySet<string>): ReadonlyMap<string, string> {
  const origins = new Map<string, string>();
  for (const { name, metadata } of graph.valueInfo) {
    const [only, ...others] = quotedIn(metadata.get("pkg.onnxscript.optimizer.folded_from") ?? "");
    if (only !== undefined && others.length === 0 && names.has(only)) origins.set(name, only);
  }
  return origins;
}

/** A product of a layer and the norm behind it, under names that say nothing of it. */
export interface HiddenProduct {
  readonly path: string;
  readonly weight: Slot;
  readonly bias: Slot | undefined;
  readonly order: number;
}

const layers = new Set(["Conv", "ConvTranspose", "Gemm"]);

/**
 * Layers that took in a norm although their weights kept their names (FORMAT.md, "Products"). Norms that are listed and
 * not there went into the layer before them; where that is none, any layer may have one, and all are taken for products.
 */
export function hiddenProducts(index: GraphIndex, names: readonly string[]): readonly HiddenProduct[] {
  const lost = names
    .filter((name) => splitName(name).leaf === "running_mean" && !index.slots.has(name))
    .map((name) => splitName(name).path);
  if (lost.length === 0) return [];
  const candidates = layerProducts(index);
  const modules = [...new Set(names.map((name) => splitName(name).path))];
  const products = new Map(candidates.map((product) => [product.path, product]));
  const found = new Set<HiddenProduct>(candidates.filter(({ path, bias }) => bias?.name === biasOf(path)));
  let unplaced = 0;
  for (const norm of lost) {
    const before = layerBefore(norm, modules, lost);
    const product = before === undefined ? undefined : products.get(before);
    if (product) found.add(product);
    else unplaced++;
  }
  return unplaced > 0 ? candidates : candidates.filter((product) => found.has(product));
}

function biasOf(path: string): string {
  return `${joinName(path, "weight")}_bias`;
}

/** The module in front of a norm, and of other lost norms in front of that. */
function layerBefore(norm: string, modules: readonly string[], lost: readonly string[]): string | undefined {
  let at = modules.indexOf(norm) - 1;
  while (at >= 0 && lost.includes(modules[at] as string)) at--;
  return modules[at];
}

function layerProducts({ nodes, slots }: GraphIndex): readonly HiddenProduct[] {
  const products: HiddenProduct[] = [];
  for (const [order, { opType, inputs }] of nodes.entries()) {
    const weight = slots.get(inputs[1] ?? "");
    if (!layers.has(opType) || weight === undefined || weight.generated) continue;
    const { path, leaf } = splitName(weight.name);
    if (leaf === "weight") products.push({ path, weight, bias: slots.get(inputs[2] ?? ""), order });
  }
  return products;
}
