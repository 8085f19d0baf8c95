import { PickleDict, type PickleValue } from "../../../containers/pickle/values.ts";
import type { NamedExtra } from "../../../core/extras.ts";
import { mappingEntries } from "../values/python-values.ts";

/** What a state dict carries beside its tensors; kept so that a `.pth` can be written with it. */
export interface StateDictExtras extends NamedExtra {
  /** The `_metadata` attribute that `Module.state_dict()` sets: prefix of a module to its version, `""` for the whole. */
  readonly versions: PickleValue | undefined;
}

/** Extras whose versions follow the modules that they are of when tensors are renamed. */
export function stateDictExtras(versions: PickleValue | undefined): StateDictExtras {
  return {
    versions,
    renamed(names) {
      const entries = mappingEntries(versions);
      if (entries === undefined) return this;
      const modules = moduleNames(names);
      const renamed = new PickleDict();
      for (const [prefix, version] of entries) {
        const module = typeof prefix === "string" ? modules.get(prefix) : undefined;
        if (module !== undefined) renamed.set(module, version);
        else if (prefix === "" && renamed.get("") === undefined) renamed.set("", version);
      }
      return stateDictExtras(renamed);
    },
    joined(other) {
      const joined = new PickleDict();
      for (const each of [(other as StateDictExtras).versions, versions])
        for (const [prefix, version] of mappingEntries(each) ?? []) joined.set(prefix, version);
      return stateDictExtras(joined.size === 0 ? undefined : joined);
    },
  };
}

/** Modules by their old prefix: those above a tensor, for as far up as its old and its new name agree. */
function moduleNames(names: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const modules = new Map<string, string>();
  for (const [from, to] of names) {
    let [old, current] = [from, to];
    while (lastPart(old) === lastPart(current)) {
      old = parentOf(old);
      current = parentOf(current);
      if (modules.has(old)) break;
      modules.set(old, current);
      if (old === "" || current === "") break;
    }
  }
  return modules;
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}

function parentOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf(".")));
}
