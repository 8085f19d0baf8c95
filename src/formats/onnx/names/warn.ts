import type { NoticeCode, RunContext } from "../../../core/context.ts";
import type { Naming } from "../../../core/naming.ts";
import type { Reference } from "./reference.ts";
import type { WeightMap } from "./weight-map.ts";

/** Tells what in a restored state dict is not as it was, one notice for each kind. */
export function warnOfRestoring(
  { parameters, unnamed }: WeightMap,
  tensors: ReadonlyMap<string, unknown>,
  reference: Reference | undefined,
  { fused }: Naming,
  context: RunContext,
): void {
  const all = [...parameters.values()];
  const tell = (code: NoticeCode, names: readonly string[], what: string) => {
    const [first] = names;
    if (first === undefined) return;
    context.warn({ code, message: `${what}: ${list(names)}`, tensor: first, tensors: names });
  };
  const products = all.filter(({ how }) => how === "fused").map(({ name }) => name);
  if (fused === "equivalent")
    tell(
      "fused",
      products,
      "convolutions had taken in their norms; these and norms that do the same stand for them",
    );
  else tell("fused", products, "products of a convolution and the norm behind it, whose own values are gone");
  const folded = all.filter(({ how }) => how === "folded").map(({ name }) => name);
  tell("folded", folded, "computed from parameters that are gone when the graph was exported");
  const guessed = all.filter((parameter) => parameter.guessed).map(({ name }) => name);
  tell("guessed-name", guessed, "named by order and shape, so that names may be mixed up");
  tell(
    "unnamed",
    unnamed.map(({ name }) => name),
    "names that the graph does not tell; these tensors keep those of the file, and its layout",
  );
  const missing = (reference?.names ?? []).filter(
    (name) => !tensors.has(name) && !name.endsWith("num_batches_tracked"),
  );
  tell("not-in-graph", missing, "in the reference, but not to be had from the graph");
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 8).map((name) => `"${name}"`);
  return shown.join(", ") + (names.length > shown.length ? ` and ${names.length - shown.length} more` : "");
}
