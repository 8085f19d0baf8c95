import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createContext } from "../../../src/core/context.ts";
import { bytesSource } from "../../../src/core/source.ts";
import type { OnnxGraph } from "../../../src/formats/onnx/model.ts";
import { createReference } from "../../../src/formats/onnx/names/reference.ts";
import { mapWeights } from "../../../src/formats/onnx/names/weight-map.ts";
import { skimModel } from "../../../src/formats/onnx/skim.ts";
import { exportCases } from "../../support/onnx-names.ts";

/** What exporters before torch 1.11 would have written: no scopes, and bare numbers for what was folded. */
function aged(graph: OnnxGraph): OnnxGraph {
  const older = (name: string) => name.replace(/^[\w.]+::\w+_(\d+)$/, "$1");
  return {
    ...graph,
    initializers: graph.initializers.map((tensor) => ({ ...tensor, name: older(tensor.name) })),
    nodes: graph.nodes.map((node, at) => ({
      ...node,
      name: `${node.opType}_${at}`,
      inputs: node.inputs.map(older),
      outputs: node.outputs.map(older),
    })),
  };
}

async function mapped(title: string, withReference: boolean) {
  const row = exportCases.find((found) => found.title === `torch-1.13 ${title}`);
  if (row === undefined) throw new Error(`no fixture ${title}`);
  const model = await skimModel(bytesSource(title, readFileSync(row.graph)), createContext());
  const shapes = new Map(row.tensors.map(({ name, shape }) => [name, { shape }]));
  const map = mapWeights(aged(model.graph), withReference ? createReference(shapes) : undefined);
  const now = mapWeights(model.graph, undefined);
  const places = (of: typeof map) =>
    [...of.parameters.values()].map(({ name, blocks }) => {
      const tensors = blocks.map(({ stored }) => of.index.slots.get(stored.tensor)?.tensor.parts[0]?.start);
      return `${name} ${tensors.join()}`;
    });
  return { found: places(map).sort(), wanted: places(now).sort() };
}

test.each(["vit", "vit-17", "convnext", "encoder", "cross-attention", "projections-unfolded", "mlp"])(
  "without scopes the biases still tell the names: %s",
  async (title) => {
    const { found, wanted } = await mapped(title, false);
    expect(found).toEqual(wanted);
  },
);

test.each(["lstm", "gru", "rnn", "two-recurrent", "language", "cnn", "mobile", "encoder", "norms"])(
  "without scopes a reference tells them: %s",
  async (title) => {
    const { found, wanted } = await mapped(title, true);
    expect(found).toEqual(wanted);
  },
);
