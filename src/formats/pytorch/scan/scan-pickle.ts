import type { PickleGlobals } from "../../../containers/pickle/globals.ts";
import type { PickleRun } from "../../../containers/pickle/machine.ts";
import { type ReadPickle, readPickle } from "../../../containers/pickle/read.ts";
import { isKind, type PickleValue } from "../../../containers/pickle/values.ts";
import type { RunContext } from "../../../core/context.ts";
import { ConvertError, isConvertError } from "../../../core/errors.ts";
import { type ByteSource, readBytes } from "../../../core/source.ts";
import { arrayPayloads } from "../arrays/array-payload.ts";
import { nestedPayload } from "../legacy/nested-stream.ts";
import { createTorchGlobals } from "./nested-pickles.ts";

/** Far more than files have; each costs a read of its own. */
const maxPickles = 1000;

/** What a scan has found so far, in all parts of a file. */
export interface Scan {
  readonly context: RunContext;
  readonly globals: PickleGlobals;
  /** How many archives the part at hand lies within. */
  depth: number;
  /** Pickles that were read, in whole or in part. */
  pickles: number;
  /** Whether the file is a TorchScript archive. */
  isScript: boolean;
  /** Whether it holds code that nobody looked at. */
  isOpaque: boolean;
  /** Why something could not be read: the first reason. */
  failure: ConvertError | undefined;
}

/** An empty scan. */
export function createScan(context: RunContext): Scan {
  const scan: Scan = {
    context,
    globals: createTorchGlobals(context.limits, (error) => unread(scan, error)),
    depth: 0,
    pickles: 0,
    isScript: false,
    isOpaque: false,
    failure: undefined,
  };
  return scan;
}

/** Takes note of a part that cannot be read, and goes on; what is no failure of the file is thrown. */
export function unread(scan: Scan, error: unknown): void {
  if (!isConvertError(error) || error.kind === "cancelled") throw error;
  if (scan.failure !== undefined) return;
  scan.failure = error;
  const place = error.site.file === undefined ? "" : `${error.site.file}: `;
  scan.context.warn({ code: "unread", message: `not all of it can be read: ${place}${error.message}` });
}

/** Reads one pickle and gives its value and end; `undefined` where it breaks off, which is noted. */
export async function scanPickle(
  source: ByteSource,
  start: number,
  scan: Scan,
  onPersistent?: (id: PickleValue) => void,
): Promise<ReadPickle | undefined> {
  const { globals } = scan;
  if (++scan.pickles > maxPickles) {
    const message = `the file holds more than ${maxPickles} pickles`;
    unread(scan, new ConvertError("limit", message, { file: source.name, offset: start }));
    return undefined;
  }
  const arrays = arrayPayloads(source).payload;
  const handlers = {
    persistent(id: PickleValue) {
      onPersistent?.(id);
      return followPersistent(id, globals);
    },
    // Python may run past what we refuse, so a scan does as well.
    doubt: () => undefined,
    payload: (run: PickleRun, below: (depth: number) => PickleValue | undefined) =>
      nestedPayload(run, below(0), source, scan.context.limits) ?? arrays?.(run, below),
  };
  try {
    return await readPickle(source, start, handlers, { ...scan.context, globals });
  } catch (error) {
    unread(scan, error);
    return undefined;
  }
}

/** Two kinds of ids stand for code: the class of a module, and a call that torch.package makes. */
function followPersistent(id: PickleValue, globals: PickleGlobals): PickleValue | undefined {
  if (!isKind(id, "tuple")) return undefined;
  const [word, ...rest] = id.items;
  if (word === "module") return rest[0];
  // Tar archives have the class first and no word.
  if (isKind(word, "global")) return word;
  if (word !== "reduce_package") return undefined;
  const callable = rest.find((item) => isKind(item, "global"));
  if (callable !== undefined) globals.called(callable, rest.at(-1) ?? null, id);
  return undefined;
}

/** Reads the pickle at `start` and those right behind it: a loader may be called again and again. */
export async function scanPickles(source: ByteSource, start: number, scan: Scan): Promise<void> {
  let read = await scanPickle(source, start, scan);
  while (read !== undefined && (await startsPickle(source, read.end, scan.context))) {
    scan.context.warn({
      code: "trailing-bytes",
      message: `${source.name}: another pickle starts at byte ${read.end}`,
    });
    read = await scanPickle(source, read.end, scan);
  }
}

/** Whether a binary pickle starts at a byte: PROTO with a version that there is. */
export async function startsPickle(source: ByteSource, at: number, context: RunContext): Promise<boolean> {
  if (at + 2 > source.size) return false;
  const [code, version] = await readBytes(source, at, at + 2, context);
  return code === 0x80 && (version as number) <= 5;
}
