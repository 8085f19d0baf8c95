import { open } from "../../src/node.ts";
import type { PlainTensor } from "./run-graph.ts";

/** All tensors of a file, by name. */
export async function tensorsOf(path: string): Promise<ReadonlyMap<string, PlainTensor>> {
  const model = await open(path);
  const tensors = new Map<string, PlainTensor>();
  for (const [name, { dtype, shape }] of model.dict.tensors)
    tensors.set(name, { dtype, shape, bytes: await model.read(name) });
  await model.close();
  return tensors;
}
