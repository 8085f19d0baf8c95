import { readUint64 } from "../../../bytes/size.ts";
import type { PickleHandlers } from "../../../containers/pickle/machine.ts";
import { readPickle } from "../../../containers/pickle/read.ts";
import { isKind, type PickleHost, type PickleValue } from "../../../containers/pickle/values.ts";
import type { RunContext } from "../../../core/context.ts";
import type { Checkpoint } from "../../../core/dict.ts";
import { ConvertError, type ErrorSite } from "../../../core/errors.ts";
import { checkLimit } from "../../../core/limits.ts";
import { type ByteSource, readBytes, section } from "../../../core/source.ts";
import { arrayPayloads } from "../arrays/array-payload.ts";
import { checkpointOf } from "../objects/checkpoint.ts";
import { rebuildCall } from "../values/rebuild.ts";
import { createStorageTable, keyName, parseStorageId, type StorageId } from "../values/storage-table.ts";
import { asStorage, host, type TorchStorage } from "../values/torch-values.ts";
import { createDeferredSource, type DeferredSource } from "./deferred-source.ts";

/** Roots of storages by key: their bytes come after the pickle that refers to them. */
type Roots = Map<string, { readonly source: DeferredSource; readonly itemBytes: number }>;

/**
 * Reads the stream that `torch.save` wrote before 1.6: pickles of a magic number, a version, a description of the
 * machine, the object and the storage keys, and then each storage behind its element count (FORMAT.md, "Legacy stream").
 */
export async function readLegacy(source: ByteSource, context: RunContext): Promise<Checkpoint> {
  const file = source.name;
  const magic = await readPickle(source, 0, {}, context);
  const version = await readPickle(source, magic.end, {}, context);
  if (version.value !== 1001) {
    throw new ConvertError("unsupported", "the legacy stream is of another version than 1001", {
      file,
      offset: magic.end,
    });
  }
  const machine = await readPickle(source, version.end, {}, context);
  const roots: Roots = new Map();
  const object = await readPickle(source, machine.end, handlers(roots, source, context), context);
  const keys = await readPickle(source, object.end, {}, context);
  const end = await bindStorages(keys.value, keys.end, roots, source, context);
  if (end < source.size) {
    context.warn({ code: "trailing-bytes", message: `${source.size - end} bytes follow the last storage` });
  }
  return checkpointOf("legacy", object.value, file, context);
}

function handlers(roots: Roots, source: ByteSource, context: RunContext): PickleHandlers {
  const file = source.name;
  const storages = createStorageTable((id, site) => {
    const source = createDeferredSource(`${file}#${id.key}`, id.bytes, site);
    roots.set(id.key, { source, itemBytes: id.dtype?.itemBytes ?? 1 });
    return source;
  });
  const slices = new Map<string, PickleHost>();
  return {
    persistent(id, offset) {
      const site = { file, offset };
      // A module's class comes with its source text, which is of no use here.
      if (isKind(id, "tuple") && id.items[0] === "module") return id.items[1];
      const storage = parseStorageId(id, 6, site);
      const root = storages.resolve(storage, site);
      return storage.view === null ? root : sliceOf(root, storage, slices, site);
    },
    call: (callable, args, offset) => rebuildCall(callable, args, file, offset, context),
    ...(context.whole ? {} : arrayPayloads(source)),
  };
}

/** Before 0.5 a storage could be a slice of another: `(view key, offset, size)` in elements of the root. */
function sliceOf(
  root: PickleHost,
  { key, dtype, view }: StorageId,
  slices: Map<string, PickleHost>,
  site: ErrorSite,
): PickleHost {
  const [name, offset, size] = isKind(view, "tuple") ? view.items : [];
  if (name === undefined || typeof offset !== "number" || typeof size !== "number") {
    throw new ConvertError("malformed", "the pickle refers to something that is no storage", site);
  }
  const label = `${key}@${offset}+${size}`;
  const known = slices.get(label);
  if (known) return known;
  const itemBytes = dtype?.itemBytes ?? 1;
  const { source } = asStorage(root) as TorchStorage;
  const slice = section(source, offset * itemBytes, (offset + size) * itemBytes, label);
  const made = host({ type: "storage", key: label, dtype, source: slice });
  slices.set(label, made);
  return made;
}

/** Walks over the storages, in the order of the list of keys, and tells each where its bytes lie. */
async function bindStorages(
  keys: PickleValue,
  start: number,
  roots: Roots,
  source: ByteSource,
  context: RunContext,
): Promise<number> {
  const file = source.name;
  if (!isKind(keys, "list")) {
    throw new ConvertError("malformed", "the list of storages is no list", { file, offset: start });
  }
  checkLimit(context.limits, "entries", keys.items.length, "the number of storages", { file, offset: start });
  let at = start;
  for (const item of keys.items) {
    const key = keyName(item);
    const root = roots.get(key);
    if (root === undefined) {
      throw new ConvertError("malformed", `storage "${key}" is listed, but the pickle never refers to it`, {
        file,
        offset: at,
      });
    }
    const prefix = at + 8 <= source.size ? await readBytes(source, at, at + 8, context) : undefined;
    const count = prefix && readUint64(new DataView(prefix.buffer), 0);
    at += 8;
    if (prefix && count !== root.source.size / root.itemBytes) {
      throw new ConvertError(
        "malformed",
        `storage "${key}" should have ${root.source.size / root.itemBytes} elements, but says ${count ?? "more than any file holds"}`,
        { file, offset: at - 8 },
      );
    }
    if (prefix === undefined || at + root.source.size > source.size) {
      throw new ConvertError("io", `the file ends within storage "${key}"`, {
        file,
        offset: source.size,
        hint: "it is cut short; download or save it again",
      });
    }
    root.source.bind(section(source, at, at + root.source.size, `${file}#${key}`));
    at += root.source.size;
  }
  const missing = [...roots].find(([, root]) => !root.source.bound);
  if (missing)
    throw new ConvertError("malformed", `storage "${missing[0]}" is not in the list of storages`, {
      file,
      offset: start,
    });
  return at;
}
