import type { Notice, RunContext } from "../../core/context.ts";
import { ConvertError } from "../../core/errors.ts";
import type { GlobalUse } from "../../core/verdict.ts";
import type { Allowance } from "./allowances.ts";

type Review = NonNullable<RunContext["review"]>;

/** Refuses (kind `unsafe`) a file that names something dangerous, or gives a notice of it where that is allowed. */
export function refuseDangerous(allowed: readonly string[], warn: (notice: Notice) => void): Review {
  return (globals, file) => {
    const dangerous = globals.filter(({ verdict }) => verdict === "dangerous");
    if (dangerous.length === 0) return;
    const message = `loading this file in Python would ${whatItDoes(dangerous)}`;
    if (!allowed.includes("unsafe-pickle" satisfies Allowance)) {
      throw new ConvertError("unsafe", message, {
        file,
        hint: `see tensorferry scan; it is never run here, and --allow unsafe-pickle takes the tensors out of it`,
      });
    }
    warn({ code: "dangerous-pickle", message: `${message}; it was not run` });
  };
}

/** Tells of what is dangerous, and of what is not known. */
export function noteGlobals(warn: (notice: Notice) => void): Review {
  return (globals, file) => {
    refuseDangerous(["unsafe-pickle"], warn)(globals, file);
    const unknown = globals.filter(({ verdict }) => verdict === "unknown");
    if (unknown.length === 0) return;
    warn({
      code: "unknown-global",
      message: `loading this file in Python needs more than torch, and would run ${listOf(unknown)}`,
    });
  };
}

/** A name handed on is as bad as one called: whoever gets it may call it, and an attribute may be called by an opcode. */
function whatItDoes(dangerous: readonly GlobalUse[]): string {
  const called = dangerous.filter(({ calls }) => calls > 0);
  return called.length > 0 ? `call ${listOf(called)}` : `import ${listOf(dangerous)}`;
}

/** The first few names, and how many more there are. */
function listOf(globals: readonly GlobalUse[], most = 3): string {
  const shown = globals.slice(0, most).map(({ module, name }) => shorten(`${module}.${name}`));
  const rest = globals.length - shown.length;
  return shown.join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

/** A name may be as long as the file. */
function shorten(name: string): string {
  return name.length <= 120 ? name : `${name.slice(0, 60)}…${name.slice(-59)}`;
}
