import { chooseStateDict } from "../convert/open/choose-state-dict.ts";
import { resolveNaming } from "../convert/open/naming.ts";
import { openModel } from "../convert/open/open-model.ts";
import { createContext } from "../core/context.ts";
import type { TensorDict } from "../core/dict.ts";
import { ConvertError } from "../core/errors.ts";
import { builtinFormats } from "../formats/index.ts";
import { platform } from "../node/platform.ts";
import type { InspectPathOptions } from "./convert-paths.ts";
import { resolveGuides } from "./resolve-guides.ts";
import { resolveInput } from "./resolve-input.ts";

/** How to open a path. */
export type OpenPathOptions = InspectPathOptions;

/** An open model: its tensors can be read until it is closed. */
export interface OpenModel {
  readonly dict: TensorDict;
  /** The elements of one tensor in new memory: contiguous, row-major, little-endian. Throws kind `usage` for an unknown name. */
  read(name: string): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Opens a file or folder and keeps it open, to look at tensors one by one. */
export async function open(path: string, options: OpenPathOptions = {}): Promise<OpenModel> {
  const input = await resolveInput(path, options.signal);
  const guides = await resolveGuides({ naming: options.naming }, options.signal);
  try {
    const naming = await resolveNaming(guides.naming, builtinFormats, options.signal);
    const context = createContext({ ...platform, ...options, naming });
    const { checkpoint, name } = await openModel(
      input,
      { formats: builtinFormats, from: options.from },
      context,
    );
    const dict = chooseStateDict(checkpoint, options.select, name, context).load();
    return {
      dict,
      async read(tensor) {
        const payload = dict.tensors.get(tensor)?.payload;
        if (payload === undefined)
          throw new ConvertError("usage", `there is no tensor "${tensor}"`, { file: path, tensor });
        const bytes = new Uint8Array(payload.size);
        await payload.readInto(bytes, 0, context);
        return bytes;
      },
      close: () => input.folder.close(),
    };
  } catch (error) {
    await input.folder.close();
    throw error;
  } finally {
    await guides.close();
  }
}
