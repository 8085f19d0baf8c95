import { PickleDict, type PickleValue } from "../../src/containers/pickle/values.ts";
import type { ScriptArchive } from "../../src/core/script-archive.ts";

/** What an archive made for a test holds beside its code. */
export interface ScriptParts {
  /** Attributes of the module; objects and tensors are built like everything in a pickle. */
  readonly attributes?: PickleDict | undefined;
  readonly constants?: readonly PickleValue[] | undefined;
  readonly version?: number | undefined;
  /** What the archive tells about where its code was written. */
  readonly ranges?: PickleValue | undefined;
}

/** An archive of one module, of the class `__torch__.Net`, with these source files by record name. */
export function archiveOfSources(
  sources: Readonly<Record<string, string>>,
  { attributes = new PickleDict(), constants = [], version = 3, ranges }: ScriptParts = {},
): ScriptArchive<PickleValue> {
  return {
    file: "net.pt",
    version,
    object: scriptObject("Net", attributes),
    constants: { kind: "tuple", items: [...constants] },
    sources: async () => new Map(Object.entries(sources)),
    exampleInputs: async () => undefined,
    sourceRanges: async () => ranges,
    openTensor: () => undefined,
  };
}

/** An archive of one module whose `forward` takes `x` and has this body. */
export function archiveOf(body: string, parts?: ScriptParts): ScriptArchive<PickleValue> {
  const lines = body.split("\n").map((line) => `    ${line}`);
  const source = [
    "class Net(Module):",
    "  __parameters__ = []",
    "  def forward(self: __torch__.Net, x: Tensor) -> Tensor:",
    ...lines,
    "",
  ].join("\n");
  return archiveOfSources({ "code/__torch__.py": source }, parts);
}

/** An object of a class of the archive, as its pickle describes it. */
export function scriptObject(name: string, attributes: PickleDict): PickleValue {
  return {
    kind: "call",
    how: "new",
    callable: { kind: "global", module: "__torch__", name },
    args: { kind: "tuple", items: [] },
    kwargs: undefined,
    state: attributes,
    items: undefined,
    entries: undefined,
  };
}
