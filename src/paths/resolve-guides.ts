import type { NamingOptions } from "../convert/open/naming.ts";
import type { ModelInput } from "../convert/open/open.ts";
import { resolveInput } from "./resolve-input.ts";

/** How tensors are to be called, with the reference as a path. */
export interface NamingPathOptions extends Omit<NamingOptions, "reference"> {
  /** Path of a checkpoint of the same network, of any format, whose names and shapes guide the naming. */
  readonly reference?: string | undefined;
}

/** Inputs that guide a conversion, as paths. */
export interface GuidePaths {
  readonly naming?: NamingPathOptions | undefined;
  readonly template?: string | undefined;
}

/** The same, open until they are closed. */
export interface Guides {
  readonly naming: NamingOptions;
  readonly template: ModelInput | undefined;
  close(): Promise<void>;
}

/** Finds the files that guide a conversion. */
export async function resolveGuides(paths: GuidePaths, signal?: AbortSignal): Promise<Guides> {
  const opened: ModelInput[] = [];
  async function resolve(path: string | undefined): Promise<ModelInput | undefined> {
    if (path === undefined) return undefined;
    const input = await resolveInput(path, signal);
    opened.push(input);
    return input;
  }
  const close = async () => {
    for (const { folder } of opened) await folder.close();
  };
  try {
    const reference = await resolve(paths.naming?.reference);
    const template = await resolve(paths.template);
    return { naming: { ...paths.naming, reference }, template, close };
  } catch (error) {
    await close();
    throw error;
  }
}
