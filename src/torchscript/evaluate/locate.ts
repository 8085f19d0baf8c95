import { ConvertError } from "../../core/errors.ts";
import type { Machine } from "./machine.ts";

/** A place in the archive's code: a file, and an offset in it. */
export interface CodePlace {
  readonly file: string;
  readonly at: number;
}

const located = new WeakMap<Error, CodePlace>();

/** Where in the archive's code an error comes from, if that is known. */
export function codePlaceOf(error: Error): CodePlace | undefined {
  return located.get(error);
}

/** Adds to an error, once, which module and which line of the archive's code it comes from. */
export function locate(error: unknown, machine: Machine, file: string, at: number): unknown {
  if (!(error instanceof ConvertError) || located.has(error)) return error;
  const place = placeOf(machine, file, at);
  const found = new ConvertError(error.kind, `${error.message} (in ${place.module} at ${place.source})`, {
    ...error.site,
    cause: error,
  });
  located.set(found, { file, at });
  return found;
}

/** The module at hand and the line, as messages have them. */
export function placeOf(
  machine: Machine,
  file: string,
  at: number,
): { readonly module: string; readonly source: string; readonly code: CodePlace } {
  const path = machine.modules.at(-1) ?? "";
  return {
    module: path === "" ? "the model itself" : path,
    source: `${file}:${machine.program.lineOf(file, at)}`,
    code: { file, at },
  };
}

/** Nodes from now on belong to this line. */
export function placeNodes(machine: Machine, file: string, at: number): void {
  machine.builder.place(machine.modules.at(-1) ?? "", () => `${file}:${machine.program.lineOf(file, at)}`);
}
