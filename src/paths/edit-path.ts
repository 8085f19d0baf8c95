import { chmodSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type FileEdit, planEdit } from "../convert/edit-model.ts";
import { runPlan } from "../convert/run/run-plan.ts";
import { type ContextOptions, createContext, type RunContext } from "../core/context.ts";
import { ConvertError } from "../core/errors.ts";
import type { Format, MetadataChanges } from "../core/format.ts";
import { outputPlan, type Piece, plannedFile } from "../core/plan.ts";
import { section } from "../core/source.ts";
import { outputFolder } from "../node/output-folder.ts";
import { platform } from "../node/platform.ts";
import { writeInPlace } from "../node/write-in-place.ts";
import { resolveInput } from "./resolve-input.ts";
import { isRemote } from "./resolve-remote.ts";

/** What to change in a model's metadata. */
export interface EditOptions extends ContextOptions {
  readonly metadata?: ReadonlyMap<string, string> | undefined;
  /** Keys to take out; each must be there. */
  readonly removeMetadata?: readonly string[] | undefined;
  /** Decide, and write nothing. */
  readonly dryRun?: boolean | undefined;
}

/** What was done, or with a dry run would be. */
export interface EditReport {
  readonly files: readonly {
    readonly path: string;
    readonly how: FileEdit["how"]["kind"];
    /** Bytes of the file afterwards. */
    readonly bytes: number;
  }[];
  /** All of it, as it is afterwards; of shards, that of the index. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Changes the metadata of a file, or of shards with their index. No byte of a tensor changes, and every file is the old one or the new one at any time. */
export async function editPath(
  path: string,
  formats: readonly Format[],
  options: EditOptions = {},
): Promise<EditReport> {
  if (isRemote(path)) throw new ConvertError("usage", "a model far away cannot be changed", { file: path });
  const changes: MetadataChanges = {
    set: options.metadata ?? new Map(),
    remove: options.removeMetadata ?? [],
  };
  const context = createContext({ ...platform, ...options });
  const input = await resolveInput(path, options.signal);
  const folder = statSync(path).isDirectory() ? path : dirname(path);
  try {
    const edits = await planEdit(input, changes, formats, context);
    if (!options.dryRun) for (const edit of edits) await apply(join(folder, edit.name), edit, context);
    return {
      files: edits.map(({ name, source, edit, how }) => ({
        path: join(folder, name),
        how: how.kind,
        bytes: source.size - edit.before.length + edit.head.length,
      })),
      metadata: Object.fromEntries(edits.at(-1)?.edit.metadata ?? []),
    };
  } finally {
    await input.folder.close();
  }
}

/** A link stays a link: what it leads to is changed. */
async function apply(path: string, { source, edit, how }: FileEdit, context: RunContext): Promise<void> {
  const file = realpathSync(path);
  if (how.kind === "in-place") await writeInPlace(file, edit.head.slice(how.start, how.end), how.start);
  if (how.kind !== "rewrite") return;
  const { mode } = statSync(file);
  const name = basename(file);
  const rest = section(source, edit.before.length, source.size, name);
  const pieces: Piece[] = [{ kind: "bytes", bytes: edit.head }];
  if (rest.size > 0) pieces.push({ kind: "payload", tensor: name, source: rest });
  const plan = outputPlan("", [plannedFile(name, pieces, 0)]);
  await runPlan(plan, outputFolder(dirname(file), true), () => false, context);
  chmodSync(file, mode);
}
