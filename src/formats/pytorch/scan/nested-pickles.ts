import { createPickleGlobals, type PickleGlobals } from "../../../containers/pickle/globals.ts";
import { createPickleMachine } from "../../../containers/pickle/machine.ts";
import { isGlobal, isKind, type PickleGlobal, type PickleValue } from "../../../containers/pickle/values.ts";
import { ConvertError, isConvertError } from "../../../core/errors.ts";
import type { Limits } from "../../../core/limits.ts";
import { isLegacy } from "../signatures.ts";
import { bytesOf } from "../values/python-values.ts";
import { asStreamBytes } from "../values/torch-values.ts";

/** How deep pickles may lie within the bytes of pickles. Tensors in plain pickles need one level. */
const maxDepth = 16;

/** Functions that unpickle bytes, in whatever module: `pickle.loads`, `torch.storage._load_from_bytes`, `joblib.load`. */
const loaders = /^_?(loads?|load_from_bytes|read_pickle)$/;

/**
 * A list of globals that looks into pickles within pickles too: bytes handed to a function that would unpickle them are read
 * when the call is. `onUnread` is told why, where they cannot be.
 */
export function createTorchGlobals(
  limits: Limits,
  onUnread: (error: ConvertError) => void = () => undefined,
): PickleGlobals {
  let depth = 0;
  const seen = new Set<PickleValue>();
  const globals = createPickleGlobals(observe);

  function observe(callable: PickleGlobal, args: PickleValue): void {
    if (!loaders.test(callable.name)) return;
    const [argument] = isKind(args, "tuple") ? args.items : [];
    if (argument !== undefined && seen.has(argument)) return;
    if (argument !== undefined) seen.add(argument);
    const bytes = bytesOf(argument) ?? asStreamBytes(argument)?.head;
    const isStorage = isGlobal(callable, "torch.storage", "_load_from_bytes");
    // torch gives it a legacy stream and nothing else; what it would make of other bytes is not followed.
    if (isStorage && (bytes === undefined || !isLegacy(bytes))) globals.tampered(callable);
    else if (bytes !== undefined) readNested(bytes, `${callable.module}.${callable.name}`);
  }

  function readNested(bytes: Uint8Array, name: string): void {
    if (depth >= maxDepth) {
      onUnread(new ConvertError("limit", `pickles lie within pickles more than ${maxDepth} deep`));
      return;
    }
    depth++;
    try {
      readAll(bytes, name);
    } catch (error) {
      if (!isConvertError(error)) throw error;
      onUnread(error);
    } finally {
      depth--;
    }
  }

  /** A legacy stream is five pickles and raw bytes; anything else is one pickle, perhaps with more behind it. */
  function readAll(bytes: Uint8Array, name: string): void {
    const legacy = isLegacy(bytes);
    let at = 0;
    for (let count = 0; legacy ? count < 5 : count === 0 || bytes[at] === 0x80; count++) {
      const machine = createPickleMachine(name, { doubt: () => undefined }, limits, globals);
      at += machine.run(bytes.subarray(at), at);
      if (machine.result === undefined) {
        throw new ConvertError("malformed", "a pickle within the pickle is cut short", { file: name });
      }
    }
  }

  return globals;
}
