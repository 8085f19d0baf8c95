import {
  computedName,
  type PickleGlobals,
  type PickleGlobalUse,
} from "../../../containers/pickle/globals.ts";
import type { GlobalUse, Verdict } from "../../../core/verdict.ts";
import { isDangerous } from "./dangerous-globals.ts";
import { isHarmless } from "./harmless-globals.ts";

/** Where pickles were found, which decides what some names mean. */
export interface PickleHome {
  /** Whether it is a TorchScript archive, whose `__torch__` classes are its own and nothing that Python imports. */
  readonly isScript: boolean;
}

/** Every name of the list with its verdict, in order of appearance. */
export function judge(globals: PickleGlobals, home: PickleHome): readonly GlobalUse[] {
  return globals.uses().map((use) => {
    const { module, name } = use.global;
    return { module, name, verdict: verdictOf(use, home), calls: use.calls };
  });
}

function verdictOf({ global, calls, resolved, tampered }: PickleGlobalUse, home: PickleHome): Verdict {
  const { module, name } = global;
  if (tampered || module === computedName || name === computedName) return "dangerous";
  // `getattr(Class, "NAME")` is how members of enums and nested classes are pickled; the attribute is judged by itself.
  if (name === "getattr" && calls > 0 && calls === resolved) return "unknown";
  if (isHarmless(module, name)) return "clean";
  if (isDangerous(module, name)) return "dangerous";
  return home.isScript && /^__torch__(\.|$)/.test(module) ? "clean" : "unknown";
}
