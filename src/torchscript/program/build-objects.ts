import { isKind, type PickleCall, type PickleValue } from "../../containers/pickle/values.ts";
import { ConvertError } from "../../core/errors.ts";
import type { ScriptArchive } from "../../core/script-archive.ts";
import { dictKey } from "../values/keys.ts";
import { type Tensor, tensorOf } from "../values/tensor.ts";
import { type DictValue, listOf, type ObjectValue, type Value } from "../values/value.ts";
import { packedOf } from "./packed.ts";
import type { Program } from "./program.ts";

/** The objects of an archive, with what evaluation has still to do for them. */
export interface ObjectTree {
  /** The value of a pickle; tensors in it are named by `path` and their attributes. */
  build(value: PickleValue, path: string): Value;
  /** Every tensor that was built, with its name and where it comes from. */
  readonly tensors: readonly Tensor[];
  /** Objects that have to be given their state by their own code, in order. */
  readonly pending: readonly { readonly object: ObjectValue; readonly state: Value }[];
}

/** A place among the objects, for people. */
function placeOf(path: string): string {
  return path === "" ? "the model itself" : JSON.stringify(path);
}

/** How deep values may nest. */
const maxDepth = 1000;

/**
 * Builds the values that an archive's pickles describe. A tensor is named by the first path to it, where a module's
 * own tensors come before those of its submodules, as in a state dict.
 */
export function createObjectTree(archive: ScriptArchive<PickleValue>, program: Program): ObjectTree {
  const built = new Map<PickleValue, Value>();
  const tensors: Tensor[] = [];
  const pending: { object: ObjectValue; state: Value }[] = [];
  const fail = (message: string): never => {
    throw new ConvertError("unsupported", message, { file: archive.file });
  };

  function build(value: PickleValue, path: string, depth: number): Value {
    if (value === null || typeof value === "boolean" || typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "bigint") return BigInt(value);
    const known = built.get(value);
    if (known !== undefined) return known;
    if (depth > maxDepth) return fail("the objects of the archive nest without end");
    return buildRecord(value, path, depth + 1);
  }

  function buildRecord(
    value: Exclude<PickleValue, null | string | number | bigint | boolean>,
    path: string,
    depth: number,
  ): Value {
    if (isKind(value, "float")) return value.value;
    if (isKind(value, "list")) {
      const list = listOf([]);
      built.set(value, list);
      for (const [index, item] of value.items.entries())
        list.items.push(build(item, `${path}.${index}`, depth));
      return list;
    }
    if (isKind(value, "tuple"))
      return {
        kind: "tuple",
        items: value.items.map((item, index) => build(item, `${path}.${index}`, depth)),
      };
    if (isKind(value, "dict")) {
      const dict: DictValue = { kind: "dict", entries: new Map() };
      built.set(value, dict);
      for (const [key, item] of value.entries()) {
        const own = build(key, path, depth);
        dict.entries.set(dictKey(own), [own, build(item, `${path}.${String(key)}`, depth)]);
      }
      return dict;
    }
    if (isKind(value, "call")) return buildCall(value, path, depth);
    return buildTensor(value, path);
  }

  function buildTensor(value: PickleValue, path: string): Value {
    const tensor = archive.openTensor(value, path);
    if (tensor === undefined)
      return fail(`${placeOf(path)} is a kind of value that programs are not read with`);
    const { dtype, shape } = tensor;
    const origin = { kind: "weight", name: path, tensor } as const;
    const made = tensorOf({ kind: "operand", dtype, shape, known: undefined, origin });
    built.set(value, made);
    tensors.push(made);
    return made;
  }

  function buildCall(value: PickleCall, path: string, depth: number): Value {
    const { callable, args } = value;
    if (!isKind(callable, "global")) return fail(`${placeOf(path)} is made by something that has no name`);
    const name = `${callable.module}.${callable.name}`;
    const items = isKind(args, "tuple") ? args.items : [];
    if (name === "torch.device") return { kind: "device", name: items.map(String).join(":") };
    if (/^__torch__\.torch\.classes\.quantized\.(Linear|Conv[23]d)PackedParamsBase$/.test(name)) {
      const state = build(value.state ?? null, path, depth);
      const packed = packedOf(name.includes("Linear") ? "linear" : "convolution", state, path);
      built.set(value, packed);
      return packed;
    }
    if (!name.startsWith("__torch__."))
      return fail(`${placeOf(path)} is an object of ${name}, which is not supported`);
    const located = program.findClass(name);
    if (located === undefined)
      return fail(`${placeOf(path)} is an object of ${name}, which is not of the archive's code`);
    if (located.definition.base === "Enum") return buildEnum(name, build(items[0] ?? null, path, depth));
    return buildObject(value, name, path, depth);
  }

  function buildEnum(className: string, value: Value): Value {
    const members = program.findClass(className)?.definition.constants ?? new Map();
    for (const [name, member] of members) {
      if (member.kind === "literal" && member.value === value)
        return { kind: "enum", className, name, value };
    }
    return fail(`the enum ${className} has no such value`);
  }

  function buildObject(value: PickleCall, className: string, path: string, depth: number): ObjectValue {
    const object: ObjectValue = { kind: "object", className, path, attributes: new Map() };
    built.set(value, object);
    const { state } = value;
    if (program.findClass(className)?.definition.methods.has("__setstate__")) {
      pending.push({ object, state: build(state ?? null, path, depth) });
      return object;
    }
    const entries = isKind(state, "dict") ? [...state.entries()] : [];
    for (const [name] of entries) object.attributes.set(String(name), null);
    // Names of tensors shared with submodules are those of the outer module, as in a state dict.
    const isObject = (item: PickleValue): boolean => isKind(item, "call");
    const ordered = [
      ...entries.filter(([, item]) => !isObject(item)),
      ...entries.filter(([, item]) => isObject(item)),
    ];
    for (const [name, item] of ordered) {
      const at = path === "" ? String(name) : `${path}.${String(name)}`;
      object.attributes.set(String(name), build(item, at, depth));
    }
    return object;
  }

  return { build: (value, path) => build(value, path, 0), tensors, pending };
}
