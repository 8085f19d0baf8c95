import type { OutputFolder } from "./sink.ts";

/** A folder whose files vanish: for running a plan only to see that everything in it can be read and is sound. */
export const nowhere: OutputFolder = {
  inOrder: false,
  pathOf: (name) => name,
  prepare: async () => undefined,
  create: async (name) => ({
    name,
    writeAt: async () => undefined,
    finish: async () => undefined,
    commit: async () => undefined,
    discard: async () => undefined,
  }),
  settle: async () => undefined,
  abandon: async () => undefined,
};
