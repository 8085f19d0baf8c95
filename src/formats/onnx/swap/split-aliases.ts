import type { ByteSource } from "../../../core/source.ts";
import type { OnnxGraph } from "../model.ts";
import type { WeightMap } from "../names/weight-map.ts";
import { type OnnxFiles, openTensor } from "../open-tensor.ts";
import { graphField } from "../schema.ts";
import type { Edit } from "./patch.ts";
import { newTensor } from "./rewrite-tensor.ts";
import { sameValues } from "./tied-values.ts";

/**
 * Tensors that were equal when the graph was exported are one in it, and Identity nodes give it the other names. Where the
 * new values differ, such a name gets a tensor of its own and loses its node.
 */
export async function splitAliases(
  graph: OnnxGraph,
  { index }: WeightMap,
  values: ReadonlyMap<string, ByteSource>,
  files: OnnxFiles,
): Promise<{ readonly values: ReadonlyMap<string, ByteSource>; readonly edits: readonly Edit[] }> {
  const all = new Map(values);
  const edits: Edit[] = [];
  for (const node of graph.nodes) {
    const [name = "", from = ""] = [node.outputs[0], node.inputs[0]];
    const slot = index.slots.get(name);
    if (node.opType !== "Identity" || slot === undefined || slot.tensor.name === name) continue;
    const old = await openTensor(slot.tensor.name, slot.tensor, files);
    const source = all.get(from) ?? old.payload;
    // An alias that nobody can name goes on following what it stands for.
    const wanted = all.get(name) ?? source;
    all.set(name, wanted);
    if (await sameValues(wanted, source, files.context)) continue;
    const message = slot.tensor.parts.at(-1);
    const within = message?.parent;
    if (message === undefined || within === undefined || node.message.parent === undefined) continue;
    edits.push({
      start: node.message.tagStart,
      end: node.message.end,
      within: node.message.parent,
      pieces: [],
    });
    edits.push({
      start: message.end,
      end: message.end,
      within,
      pieces: newTensor(slot.tensor, name, wanted, graphField.initializer),
    });
  }
  return { values: all, edits };
}
