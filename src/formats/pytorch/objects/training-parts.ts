import { isKind, type PickleValue } from "../../../containers/pickle/values.ts";
import { ConvertError } from "../../../core/errors.ts";
import type { LazyTensor } from "../../../core/tensor.ts";
import { mappingEntries } from "../values/python-values.ts";
import { sizesOf } from "../values/torch-values.ts";

/**
 * Refuses (kind `unsupported`) a state dict that distributed training wrote in a form of its own: flat tensors of many
 * weights, and the parts of one rank. Presented as they are, they would be wrong weights under right names.
 */
export function refuseParts(
  path: string,
  tensors: ReadonlyMap<string, LazyTensor>,
  root: PickleValue,
  file: string,
): void {
  for (const name of tensors.keys()) {
    if (!/(^|\.)_?flat_param(_\d+)?$/.test(name)) continue;
    throw new ConvertError("unsupported", `"${name}" is a flat parameter of FSDP, many weights in one`, {
      file,
      tensor: name,
      hint: "save a full state dict (StateDictType.FULL_STATE_DICT), or convert the folder of torch.distributed.checkpoint",
    });
  }
  if (/(^|\.)(single_partition_of_fp32_groups|fp32_flat_groups)$/.test(path)) {
    throw new ConvertError(
      "unsupported",
      `"${path}" is one rank's part of the weights, in DeepSpeed's flat form`,
      {
        file,
        hint: "give the path of the folder, or of the file of rank 0 in it that ends in model_states.pt",
      },
    );
  }
  refuseEmptied(tensors, root, file);
}

/** ZeRO stage 3 leaves empty tensors in the model's place, and says in `param_shapes` what they should be. */
function refuseEmptied(tensors: ReadonlyMap<string, LazyTensor>, root: PickleValue, file: string): void {
  const shapes =
    mappingEntries(root) && [...(mappingEntries(root) ?? [])].find(([key]) => key === "param_shapes");
  const groups = isKind(shapes?.[1], "list") ? shapes[1].items : [];
  for (const group of groups) {
    for (const [name, size] of mappingEntries(group) ?? []) {
      const tensor = typeof name === "string" ? tensors.get(name) : undefined;
      if (tensor?.payload.size !== 0 || (sizesOf(size) ?? [0]).includes(0)) continue;
      throw new ConvertError(
        "unsupported",
        `"${name}" is empty here: ZeRO stage 3 spreads it over the ranks`,
        {
          file,
          tensor: String(name),
          hint: "bring the files of all ranks into one folder, those that end in optim_states.pt too, and give its path",
        },
      );
    }
  }
}
