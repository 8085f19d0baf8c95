import type { Notice } from "../../core/context.ts";
import type { Leftover, TensorDict } from "../../core/dict.ts";
import { type DType, elementCount } from "../../core/dtype.ts";
import type { Format } from "../../core/format.ts";
import type { GraphReport } from "../../core/graph-report.ts";
import { tiedTo } from "../../transforms/tied.ts";
import { chooseStateDict, isAmbiguous } from "../open/choose-state-dict.ts";
import type { ModelInput, Traffic } from "../open/open.ts";
import { type InspectOptions, openToLook } from "./open-to-look.ts";

/** One tensor of a report. */
export interface TensorReport {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** An earlier tensor with which it shares all its bytes. */
  readonly tiedTo?: string;
}

/** What tensors of one dtype amount to, tied ones once. */
export interface DTypeReport {
  readonly dtype: DType;
  readonly tensors: number;
  readonly parameters: number;
  readonly bytes: number;
}

/** One state dict of a checkpoint that holds several. */
export interface StateDictReport {
  readonly path: string;
  readonly tensors: number;
  readonly bytes: number;
}

/** What a file holds; no payload byte was read for it. */
export interface InspectReport {
  readonly path: string;
  readonly format: string;
  readonly container: string;
  /** The dict that `tensors` lists; `undefined` where there are several and none was selected. */
  readonly selected: string | undefined;
  readonly tensors: readonly TensorReport[];
  readonly stateDicts: readonly StateDictReport[];
  /** Elements of all tensors, tied ones once. */
  readonly parameters: number;
  /** Bytes of all tensors, tied ones once. */
  readonly bytes: number;
  /** The same by dtype, in the order in which they first appear. */
  readonly dtypes: readonly DTypeReport[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Set where the file holds a graph of operators. */
  readonly graph?: GraphReport | undefined;
  /** What lies beside the tensors. */
  readonly extras: readonly Leftover[];
  /** Set for an input that came over a network. */
  readonly traffic?: Traffic;
  readonly notices: readonly Notice[];
}

/** Reads headers and lists what is there. A checkpoint of several state dicts lists those instead of failing. */
export async function inspectModel(
  input: ModelInput,
  formats: readonly Format[],
  options: InspectOptions = {},
): Promise<InspectReport> {
  const { model, context, notices } = await openToLook(input, formats, options);
  const { candidates, container, graph } = model.checkpoint;
  const head = {
    path: model.name,
    format: model.format,
    container,
    stateDicts: candidates.map(({ path, tensorCount, bytes }) => ({ path, tensors: tensorCount, bytes })),
    notices,
    ...(input.traffic === undefined ? {} : { traffic: input.traffic }),
    ...(graph === undefined ? {} : { graph }),
  };
  // A graph may be looked at although nothing in it can be converted.
  const isBare = graph !== undefined && candidates.length === 0;
  const chosen =
    options.select === undefined && (isBare || isAmbiguous(model.checkpoint))
      ? undefined
      : chooseStateDict(model.checkpoint, options.select, model.name, context);
  if (chosen === undefined) {
    return {
      ...head,
      selected: undefined,
      tensors: [],
      parameters: 0,
      bytes: 0,
      dtypes: [],
      metadata: {},
      extras: [],
    };
  }
  const dict = chosen.load();
  const tensors = listTensors(dict);
  const dtypes = sumByDType(tensors.filter((tensor) => tensor.tiedTo === undefined));
  return {
    ...head,
    selected: chosen.path,
    tensors,
    parameters: dtypes.reduce((sum, { parameters }) => sum + parameters, 0),
    bytes: dtypes.reduce((sum, { bytes }) => sum + bytes, 0),
    dtypes,
    metadata: Object.fromEntries([...dict.metadata, ...dict.aliases]),
    extras: dict.leftovers,
  };
}

function sumByDType(tensors: readonly TensorReport[]): readonly DTypeReport[] {
  const sums = new Map<DType, DTypeReport>();
  for (const { name, dtype, shape, bytes } of tensors) {
    const sum = sums.get(dtype) ?? { dtype, tensors: 0, parameters: 0, bytes: 0 };
    sums.set(dtype, {
      dtype,
      tensors: sum.tensors + 1,
      parameters: sum.parameters + elementCount(shape, { tensor: name }),
      bytes: sum.bytes + bytes,
    });
  }
  return [...sums.values()];
}

function listTensors(dict: TensorDict): readonly TensorReport[] {
  const ties = tiedTo(dict);
  return [...dict.tensors].map(([name, { dtype, shape, payload }]) => {
    const tie = ties.get(name);
    return { name, dtype, shape, bytes: payload.size, ...(tie === undefined ? {} : { tiedTo: tie }) };
  });
}
