import { type FlatTable, openFlatBuffer } from "../../../containers/flatbuffer/table.ts";
import type { RunContext } from "../../../core/context.ts";
import type { Checkpoint } from "../../../core/dict.ts";
import { ConvertError } from "../../../core/errors.ts";
import { checkLimit } from "../../../core/limits.ts";
import { type ByteSource, section } from "../../../core/source.ts";
import type { TorchStorage } from "../values/torch-values.ts";
import { type FlatType, readFlatValues } from "./flatbuffer-values.ts";
import { scriptCheckpoint } from "./read-torchscript.ts";
import { type ScriptClass, scanClasses } from "./script-classes.ts";
import type { ClassLookup } from "./script-state.ts";

/** Fields of the root table that matter here, by their number in libtorch's schema `mobile_bytecode.fbs`. */
const fields = { state: 3, values: 4, storages: 6, types: 7, sources: 8, constants: 9 };

/**
 * Reads the weights of a TorchScript module that was saved for mobile as a flatbuffer (torch 1.12 and later, suffix
 * `.ptl`). Storages stay where they are; the bytecode is not looked at.
 */
export async function readFlatBuffer(source: ByteSource, context: RunContext): Promise<Checkpoint> {
  const file = source.name;
  const root = await openFlatBuffer(source, context);
  const types: FlatType[] = [];
  for await (const table of root.tables(fields.types))
    types.push({ name: (await table.text(0)) ?? "", attributes: await table.texts(2) });
  const storages = await readStorages(root, source);
  const values = await readFlatValues(root.tables(fields.values), { file, storages, types }, context);
  const object = values[await root.u32(fields.state)];
  if (object === undefined)
    throw new ConvertError("malformed", "the module in the flatbuffer has no state", { file });
  const constants = (await root.numbers(fields.constants)).map((index) => values[index] ?? null);
  const classOf = await readSources(root, file, context);
  return scriptCheckpoint("flatbuffer", object, { kind: "tuple", items: constants }, classOf, file, context);
}

async function readStorages(root: FlatTable, source: ByteSource): Promise<readonly TorchStorage[]> {
  const storages: TorchStorage[] = [];
  for await (const table of root.tables(fields.storages)) {
    const { start, count } = await table.vector(0, 1);
    const key = String(storages.length);
    // Tensors have their own types, so that the bytes have none.
    const data = section(source, start, start + count, `${source.name}#${key}`);
    storages.push({ type: "storage", key, dtype: undefined, source: data });
  }
  return storages;
}

/** The code of the module, which tells its parameters and buffers from other tensors; torch may leave it out. */
async function readSources(root: FlatTable, file: string, context: RunContext): Promise<ClassLookup> {
  const classes = new Map<string, ReadonlyMap<string, ScriptClass>>();
  let length = 0;
  for await (const table of root.tables(fields.sources)) {
    const text = (await table.text(1)) ?? "";
    length += text.length;
    checkLimit(context.limits, "headerBytes", length, "the size of the module's code", { file });
    classes.set((await table.text(0)) ?? "", scanClasses(text));
  }
  return ({ module, name }) => classes.get(module)?.get(name);
}
