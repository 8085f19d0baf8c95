import { ConvertError } from "../../core/errors.ts";
import type { Machine } from "./machine.ts";

const located = new WeakSet<Error>();

/** Adds to an error, once, which module and which line of the archive's code it comes from. */
export function locate(error: unknown, machine: Machine, file: string, at: number): unknown {
  if (!(error instanceof ConvertError) || located.has(error)) return error;
  const place = placeOf(machine, file, at);
  const found = new ConvertError(error.kind, `${error.message} (in ${place.module} at ${place.source})`, {
    ...error.site,
    cause: error,
  });
  located.add(found);
  return found;
}

/** The module at hand and the line, as messages have them. */
export function placeOf(
  machine: Machine,
  file: string,
  at: number,
): { readonly module: string; readonly source: string } {
  const path = machine.modules.at(-1) ?? "";
  return {
    module: path === "" ? "the model itself" : path,
    source: `${file}:${machine.program.lineOf(file, at)}`,
  };
}

/** Nodes from now on belong to this line. */
export function placeNodes(machine: Machine, file: string, at: number): void {
  machine.builder.place(machine.modules.at(-1) ?? "", () => `${file}:${machine.program.lineOf(file, at)}`);
}
