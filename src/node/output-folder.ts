import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statfsSync,
  statSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { ConvertError } from "../core/errors.ts";
import type { OutputFolder, OutputRequest } from "../core/sink.ts";
import { formatBytes } from "../core/words.ts";
import { type Checkpoints, createCheckpoints } from "./checkpoints.ts";
import { createFileSink, partName } from "./file-sink.ts";
import {
  createJournal,
  type Journal,
  type JournalState,
  journalPath,
  leaveJournal,
  readJournal,
} from "./journal.ts";
import { systemError } from "./system-errors.ts";

/** How often a long run makes sure that what it wrote stays, where nothing else is said. */
const defaultCheckpointMs = 3000;

/**
 * A folder on disk, made when it is needed. With `replace`, files of an earlier output give way once the new ones are there. A run that was
 * killed leaves part files and a journal; the next one to the same output goes on from them or clears them away.
 */
export function outputFolder(
  path: string,
  replace: boolean,
  checkpointMs: number = defaultCheckpointMs,
): OutputFolder {
  let made: string | undefined;
  let stale: readonly string[] = [];
  let amended: ReadonlySet<string> = new Set();
  let left: Leftover | undefined;
  let journal: Journal | undefined;
  let journalFile = "";
  let checkpoints: Checkpoints | undefined;
  return {
    inOrder: false,
    pathOf: (name) => join(path, name),
    async prepare(request) {
      journalFile = journalPath(path, request.journal?.name ?? request.files[0]?.name ?? "");
      try {
        left = takeLeftover(path, journalFile, request);
        amended = new Set(request.files.filter(({ amends }) => amends).map(({ name }) => name));
        stale = refuseTaken(path, request, replace, left);
        if (left === undefined) clearLeftover(path, journalFile);
        made = mkdirSync(path, { recursive: true });
        checkSpace(path, request);
        journal = createJournal(journalFile, request.journal?.fingerprint ?? "");
        // All names from the start, so that whoever comes after a crash knows what to clear away.
        const known = Object.fromEntries(
          request.files.map(({ name }) => [name, left?.state.files[name] ?? 0]),
        );
        journal.save({ committing: left?.state.committing ?? false, files: known });
        checkpoints = createCheckpoints(journal, known, checkpointMs);
      } catch (error) {
        if (made !== undefined) removeEmpty(path, made);
        throw systemError("output", path, error);
      }
    },
    async create(name, size) {
      const start = Math.min(left?.state.files[name] ?? 0, sizeOf(join(path, partName(name))) ?? 0);
      const isShown = left?.shown.has(name) ?? false;
      const sink = await createFileSink({
        ...{ folder: path, name, size, isShown },
        replace: replace || amended.has(name),
        start: isShown ? size : start,
        reached: (position) => checkpoints?.reached(name, position),
        finishing: async (sync) => checkpoints?.finishing(name, size, sync),
        committing: () => checkpoints?.committing(),
      });
      checkpoints?.add(name, start, sink);
      return sink;
    },
    async readExisting(name, maxBytes) {
      const file = join(path, name);
      const stats = statSync(file, { throwIfNoEntry: false });
      return stats?.isFile() && stats.size <= maxBytes ? readFileSync(file) : undefined;
    },
    async settle() {
      for (const name of stale) rmSync(join(path, name), { force: true });
      journal?.remove();
    },
    async abandon() {
      journal?.remove();
      if (made !== undefined) removeEmpty(path, made);
    },
    async suspend() {
      await checkpoints?.leave();
      leaveJournal(journalFile);
    },
  };
}

/** What an equal run has left. */
interface Leftover {
  readonly state: JournalState;
  /** Files that it has already given their names. */
  readonly shown: ReadonlySet<string>;
}

/** What can be gone on from; a leftover of another conversion cannot. Throws kind `output` while its run is alive. */
function takeLeftover(path: string, file: string, { files, journal }: OutputRequest): Leftover | undefined {
  const state = readJournal(file);
  if (state === undefined || !journal?.resume) return undefined;
  if (state.fingerprint === "" || state.fingerprint !== journal.fingerprint) {
    journal.onRestart();
    return undefined;
  }
  const isShown = ({ name, size }: { name: string; size: number }) =>
    state.committing &&
    isOnlyShown(join(path, name), join(path, partName(name))) &&
    sizeOf(join(path, name)) === size;
  return { state, shown: new Set(files.filter(isShown).map(({ name }) => name)) };
}

/** Whether a file has got its name, and is not another that was there before. A run may die while it has both names. */
function isOnlyShown(file: string, part: string): boolean {
  const stats = statSync(part, { throwIfNoEntry: false });
  if (stats === undefined) return true;
  if (stats.ino !== statSync(file, { throwIfNoEntry: false })?.ino) return false;
  rmSync(part);
  return true;
}

/** Removes the part files that a dead run has left, and its journal. */
function clearLeftover(path: string, file: string): void {
  for (const name of Object.keys(readJournal(file)?.files ?? {})) {
    // The journal is a file that anybody may have written: names in it stay within the folder.
    if (!/[/\\]/.test(name)) rmSync(join(path, partName(name)), { force: true });
  }
  rmSync(file, { force: true });
}

function sizeOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.size;
}

/** Names that are there already and are not among the new ones, but belong to the same model. Throws kind `output` without `replace`. */
function refuseTaken(
  path: string,
  { files, isStale }: OutputRequest,
  replace: boolean,
  left: Leftover | undefined,
): readonly string[] {
  const present = existsSync(path) ? readdirSync(path) : [];
  const names = new Set(files.map((file) => file.name));
  const taken = present.filter((name) => names.has(name) && !left?.shown.has(name));
  const stale = present.filter((name) => !names.has(name) && isStale(name));
  for (const name of taken) {
    if (statSync(join(path, name)).isDirectory())
      throw new ConvertError("output", "it is a folder", { file: join(path, name) });
  }
  const amended = new Set(files.filter(({ amends }) => amends).map(({ name }) => name));
  const [first] = [...taken.filter((name) => !amended.has(name)), ...stale];
  if (first === undefined || replace) return stale;
  const what =
    first !== stale[0]
      ? "it is there already"
      : "it is left from an earlier output, and loaders would mix it with the new one";
  throw new ConvertError("output", what, {
    file: join(path, first),
    hint: "--force replaces it, or choose another output",
  });
}

/** What part files already take is not needed again. */
function checkSpace(path: string, { files }: OutputRequest): void {
  const { bavail, bsize } = statfsSync(path);
  const free = bavail * bsize;
  const taken = (name: string) =>
    512 * (statSync(join(path, partName(name)), { throwIfNoEntry: false })?.blocks ?? 0);
  const needed = files.reduce((sum, { name, size }) => sum + Math.max(0, size - taken(name)), 0);
  if (needed <= free) return;
  throw new ConvertError("output", `${formatBytes(needed)} are needed, but ${formatBytes(free)} are free`, {
    file: path,
    hint: "free some space, or write to another disk",
  });
}

/** Takes back folders that were made for an output that failed, from `path` up to `top`, if they are empty. */
function removeEmpty(path: string, top: string): void {
  for (let at = resolve(path); at.startsWith(resolve(top)); at = dirname(at)) {
    try {
      rmdirSync(at);
    } catch {
      return;
    }
  }
}
