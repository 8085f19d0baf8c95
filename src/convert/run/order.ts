/** How far a row of numbered works has come that end in any order. */
export interface Order {
  /** Number of the first that has not ended, and so of those at the front that have. */
  readonly reached: number;
  /** May be said twice. */
  done(index: number): void;
  /** Resolves once all before `index` have ended; rejects once the row has failed. */
  after(index: number): Promise<void>;
  fail(error: unknown): void;
}

/** A row of which nothing has ended. */
export function createOrder(): Order {
  let reached = 0;
  let failure: { readonly error: unknown } | undefined;
  const ended = new Set<number>();
  const waiting = new Map<number, { resolve(): void; reject(error: unknown): void }>();
  return {
    get reached() {
      return reached;
    },
    done(index) {
      if (index < reached) return;
      ended.add(index);
      while (ended.delete(reached)) {
        reached++;
        waiting.get(reached)?.resolve();
        waiting.delete(reached);
      }
    },
    after(index) {
      if (failure) return Promise.reject(failure.error);
      if (index <= reached) return Promise.resolve();
      return new Promise((resolve, reject) => waiting.set(index, { resolve, reject }));
    },
    fail(error) {
      failure ??= { error };
      for (const { reject } of waiting.values()) reject(error);
      waiting.clear();
    },
  };
}
