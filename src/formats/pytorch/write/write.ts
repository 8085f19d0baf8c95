import { encodeUtf8 } from "../../../bytes/utf8.ts";
import { encodePickle } from "../../../containers/pickle/encode.ts";
import { layoutZip, type ZipMember } from "../../../containers/zip/layout.ts";
import type { TensorDict } from "../../../core/dict.ts";
import type { FormatWriter } from "../../../core/format.ts";
import { defaultLimits } from "../../../core/limits.ts";
import { bytesSource } from "../../../core/source.ts";
import { objectKey } from "../objects/whole-object.ts";
import { restoreObject } from "./restore-object.ts";
import { type Placement, planStorages } from "./storage-plan.ts";
import { pickleStateDict } from "./write-pickle.ts";

/**
 * Writes the zip of `torch.save`: what torch 1.13 and later load with `weights_only` and `mmap`. Tensors that share a
 * storage in the input share it in the output; of a storage, the part that tensors show is written.
 */
export const writer: FormatWriter = {
  plan(dict, site) {
    const { storages, placements } = planStorages(dict, site.file);
    const pickle = pickleOf(dict, placements, site.file);
    const members: ZipMember[] = [
      record("data.pkl", pickle),
      record("byteorder", encodeUtf8("little")),
      ...storages.map(({ key, label, source }) => ({ name: `archive/data/${key}`, label, content: source })),
      // The version that torch.save has written since 1.6; readers from 1.6 on take it.
      record("version", encodeUtf8("3\n")),
    ];
    return layoutZip(members);
  },
};

/** The checkpoint that the tensors were taken from, if its metadata came along; else a state dict of them. */
function pickleOf(dict: TensorDict, placements: ReadonlyMap<string, Placement>, file: string): Uint8Array {
  const object = dict.metadata.get(objectKey);
  if (object === undefined) {
    const { root, expand } = pickleStateDict(dict, placements);
    return encodePickle(root, undefined, expand);
  }
  const { root, replace } = restoreObject(object, placements, file, defaultLimits);
  return encodePickle(root, replace);
}

function record(name: string, bytes: Uint8Array): ZipMember {
  return { name: `archive/${name}`, label: name, content: bytesSource(name, bytes) };
}
