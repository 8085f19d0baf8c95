import { isGlobal, isKind, type PickleValue } from "../../../containers/pickle/values.ts";
import type { RunContext } from "../../../core/context.ts";
import type { Candidate, Checkpoint, Leftover } from "../../../core/dict.ts";
import { ConvertError } from "../../../core/errors.ts";
import { readBytes } from "../../../core/source.ts";
import { findCandidates } from "../objects/candidates.ts";
import { isPickle } from "../signatures.ts";
import { describeValue } from "../values/python-values.ts";
import { readArchivePickle, readByteOrder } from "./archive-pickle.ts";
import type { RecordFolder } from "./records.ts";

/** A pickle of a package: its name, with its folder, and its object. */
interface PackagedPickle {
  readonly name: string;
  readonly value: PickleValue;
}

/**
 * Reads the pickles of a `torch.package` archive; their storages lie in one place and may be shared. A state dict's path
 * starts with the name of its pickle. The package's Python code is not looked at.
 */
export async function readPackage(records: RecordFolder, context: RunContext): Promise<Checkpoint> {
  const { file } = records;
  const pickles = await readPickles(records, context);
  const candidates = pickles.flatMap((pickle) =>
    findCandidates(pickle.value, file, context).map((candidate) => inPickle(candidate, pickle, pickles)),
  );
  if (candidates.length > 0) return { container: "package", candidates };
  throw new ConvertError(
    "unsupported",
    "no tensors were found in the pickles of this torch.package archive",
    {
      file,
      hint: "TorchScript modules within a package are not read; save them by themselves with torch.jit.save",
    },
  );
}

async function readPickles(records: RecordFolder, context: RunContext): Promise<readonly PackagedPickle[]> {
  const order = await readByteOrder(records, context);
  const pickles: PackagedPickle[] = [];
  for (const name of records.names) {
    if (name.startsWith(".data/") || name.endsWith(".py")) continue;
    const record = records.find(name);
    // A package may hold files of any kind, and a pickle may have any name.
    if (record === undefined || !isPickle(await readBytes(record, 0, Math.min(record.size, 512), context)))
      continue;
    const { value } = await readArchivePickle(
      record,
      { records, nameOf: (key) => `.data/${key}.storage`, order, resolve },
      context,
    );
    pickles.push({ name, value });
  }
  return pickles;
}

/**
 * `('reduce_package', id, function, args)`, without the id before 1.9: an object that the function would make. Only
 * `torch.fx` graph modules are understood, whose argument is their attributes; others stay what they are.
 */
function resolve(id: PickleValue): PickleValue | undefined {
  if (!isKind(id, "tuple") || id.items[0] !== "reduce_package") return undefined;
  const callable = id.items.at(-2);
  const args = id.items.at(-1);
  const attributes = isKind(args, "tuple") ? args.items[0] : undefined;
  const isGraph = isGlobal(callable, "torch.fx.graph_module", "reduce_package_graph_module");
  return {
    kind: "call",
    how: "call",
    callable: callable ?? null,
    args: isGraph || args === undefined ? { kind: "tuple", items: [] } : args,
    kwargs: undefined,
    state: isGraph ? attributes : undefined,
    items: undefined,
    entries: undefined,
  };
}

/** A candidate by its place in the package; the package's other pickles are left over. */
function inPickle(
  candidate: Candidate,
  { name }: PackagedPickle,
  pickles: readonly PackagedPickle[],
): Candidate {
  const others = pickles.filter((pickle) => pickle.name !== name);
  const beside = others.map((pickle): Leftover => ({ name: pickle.name, what: describeValue(pickle.value) }));
  return {
    ...candidate,
    path: candidate.path === "" ? name : `${name}.${candidate.path}`,
    load() {
      const dict = candidate.load();
      const own = dict.leftovers.map(
        (leftover): Leftover => ({ ...leftover, name: `${name}.${leftover.name}` }),
      );
      return { ...dict, leftovers: [...own, ...beside] };
    },
  };
}
