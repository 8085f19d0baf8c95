import { createContext } from "../../core/context.ts";
import type { Format } from "../../core/format.ts";
import type { Naming } from "../../core/naming.ts";
import { chooseStateDict } from "./choose-state-dict.ts";
import type { ModelInput } from "./open.ts";
import { openModel } from "./open-model.ts";

/** How a caller wants tensors to be called whose file has names and layouts of its own. */
export interface NamingOptions extends Omit<Naming, "reference"> {
  /** A checkpoint of the same network, of any format, whose names and shapes guide the naming; its values are not read. */
  readonly reference?: ModelInput | undefined;
}

/** Opens the reference for its names and shapes. What there is to notice about it is of no interest. */
export async function resolveNaming(
  { reference, ...naming }: NamingOptions,
  formats: readonly Format[],
  signal: AbortSignal | undefined,
): Promise<Naming> {
  if (reference === undefined) return naming;
  const context = createContext({ signal });
  const { checkpoint, name } = await openModel(reference, { formats }, context);
  const { tensors } = chooseStateDict(checkpoint, undefined, name, context).load();
  const shapes = new Map([...tensors].map(([key, { dtype, shape }]) => [key, { dtype, shape }]));
  return { ...naming, reference: shapes };
}
