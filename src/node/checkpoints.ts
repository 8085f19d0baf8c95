import type { FileSink } from "./file-sink.ts";
import type { Journal } from "./journal.ts";

/** Brings files to the disk for good from time to time, and notes in the journal how far they are. */
export interface Checkpoints {
  add(name: string, start: number, sink: FileSink): void;
  /** Every byte of a file before a position is written. */
  reached(name: string, position: number): void;
  /** All of a file is written; its handle is about to be closed. */
  finishing(name: string, size: number, sync: () => Promise<void>): Promise<void>;
  /** All files are complete, and get their names now. */
  committing(): void;
  /** Waits for what is under way; throws what went wrong with it. */
  end(): Promise<void>;
  /** Notes how far all files are, and closes them. */
  leave(): Promise<void>;
}

/** `known` are the bytes that an earlier run has brought there. Checkpoints at least `intervalMs` apart; a run that is over sooner makes none. */
export function createCheckpoints(
  journal: Journal,
  known: Readonly<Record<string, number>>,
  intervalMs: number,
): Checkpoints {
  const durable: Record<string, number> = { ...known };
  const written = new Map<string, number>();
  const sinks = new Map<string, FileSink>();
  let last = Date.now();
  const begun = last;
  let running: Promise<void> | undefined;
  let isCommitting = false;

  async function checkpoint(): Promise<void> {
    for (const [name, position] of [...written]) {
      // What is written while this waits is not counted.
      await sinks.get(name)?.sync();
      durable[name] = Math.max(durable[name] ?? 0, position);
    }
    journal.save({ committing: false, files: durable });
  }

  return {
    add(name, start, sink) {
      sinks.set(name, sink);
      durable[name] = start;
    },
    reached(name, position) {
      written.set(name, position);
      const now = Date.now();
      if (running !== undefined || now - last < intervalMs) return;
      const mine = checkpoint().then(() => {
        last = Date.now();
        running = undefined;
      });
      running = mine;
      // A failure is told at the end, where it is waited for; `running` stays, so that no other begins.
      mine.catch(() => undefined);
    },
    async finishing(name, size, sync) {
      // One that is under way may be about to use the handle; a later one will not.
      written.delete(name);
      await running;
      if (Date.now() - begun < intervalMs) return;
      await sync();
      durable[name] = size;
      journal.save({ committing: false, files: durable });
    },
    committing() {
      if (isCommitting) return;
      isCommitting = true;
      journal.save({ committing: true, files: durable });
    },
    async end() {
      await running;
    },
    async leave() {
      await running?.catch(() => undefined);
      // On a full disk the journal may fail as well; then the last one stands, which claims less.
      if (!isCommitting) await checkpoint().catch(() => undefined);
      for (const sink of sinks.values()) await sink.leave().catch(() => undefined);
    },
  };
}
