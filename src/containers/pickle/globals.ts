import { isKind, type PickleGlobal, type PickleValue } from "./values.ts";

/** A global with what the pickle does to it. */
export interface PickleGlobalUse {
  readonly global: PickleGlobal;
  /** How often it is called, by REDUCE, INST, OBJ, NEWOBJ or NEWOBJ_EX; a BUILD on the global itself counts as well. */
  readonly calls: number;
  /** Calls of `getattr` on something named; the attribute is listed as a global of its own. */
  readonly resolved: number;
  /** No pickler writes what is done to it: it is changed by BUILD, or what it returns is called in turn. */
  readonly tampered: boolean;
}

/** Every name that pickles would have Python import. One list may serve all pickles of a file. */
export interface PickleGlobals {
  /** The record of a name, the same one each time; from now on it is listed. */
  name(module: string, name: string): PickleGlobal;
  /** Takes note that `callable(*args)` gives `result`. */
  called(callable: PickleValue, args: PickleValue, result: PickleValue): void;
  /** Takes note that a global is misused; anything else is passed over. */
  tampered(value: PickleValue): void;
  /** In order of appearance, keyed by module, line feed, name. */
  readonly known: ReadonlyMap<string, PickleGlobal>;
  uses(): readonly PickleGlobalUse[];
}

/** Told of every call of a global, to look at its arguments. */
export type CallObserver = (callable: PickleGlobal, args: PickleValue) => void;

type MutableUse = { -readonly [K in keyof PickleGlobalUse]: PickleGlobalUse[K] };

/** Module and name of a global whose name the pickle computes: to know it, the pickle would have to be run. */
export const computedName = "(computed)";

/** An empty list. A machine notes a call for each object it makes, so that costs one look-up and no memory. */
export function createPickleGlobals(observe?: CallObserver): PickleGlobals {
  const known = new Map<string, PickleGlobal>();
  const byModule = new Map<string, Map<string, PickleGlobal>>();
  const uses = new Map<PickleGlobal, MutableUse>();
  // What getattr gave, so that a chain of them can be followed.
  const attributes = new Map<PickleValue, PickleGlobal>();

  function name(module: string, name: string): PickleGlobal {
    // Two maps and no joined key: names may be long and come from the memo again and again.
    const names = byModule.get(module) ?? new Map<string, PickleGlobal>();
    byModule.set(module, names);
    const found = names.get(name);
    if (found) return found;
    const global: PickleGlobal = { kind: "global", module, name };
    names.set(name, global);
    known.set(`${module}\n${name}`, global);
    uses.set(global, { global, calls: 0, resolved: 0, tampered: false });
    return global;
  }

  function useOf(global: PickleGlobal): MutableUse {
    return uses.get(global) ?? (uses.get(name(global.module, global.name)) as MutableUse);
  }

  /** `getattr(object, "name")`: an attribute of something named has a name as well. */
  function resolve(use: MutableUse, args: PickleValue, result: PickleValue): void {
    const [object, attribute] = isKind(args, "tuple") ? args.items : [];
    const owner = object === undefined ? undefined : (attributes.get(object) ?? rootOf(object));
    if (owner === undefined || typeof attribute !== "string") return;
    use.resolved++;
    attributes.set(result, name(owner.module, `${owner.name}.${attribute}`));
  }

  return {
    name,
    known,
    uses: () => [...uses.values()],
    called(callable, args, result) {
      const global = isKind(callable, "global") ? callable : attributes.get(callable);
      if (global === undefined) {
        const root = rootOf(callable);
        if (root === undefined) return;
        const use = useOf(root);
        use.calls++;
        use.tampered = true;
        return;
      }
      const use = useOf(global);
      use.calls++;
      if (isGetattr(global)) resolve(use, args, result);
      observe?.(global, args);
    },
    tampered(value) {
      if (!isKind(value, "global")) return;
      const use = useOf(value);
      use.calls++;
      use.tampered = true;
    },
  };
}

/** The global that a value comes from: itself, or what was called to make it, however often over. */
function rootOf(value: PickleValue): PickleGlobal | undefined {
  let root: PickleValue = value;
  while (isKind(root, "call")) root = root.callable;
  return isKind(root, "global") ? root : undefined;
}

function isGetattr({ module, name }: PickleGlobal): boolean {
  return name === "getattr" && (module === "builtins" || module === "__builtin__");
}
