import { addRun, type WireRun } from "../../containers/protobuf/repeated.ts";
import { type WireField, type WireMessage, wireType } from "../../containers/protobuf/wire.ts";
import type { OnnxHome, OnnxSparseTensor, OnnxTensor } from "./model.ts";
import { sparseField, tensorField } from "./schema.ts";
import { entry, integer, type Skim, text } from "./skim-fields.ts";

/** A tensor while its fields come in, which may be in several parts. */
export interface TensorDraft {
  name: string;
  dataType: number;
  readonly dims: number[];
  raw: { start: number; end: number } | undefined;
  readonly typed: Map<number, WireRun[]>;
  readonly external: Map<string, string>;
  location: number;
  strings: number;
  segment: boolean;
  readonly parts: WireMessage[];
}

/** A tensor of which nothing is known. */
export function tensorDraft(skim: Skim): TensorDraft {
  skim.tally.add();
  return {
    name: "",
    dataType: 0,
    dims: [],
    raw: undefined,
    typed: new Map(),
    external: new Map(),
    location: 0,
    strings: 0,
    segment: false,
    parts: [],
  };
}

/** Adds what a `TensorProto` says. Its values stay where they are. */
export function skimTensor(skim: Skim, message: WireMessage, draft: TensorDraft): Promise<void> {
  draft.parts.push(message);
  return skim.cursor.walk(message, (field) => {
    switch (field.number) {
      case tensorField.dims:
        return extents(skim, field, draft.dims);
      case tensorField.dataType:
        draft.dataType = integer(skim, field);
        return;
      case tensorField.segment:
        draft.segment = true;
        return;
      case tensorField.name:
        return text(skim, field, (name) => {
          draft.name = name;
        });
      case tensorField.rawData:
        skim.cursor.expect(field, wireType.bytes);
        draft.raw = { start: field.start, end: field.end };
        return;
      case tensorField.stringData:
        draft.strings++;
        return;
      case tensorField.floatData:
      case tensorField.int32Data:
      case tensorField.int64Data:
      case tensorField.doubleData:
      case tensorField.uint64Data:
        return addValues(skim, field, draft.typed);
      case tensorField.externalData:
        return entry(skim, field, message, draft.external);
      case tensorField.dataLocation:
        draft.location = integer(skim, field);
        return;
    }
  });
}

function addValues(skim: Skim, field: WireField, typed: Map<number, WireRun[]>): void {
  const runs = typed.get(field.number) ?? [];
  const before = runs.length;
  typed.set(field.number, runs);
  addRun(runs, field);
  if (runs.length > before) skim.tally.add();
}

/** Extents, packed or not (FORMAT.md, "Lists of numbers"); refuses negative ones. */
function extents(skim: Skim, field: WireField, into: number[]): void | Promise<void> {
  const add = (value: WireField): void => {
    const extent = integer(skim, value);
    if (extent < 0) skim.cursor.fail(`a tensor has the extent ${extent}`, value.start);
    skim.tally.add();
    into.push(extent);
  };
  return field.type === wireType.bytes ? skim.cursor.varints(field, add) : add(field);
}

/** The tensor that the parts make; refuses one that has values in more than one place. */
export function finishTensor({ cursor }: Skim, draft: TensorDraft): OnnxTensor {
  const { name, dataType, dims, parts } = draft;
  const homes = homesOf(draft);
  if (homes.length > 1) {
    const [first, second] = homes.map(({ kind }) => kind);
    cursor.fail(
      `the tensor "${name}" has values in two places: ${first} and ${second}`,
      parts[0]?.tagStart ?? 0,
    );
  }
  return { name, dataType, dims, parts, home: homes[0] ?? { kind: "none" } };
}

function homesOf(draft: TensorDraft): readonly OnnxHome[] {
  if (draft.segment) return [{ kind: "segment" }];
  const homes: OnnxHome[] = [];
  if (draft.location === externalLocation) homes.push({ kind: "external", entries: draft.external });
  if (draft.raw && draft.raw.end > draft.raw.start) homes.push({ kind: "raw", ...draft.raw });
  for (const [field, runs] of draft.typed) if (runs.length > 0) homes.push({ kind: "typed", field, runs });
  if (draft.strings > 0) homes.push({ kind: "strings", count: draft.strings });
  return homes;
}

/** `TensorProto.DataLocation.EXTERNAL`. */
const externalLocation = 1;

/** A `SparseTensorProto`. */
export async function skimSparse(skim: Skim, message: WireMessage): Promise<OnnxSparseTensor> {
  const { cursor } = skim;
  const values = tensorDraft(skim);
  const indices = tensorDraft(skim);
  const dims: number[] = [];
  await cursor.walk(message, (field) => {
    if (field.number === sparseField.values) return skimTensor(skim, cursor.message(field, message), values);
    if (field.number === sparseField.indices)
      return skimTensor(skim, cursor.message(field, message), indices);
    if (field.number === sparseField.dims) return extents(skim, field, dims);
  });
  return { values: finishTensor(skim, values), indices: finishTensor(skim, indices), dims, message };
}
