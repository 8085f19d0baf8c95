import { open } from "../../src/node.ts";
import type { PlainTensor } from "./run-graph.ts";

/** What torch was given and gave. */
export interface ScriptCase {
  readonly inputs: readonly PlainTensor[];
  readonly outputs: readonly PlainTensor[];
  /** Whether torch refuses it. */
  readonly raises: boolean;
}

/** The cases of a file with tensors `CASE/in/0`, `CASE/out/0` … */
export async function casesOf(path: string): Promise<ReadonlyMap<string, ScriptCase>> {
  const model = await open(path);
  const cases = new Map<string, { inputs: PlainTensor[]; outputs: PlainTensor[]; raises: boolean }>();
  for (const [tensorPath, { dtype, shape }] of model.dict.tensors) {
    const [name, side] = tensorPath.split("/") as [string, "in" | "out"];
    const raises = model.dict.metadata.get(name) === "raises";
    const own = cases.get(name) ?? { inputs: [], outputs: [], raises };
    cases.set(name, own);
    (side === "in" ? own.inputs : own.outputs).push({ dtype, shape, bytes: await model.read(tensorPath) });
  }
  await model.close();
  return cases;
}
