import { createByteBuilder } from "../bytes/builder.ts";
import { encodeUtf8 } from "../bytes/utf8.ts";
import type { ContextOptions, RunContext, Sha256 } from "../core/context.ts";
import type { OutputPlan, PlannedFile } from "../core/plan.ts";
import type { OutputJournal } from "../core/sink.ts";
import type { ByteSource } from "../core/source.ts";
import type { ModelInput } from "./open/open.ts";
import type { ModelOutput } from "./plan/plan-output.ts";

/** Remembers which files are opened through inputs. */
export interface InputRecord {
  /** The files of each input, by name. */
  readonly opened: readonly ReadonlyMap<string, ByteSource>[];
  /** The same input, and what is opened through it is remembered. */
  record(input: ModelInput): ModelInput;
}

/** A record of nothing. */
export function createInputRecord(): InputRecord {
  const opened: Map<string, ByteSource>[] = [];
  return {
    opened,
    record(input) {
      const files = new Map<string, ByteSource>();
      opened.push(files);
      const { folder } = input;
      return {
        ...input,
        folder: {
          ...folder,
          async open(name) {
            const source = await folder.open(name);
            if (source) files.set(name, source);
            return source;
          },
        },
      };
    },
  };
}

/** Whether an option of a context has a say in what comes out; all are listed, so that none is forgotten. */
const contextInfluence: Readonly<Record<keyof ContextOptions, boolean>> = {
  signal: false,
  limits: false,
  bufferBytes: false,
  jobs: false,
  all: true,
  naming: true,
  crc32: false,
  breathe: false,
  sameBytes: false,
  createCopier: false,
  inflate: false,
  sha256: false,
  onProgress: false,
  onNotice: false,
};

/** Options that say how to work and not what comes out. */
const withoutInfluence = new Set([
  ...Object.entries(contextInfluence).flatMap(([name, counts]) => (counts ? [] : [name])),
  ...["verify", "strict", "allow", "force", "resume", "checksums", "checkpointMs"],
]);

/** What equal conversions have in common. */
export interface Undertaking {
  readonly plan: OutputPlan;
  /** The files of each input. */
  readonly inputs: readonly ReadonlyMap<string, ByteSource>[];
  readonly options: object;
}

/** What a folder has to know to go on after an interruption; `undefined` where nobody can tell whether two conversions are equal. */
export function journalOf(
  { name = "model" }: ModelOutput,
  undertaking: Undertaking,
  resume: boolean,
  context: RunContext,
): OutputJournal | undefined {
  const fingerprint = fingerprintOf(undertaking, context);
  if (fingerprint === undefined) return undefined;
  const onRestart = () =>
    context.warn({
      code: "restarted",
      message: "what an interrupted conversion left is not of this one, which begins anew",
    });
  return { name, fingerprint, resume, onRestart };
}

/**
 * A hash of the input files as their places know them, of all that the plan says, and of the options. `undefined`
 * where a place cannot tell whether its bytes have changed, or an option is a function.
 */
function fingerprintOf({ plan, inputs, options }: Undertaking, context: RunContext): string | undefined {
  const influence = Object.entries(options).filter(
    ([name, value]) => value !== undefined && !withoutInfluence.has(name),
  );
  const sources = inputs.flatMap((files) => [...files]);
  if (context.sha256 === undefined || influence.some(([, value]) => typeof value === "function"))
    return undefined;
  if (sources.some(([, { revision }]) => revision === undefined)) return undefined;
  const hash = context.sha256();
  const add = (part: unknown) => hash.update(encodeUtf8(`${JSON.stringify(part, spelledOut)}\n`));
  for (const [name, { size, revision }] of sources) add([name, size, revision]);
  add(influence.sort(([a], [b]) => (a < b ? -1 : 1)));
  for (const file of plan.files) {
    add([file.name, file.size]);
    addPieces(file, hash);
  }
  return hash.digest();
}

/** In batches, since there may be hundreds of thousands of short ones. */
function addPieces({ pieces }: PlannedFile, hash: Sha256): void {
  const batch = createByteBuilder();
  for (const piece of pieces) {
    if (piece.kind === "bytes") batch.bytes(piece.bytes);
    else if (piece.kind === "late") batch.text(`${piece.size}\n`);
    else {
      const { size, revision } = piece.source;
      batch.text(`${JSON.stringify(piece.tensor)},${size},${revision ?? ""}\n`);
    }
    if (batch.length > batchBytes) hash.update(batch.finish());
  }
  hash.update(batch.finish());
}

const batchBytes = 256 * 1024;

/** JSON has no maps, no patterns and no infinity. */
function spelledOut(_: string, value: unknown): unknown {
  if (value instanceof Map || value instanceof Set) return [...value];
  if (value instanceof RegExp) return String(value);
  // Another input, whose files are in the record.
  if (typeof value === "object" && value !== null && "folder" in value && "name" in value) return value.name;
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}
