import type { Notice } from "../../core/context.ts";
import type { TensorDict } from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";
import type { Format } from "../../core/format.ts";
import type { LazyTensor } from "../../core/tensor.ts";
import { chooseStateDict } from "../open/choose-state-dict.ts";
import type { ModelInput } from "../open/open.ts";
import { type InspectOptions, openToLook } from "./open-to-look.ts";
import { type TensorValues, tensorValues } from "./tensor-values.ts";

/** One tensor of a file, with its values summed up. */
export interface TensorInspection {
  readonly path: string;
  readonly format: string;
  readonly tensor: TensorValues & { readonly name: string };
  readonly notices: readonly Notice[];
}

/** Reads one tensor, in bounded memory. Throws kind `usage` where there is none of that name. */
export async function inspectModelTensor(
  input: ModelInput,
  name: string,
  formats: readonly Format[],
  options: InspectOptions = {},
): Promise<TensorInspection> {
  const { model, context, notices } = await openToLook(input, formats, options);
  const dict = chooseStateDict(model.checkpoint, options.select, model.name, context).load();
  const values = await tensorValues(name, find(dict, name, model.name), context);
  return { path: model.name, format: model.format, tensor: { name, ...values }, notices };
}

/** A name that stands for a kept tensor is as good as its own. */
function find(dict: TensorDict, name: string, file: string): LazyTensor {
  const tensor = dict.tensors.get(name) ?? dict.tensors.get(dict.aliases.get(name) ?? "");
  if (tensor) return tensor;
  const wanted = name.toLowerCase();
  const similar = [...dict.tensors.keys()]
    .filter((other) => other.toLowerCase().includes(wanted))
    .slice(0, 3);
  throw new ConvertError("usage", `there is no tensor "${name}"`, {
    file,
    tensor: name,
    hint:
      similar.length > 0 && name !== ""
        ? `there is ${similar.map((other) => `"${other}"`).join(", ")}`
        : "tensorferry inspect lists the names",
  });
}
