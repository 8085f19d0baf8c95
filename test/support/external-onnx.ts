import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { ConvertError } from "../../src/core/errors.ts";
import { open } from "../../src/node.ts";
import { temporaryFolder } from "./files.ts";
import { encodeOnnx } from "./onnx-schema.ts";

/** What no model may read: it lies beside the folder of the model. */
export const secret: Uint8Array = new Uint8Array(16).fill(0x5e);

/** An ONNX model whose tensor of four floats lies in another file, as these entries of `external_data` say. */
export function externalModel(entries: Readonly<Record<string, string>>, name = "w"): Uint8Array {
  const external = Object.entries(entries).map(([key, value]) => ({ key, value }));
  const tensor = { name, dims: [4], data_type: 1, data_location: 1, external_data: external };
  return encodeOnnx({ ir_version: 8, graph: { name: "g", initializer: [tensor] } });
}

/** That model as a file in a folder `model/`, with the file `secret` beside the folder. */
export function externalModelFile(
  entries: Readonly<Record<string, string>>,
  name?: string,
): { readonly folder: string; readonly path: string } {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "model"));
  writeFileSync(join(folder, "secret"), secret);
  const path = join(folder, "model", "model.onnx");
  writeFileSync(path, externalModel(entries, name));
  return { folder, path };
}

/** The bytes of the tensor. */
export async function weightOf(path: string): Promise<Uint8Array> {
  const model = await open(path);
  try {
    return await model.read("w");
  } finally {
    await model.close();
  }
}

/** Why they cannot be had. */
export function refusalOf(path: string): Promise<ConvertError> {
  return weightOf(path).then(
    () => expect.fail("it was read"),
    (error: ConvertError) => error,
  );
}
