import { type ContextOptions, createContext, type Notice, type RunContext } from "../../core/context.ts";
import type { Format } from "../../core/format.ts";
import { type NamingOptions, resolveNaming } from "../open/naming.ts";
import type { ModelInput } from "../open/open.ts";
import { type OpenedModel, openModel } from "../open/open-model.ts";
import { noteGlobals } from "../open/unsafe.ts";

/** What may be asked of a report. */
export interface InspectOptions extends Omit<ContextOptions, "naming"> {
  /** How tensors are to be called whose file has names and layouts of its own. */
  readonly naming?: NamingOptions | undefined;
  readonly from?: string | undefined;
  readonly select?: string | undefined;
}

/** A model that is opened to be looked at: what a pickle would run is told, and refuses nothing. */
export async function openToLook(
  input: ModelInput,
  formats: readonly Format[],
  options: InspectOptions,
): Promise<{
  readonly model: OpenedModel;
  readonly context: RunContext;
  readonly notices: readonly Notice[];
}> {
  const notices: Notice[] = [];
  const plain = createContext({
    ...options,
    naming: await resolveNaming(options.naming ?? {}, formats, options.signal),
    onNotice(notice) {
      notices.push(notice);
      options.onNotice?.(notice);
    },
  });
  const context = { ...plain, review: noteGlobals(plain.warn) };
  const model = await openModel(input, { formats, from: options.from }, context);
  return { model, context, notices };
}
