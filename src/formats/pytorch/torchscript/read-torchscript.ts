import { isKind, type PickleGlobal, type PickleValue } from "../../../containers/pickle/values.ts";
import type { RunContext } from "../../../core/context.ts";
import {
  type Candidate,
  type Checkpoint,
  type Leftover,
  type TensorDict,
  tensorDict,
} from "../../../core/dict.ts";
import { ConvertError } from "../../../core/errors.ts";
import { withScript } from "../../../core/script-archive.ts";
import { readArchivePickle, readByteOrder } from "../archive/archive-pickle.ts";
import type { RecordFolder } from "../archive/records.ts";
import { candidateOf } from "../objects/named-candidate.ts";
import type { NamedValue } from "../objects/named-value.ts";
import { isTensorLike } from "../objects/reachable.ts";
import { describeValue } from "../values/python-values.ts";
import { createCodeReader } from "./code-reader.ts";
import { readScriptVersion, scriptArchive } from "./script-archive.ts";
import { scriptCall } from "./script-calls.ts";
import { type ScriptClass, scanClasses } from "./script-classes.ts";
import { type ClassLookup, isScriptClass, type ScriptState, scriptState } from "./script-state.ts";

/**
 * Reads the weights of a TorchScript archive (torch 1.3 and later, mobile ones too): the state dict of its module, and
 * the constants of its code, which is where a frozen model has its weights. The code is not run; it is handed on for a compiler.
 */
export async function readTorchScript(records: RecordFolder, context: RunContext): Promise<Checkpoint> {
  const { file } = records;
  const pickle = records.find("data.pkl");
  const constantsPickle = records.find("constants.pkl");
  if (pickle === undefined || constantsPickle === undefined) {
    throw new ConvertError("malformed", "the TorchScript archive has no data.pkl", {
      file,
      hint: "it is damaged, or a part of another archive; save it again",
    });
  }
  const order = await readByteOrder(records, context);
  const object = await readArchivePickle(
    pickle,
    { records, nameOf: (key) => `data/${key}`, order, call: scriptCall },
    context,
  );
  const constants = await readArchivePickle(
    constantsPickle,
    { records, nameOf: (key) => `constants/${key}`, order, call: scriptCall },
    context,
  );
  const classOf = await readClasses(object.globals.values(), records, context);
  const state = scriptState(object.value, classOf, file, context);
  const found = candidatesOf(state, constants.value, file, context);
  const hasCode = records.names.some((name) => name.startsWith("code/"));
  // A program can be compiled without any tensor; what takes nothing but tensors refuses it then.
  if (found.length === 0 && !hasCode) throw emptiness(state, file);
  const version = await readScriptVersion(records, context);
  const archive = {
    ...scriptArchive(records, version, object.value, constants.value, context),
    absence: found.length === 0 ? emptiness(state, file) : undefined,
  };
  const candidates = (found.length === 0 ? [withoutTensors] : found).map((candidate): Candidate => {
    const load = (): TensorDict => withScript(candidate.load(), archive);
    return { ...candidate, load };
  });
  return { container: "torchscript", candidates };
}

const withoutTensors: Candidate = {
  path: "",
  auxiliary: false,
  tensorCount: 0,
  bytes: 0,
  load: () => tensorDict(new Map()),
};

/** What a scripted module and the constants of its code offer. Throws kind `unsupported` where that is no tensor. */
export function scriptCheckpoint(
  container: string,
  object: PickleValue,
  constants: PickleValue,
  classOf: ClassLookup,
  file: string,
  context: RunContext,
): Checkpoint {
  const state = scriptState(object, classOf, file, context);
  const candidates = candidatesOf(state, constants, file, context);
  if (candidates.length === 0) throw emptiness(state, file);
  return { container, candidates };
}

/** The classes that a pickle names, as the archive's code has them. */
async function readClasses(
  globals: Iterable<PickleGlobal>,
  records: RecordFolder,
  context: RunContext,
): Promise<ClassLookup> {
  const files = new Map<string, ReadonlyMap<string, ScriptClass>>();
  const readCode = createCodeReader(records, context);
  for (const global of globals) {
    if (!isScriptClass(global) || files.has(global.module)) continue;
    const text = await readCode(`code/${global.module.replaceAll(".", "/")}.py`);
    if (text !== undefined) files.set(global.module, scanClasses(text));
  }
  return ({ module, name }) => files.get(module)?.get(name);
}

/** The state dict, and the constants: the weights of a model without state, and beside the point for all others. */
function candidatesOf(
  state: ScriptState,
  constants: PickleValue,
  file: string,
  context: RunContext,
): readonly Candidate[] {
  const items = isKind(constants, "tuple") ? constants.items : [];
  const named = items.map((value, index): NamedValue => [`constants.${index}`, value]);
  const tensors = named.filter(([, value]) => isTensorLike(value));
  const beside: Leftover[] =
    tensors.length > 0 ? [{ name: "constants", what: describeValue(constants) }] : [];
  const model = candidateOf(
    { path: "", auxiliary: false, entries: state.entries, leftovers: [...state.leftovers, ...beside] },
    file,
    context,
  );
  const frozen = candidateOf(
    { path: "constants", auxiliary: model !== undefined, entries: tensors, leftovers: state.leftovers },
    file,
    context,
  );
  return [model, frozen && withNotice(frozen, context)].filter((candidate) => candidate !== undefined);
}

/** Freezing takes the names away with the parameters. */
function withNotice(candidate: Candidate, context: RunContext): Candidate {
  return {
    ...candidate,
    load() {
      context.warn({
        code: "selected",
        message:
          "these are constants of the code: a frozen model has no parameters, and their names are lost",
      });
      return candidate.load();
    },
  };
}

/** Why there are no candidates. */
function emptiness({ leftovers }: ScriptState, file: string): ConvertError {
  const [first] = leftovers;
  if (first === undefined) {
    return new ConvertError("unsupported", "the TorchScript archive holds no tensors", {
      file,
      hint: "it is a function, or a module without parameters",
    });
  }
  return new ConvertError(
    "unsupported",
    `the TorchScript module has no parameters or buffers, but "${first.name}" (${first.what})`,
    { file, hint: "convert the model that it was made from, before it was quantized" },
  );
}
