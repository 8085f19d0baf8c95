import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { ConvertError } from "../core/errors.ts";

/** What a run leaves beside its part files, so that a later one knows them. */
export interface JournalState {
  readonly fingerprint: string;
  /** The process that writes, and the machine it runs on. */
  readonly pid: number;
  readonly host: string;
  /** Whether files are complete and about to get their names. */
  readonly committing: boolean;
  /** Bytes at the front of each file that are on the disk for good; a file is listed once it was created. */
  readonly files: Readonly<Record<string, number>>;
}

/** The journal of a run that is under way. */
export interface Journal {
  save(state: Pick<JournalState, "committing" | "files">): void;
  remove(): void;
}

/** Journals of this process; its own number in another journal is that of an earlier process. */
const own = new Set<string>();

/** After this long without a word, a process on another machine counts as dead. */
const silenceMs = 60_000;

/** The journal of an output in a folder: hidden, beside its files. */
export function journalPath(folder: string, name: string): string {
  return join(folder, `.${name}.tensorferry-journal`);
}

/** What an earlier run has left; `undefined` where there is nothing that can be read. Throws kind `output` while that run is alive. */
export function readJournal(path: string): JournalState | undefined {
  const state = parse(path);
  if (state === undefined || !isAlive(state, path)) return state;
  throw new ConvertError("output", `another conversion to this output is running, process ${state.pid}`, {
    file: dirname(path),
    hint: `wait for it, or remove ${basename(path)} if it is long gone`,
  });
}

function parse(path: string): JournalState | undefined {
  try {
    const state = JSON.parse(readFileSync(path, "utf8")) as JournalState;
    const isWhole =
      typeof state.fingerprint === "string" && typeof state.pid === "number" && state.files !== null;
    return isWhole && typeof state.files === "object" ? state : undefined;
  } catch {
    // None, or one that was cut short when the power went: then there is nothing to go on from.
    return undefined;
  }
}

function isAlive({ pid, host }: JournalState, path: string): boolean {
  if (host !== hostname()) return Date.now() - statSync(path).mtimeMs < silenceMs;
  if (pid === process.pid) return own.has(path);
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Begins a journal, in the place of an earlier one. */
export function createJournal(path: string, fingerprint: string): Journal {
  own.add(path);
  return {
    save({ committing, files }) {
      const state: JournalState = { fingerprint, pid: process.pid, host: hostname(), committing, files };
      // A reader sees the old state or the new one, never half of it.
      writeFileSync(`${path}.new`, JSON.stringify(state));
      renameSync(`${path}.new`, path);
    },
    remove() {
      own.delete(path);
      rmSync(`${path}.new`, { force: true });
      rmSync(path, { force: true });
    },
  };
}

/** Says that a run of this process has ended and left its journal. */
export function leaveJournal(path: string): void {
  own.delete(path);
}
