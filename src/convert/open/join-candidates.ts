import type { Candidate, Leftover, TensorDict } from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";
import { extrasUnder, joinExtras } from "../../core/extras.ts";
import type { LazyTensor } from "../../core/tensor.ts";

/** Whether a state dict lies at a path or further down. */
export function isWithin(path: string, ancestor: string): boolean {
  return ancestor === "" || path === ancestor || path.startsWith(`${ancestor}.`);
}

/**
 * The state dicts below a path as one, under their places: a model that is saved as a dict of dicts. Those that belong to
 * training are left out, where there are others. `undefined` where there is none below.
 */
export function joinedBelow(
  candidates: readonly Candidate[],
  path: string,
  file: string,
): Candidate | undefined {
  const below = candidates.filter((candidate) => isWithin(candidate.path, path));
  const models = below.filter(({ auxiliary }) => !auxiliary);
  const joined = models.length > 0 ? models : below;
  if (joined.length === 0) return undefined;
  return {
    path,
    auxiliary: models.length === 0,
    tensorCount: joined.reduce((sum, { tensorCount }) => sum + tensorCount, 0),
    bytes: joined.reduce((sum, { bytes }) => sum + bytes, 0),
    load: () => join(joined, path, file),
  };
}

function join(candidates: readonly Candidate[], path: string, file: string): TensorDict {
  const tensors = new Map<string, LazyTensor>();
  const metadata = new Map<string, string>();
  const aliases = new Map<string, string>();
  const leftovers = new Map<string, Leftover>();
  const extras: TensorDict["extras"][] = [];
  for (const candidate of candidates) {
    const dict = candidate.load();
    const place = path === "" ? candidate.path : candidate.path.slice(path.length + 1);
    const under = (name: string): string => (place === "" ? name : `${place}.${name}`);
    for (const [name, tensor] of dict.tensors) {
      if (tensors.has(under(name))) {
        throw new ConvertError("unsupported", `two tensors below "${path}" would be named "${under(name)}"`, {
          file,
          tensor: under(name),
          hint: "select the state dicts one by one",
        });
      }
      tensors.set(under(name), tensor);
    }
    for (const [key, value] of dict.metadata) metadata.set(key, value);
    for (const [name, kept] of dict.aliases) aliases.set(under(name), under(kept));
    for (const leftover of dict.leftovers) leftovers.set(leftover.name, leftover);
    extras.push(
      extrasUnder(new Map([...dict.tensors.keys()].map((name) => [name, under(name)])), dict.extras),
    );
  }
  // What is left over of one may be, or hold, another.
  const taken = (name: string): boolean => candidates.some((candidate) => isWithin(candidate.path, name));
  const left = [...leftovers.values()].filter(({ name }) => !taken(name));
  return { tensors, metadata, aliases, leftovers: left, extras: joinExtras(extras) };
}
