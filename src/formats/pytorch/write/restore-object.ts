import { createPickleMachine } from "../../../containers/pickle/machine.ts";
import { isKind, type PickleTuple, type PickleValue } from "../../../containers/pickle/values.ts";
import { ConvertError } from "../../../core/errors.ts";
import type { Limits } from "../../../core/limits.ts";
import { tensorMark, untypedMark } from "../objects/whole-object.ts";
import type { Placement } from "./storage-plan.ts";
import { createGlobals, persistentStorage } from "./write-pickle.ts";

/** An object read back from metadata, and what puts its tensors into it while it is written. */
export interface RestoredObject {
  readonly root: PickleValue;
  replace(value: PickleValue): PickleValue | undefined;
}

/** Reads the pickle of `wholeObject`; throws kind `malformed` where it is none, `unsupported` where a tensor of it is gone. */
export function restoreObject(
  base64: string,
  placements: ReadonlyMap<string, Placement>,
  file: string,
  limits: Limits,
): RestoredObject {
  const bytes = fromBase64(base64, file);
  const machine = createPickleMachine(`${file} (metadata)`, {}, limits);
  machine.run(bytes, 0);
  if (machine.result === undefined)
    throw new ConvertError("malformed", "the checkpoint in the metadata is cut short", { file });
  const globals = createGlobals();
  const restored = new Map<PickleValue, PickleValue>();
  return {
    root: machine.result.value,
    replace(value) {
      // A storage by itself, or the arguments of a call that makes a tensor.
      const mark = tensorId(isKind(value, "tuple") ? value.items[0] : value);
      if (mark === undefined) return undefined;
      const known = restored.get(value);
      if (known) return known;
      const [name, storageClass] = mark;
      const placement = placements.get(name);
      if (placement === undefined) {
        throw new ConvertError(
          "unsupported",
          `the checkpoint needs the tensor "${name}", which is not there`,
          {
            file,
            tensor: name,
            hint: "leave its tensors together, or write a state dict without --all",
          },
        );
      }
      const dtype = storageClass === untypedMark ? undefined : placement.storage.dtype;
      const storage = persistentStorage({ ...placement.storage, dtype }, globals, storageClass);
      const made = isKind(value, "tuple") ? tensorArguments(storage, placement, value) : storage;
      restored.set(value, made);
      return made;
    },
  };
}

function tensorArguments(storage: PickleValue, placement: Placement, standIn: PickleTuple): PickleValue {
  const { offset, shape, strides } = placement;
  const sizes: readonly PickleValue[] = [shape, strides].map((items) => ({ kind: "tuple", items }));
  return { kind: "tuple", items: [storage, offset, ...sizes, ...standIn.items.slice(1)] };
}

function tensorId(
  value: PickleValue | undefined,
): readonly [name: string, storageClass: string | undefined] | undefined {
  const id = isKind(value, "persistent") ? value.id : undefined;
  const [mark, name, storageClass] = isKind(id, "tuple") ? id.items : [];
  if (mark !== tensorMark || typeof name !== "string") return undefined;
  return [name, typeof storageClass === "string" ? storageClass : undefined];
}

function fromBase64(text: string, file: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch (cause) {
    throw new ConvertError("malformed", "the checkpoint in the metadata is no base64", { file, cause });
  }
}
