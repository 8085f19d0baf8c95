/** What a format carries beside the tensors and that speaks of their names, so that it can follow them. */
export interface NamedExtra {
  /** The same under other names; `names` has every tensor that is left, old name to new. */
  renamed(names: ReadonlyMap<string, string>): NamedExtra;
  /** Both as one, where several inputs become one; what both say is taken from `this`. */
  joined(other: NamedExtra): NamedExtra;
}

type Extras = ReadonlyMap<string, unknown>;

/** Extras after tensors were left out or renamed. Those that cannot follow are dropped: they would tell of tensors that are gone. */
export function extrasUnder(names: ReadonlyMap<string, string>, extras: Extras): Extras {
  const followed = new Map<string, unknown>();
  for (const [id, extra] of extras) if (isNamed(extra)) followed.set(id, extra.renamed(names));
  return followed;
}

/** Extras of several inputs that become one, format by format. Those that cannot be joined are dropped. */
export function joinExtras(all: readonly Extras[]): Extras {
  const joined = new Map<string, NamedExtra>();
  for (const extras of all) {
    for (const [id, extra] of extras) {
      if (!isNamed(extra)) continue;
      const known = joined.get(id);
      joined.set(id, known ? known.joined(extra) : extra);
    }
  }
  return joined;
}

function isNamed(extra: unknown): extra is NamedExtra {
  return typeof extra === "object" && extra !== null && "renamed" in extra && "joined" in extra;
}
