import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Copier, CopyRequest } from "../core/copier.ts";
import { ConvertError } from "../core/errors.ts";
import type { CopyAnswer } from "./copy-worker.ts";
import { systemError } from "./system-errors.ts";

/** Beside this module once it is built, and beside the program that it is bundled into. */
const builtWorker = new URL("./copy-worker.js", import.meta.url);

/** A request that waits for its answer. */
interface Errand {
  readonly request: CopyRequest;
  resolve(crc32: number | undefined): void;
  reject(error: unknown): void;
}

/**
 * Threads that copy from file to file, up to `jobs` and one for each processor. Requests wait until the first has started: to
 * begin without it would take memory that is not needed afterwards. Where none can start, every request is handed back.
 */
export function createCopier(jobs: number, script: URL = builtWorker): Copier {
  const waiting: Errand[] = [];
  const idle: Worker[] = [];
  const busy = new Map<Worker, Errand>();
  let living = 0;
  const all = Array.from({ length: Math.min(jobs, availableParallelism()) }, start);

  function start(): Worker {
    // The memory of a thread that only copies.
    const resourceLimits = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 };
    const worker = new Worker(script, { resourceLimits, execArgv: [] });
    worker.once("online", () => next(worker));
    worker.on("message", (answer: CopyAnswer) => {
      const errand = busy.get(worker);
      busy.delete(worker);
      if (errand) settle(errand, answer);
      next(worker);
    });
    worker.on("error", () => lose(worker));
    living++;
    return worker;
  }

  function next(worker: Worker): void {
    const errand = waiting.shift();
    if (errand === undefined) {
      worker.unref();
      idle.push(worker);
      return;
    }
    busy.set(worker, errand);
    // Whoever waits for the copy may have nothing else that keeps the process alive.
    worker.ref();
    worker.postMessage(errand.request);
  }

  /** What a thread that has died was at is begun anew by whoever asked: the same bytes at the same place. */
  function lose(worker: Worker): void {
    const errand = busy.get(worker);
    busy.delete(worker);
    if (idle.includes(worker)) idle.splice(idle.indexOf(worker), 1);
    errand?.resolve(undefined);
    if (--living === 0) for (const other of waiting.splice(0)) other.resolve(undefined);
  }

  return {
    copy: (request) =>
      new Promise((resolve, reject) => {
        if (living === 0) {
          resolve(undefined);
          return;
        }
        waiting.push({ request, resolve, reject });
        const worker = idle.shift();
        if (worker) next(worker);
      }),
    close() {
      for (const worker of all) void worker.terminate();
    },
  };
}

function settle({ request, resolve, reject }: Errand, answer: CopyAnswer): void {
  if (answer.kind === "done") {
    resolve(answer.crc32);
    return;
  }
  const { from, to } = request;
  if (answer.kind === "short") {
    reject(
      new ConvertError("io", "the file became shorter while it was read", {
        file: from.file,
        offset: answer.position,
      }),
    );
    return;
  }
  const cause = Object.assign(new Error(answer.message), { code: answer.code });
  reject(
    answer.side === "from" ? systemError("io", from.file, cause) : systemError("output", to.file, cause),
  );
}
