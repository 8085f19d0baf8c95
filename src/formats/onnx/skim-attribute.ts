import { decodeUtf8 } from "../../bytes/utf8.ts";
import { addRun, countFixed, type WireRun } from "../../containers/protobuf/repeated.ts";
import {
  float32Of,
  int64Of,
  type WireField,
  type WireMessage,
  wireType,
} from "../../containers/protobuf/wire.ts";
import type { OnnxAttribute, OnnxGraph, OnnxSparseTensor, OnnxTensor } from "./model.ts";
import { attributeField as numbers } from "./schema.ts";
import { integer, type Skim, text } from "./skim-fields.ts";
import { skimGraphBody } from "./skim-graph.ts";
import { finishTensor, skimSparse, skimTensor, type TensorDraft, tensorDraft } from "./skim-tensor.ts";

/** Values of a list of an attribute that are decoded; longer lists, of decision trees mostly, stay where they are. */
const shortList = 1024;

/** An attribute while its fields come in. */
interface Draft {
  name: string;
  type: number;
  float: number | undefined;
  int: bigint | undefined;
  text: string | undefined;
  readonly floats: number[];
  readonly ints: bigint[];
  readonly texts: string[];
  tensor: TensorDraft | undefined;
  graph: WireMessage[];
  readonly tensors: OnnxTensor[];
  readonly sparseTensors: OnnxSparseTensor[];
  readonly graphs: OnnxGraph[];
  refersTo: string;
  readonly runs: { float: WireRun[]; int: WireRun[]; floats: WireRun[]; ints: WireRun[]; intCount: number };
}

/** An `AttributeProto`; `graphPath` says where its graphs are, given the name of the attribute. */
export async function skimAttribute(
  skim: Skim,
  message: WireMessage,
  graphPath: (attribute: string, index: number) => string,
): Promise<OnnxAttribute> {
  skim.tally.add();
  const draft = emptyDraft();
  const bodies: WireMessage[] = [];
  await skim.cursor.walk(message, (field) => take(skim, field, message, draft, bodies));
  // Bodies come last: their path needs the attribute's name, which may stand behind them.
  const { graph, runs, tensor, ...rest } = draft;
  if (graph.length > 0) draft.graphs.push(await skimGraphBody(skim, graph, graphPath(draft.name, 0)));
  for (const body of bodies)
    draft.graphs.push(await skimGraphBody(skim, [body], graphPath(draft.name, draft.graphs.length)));
  if (tensor) draft.tensors.unshift(finishTensor(skim, tensor));
  return {
    ...rest,
    floats: countFixed(runs.floats, 4) > shortList ? undefined : draft.floats,
    ints: draft.ints.length > shortList ? undefined : draft.ints,
    lists: runs,
    message,
  };
}

function emptyDraft(): Draft {
  return {
    name: "",
    type: 0,
    float: undefined,
    int: undefined,
    text: undefined,
    floats: [],
    ints: [],
    texts: [],
    tensor: undefined,
    graph: [],
    tensors: [],
    sparseTensors: [],
    graphs: [],
    refersTo: "",
    runs: { float: [], int: [], floats: [], ints: [], intCount: 0 },
  };
}

function take(
  skim: Skim,
  field: WireField,
  message: WireMessage,
  draft: Draft,
  bodies: WireMessage[],
): void | Promise<void> {
  const { cursor } = skim;
  switch (field.number) {
    case numbers.name:
      return text(skim, field, (name) => {
        draft.name = name;
      });
    case numbers.type:
      draft.type = integer(skim, field);
      return;
    case numbers.refersTo:
      return text(skim, field, (name) => {
        draft.refersTo = name;
      });
    case numbers.graph:
      draft.graph.push(cursor.message(field, message));
      return;
    case numbers.graphs:
      bodies.push(cursor.message(field, message));
      return;
    case numbers.tensor:
      draft.tensor ??= tensorDraft(skim);
      return skimTensor(skim, cursor.message(field, message), draft.tensor);
    case numbers.tensors: {
      const item = tensorDraft(skim);
      return skimTensor(skim, cursor.message(field, message), item).then(() => {
        draft.tensors.push(finishTensor(skim, item));
      });
    }
    case numbers.sparseTensor:
    case numbers.sparseTensors:
      return skimSparse(skim, cursor.message(field, message)).then((sparse) => {
        draft.sparseTensors.push(sparse);
      });
    default:
      return takeNumber(skim, field, draft);
  }
}

function takeNumber(skim: Skim, field: WireField, draft: Draft): void | Promise<void> {
  const { cursor } = skim;
  switch (field.number) {
    case numbers.float:
      cursor.expect(field, wireType.fixed32);
      draft.float = float32Of(field);
      draft.runs.float = [{ start: field.start, end: field.end, tagBytes: 0 }];
      return;
    case numbers.int:
      cursor.expect(field, wireType.varint);
      draft.int = int64Of(field);
      draft.runs.int = [{ start: field.start, end: field.end, tagBytes: 0 }];
      return;
    case numbers.text:
      return keepText(skim, field, (found) => {
        draft.text = found;
      });
    case numbers.texts:
      return keepText(skim, field, (found) => {
        draft.texts.push(found);
      });
    case numbers.floats:
      return takeFloats(skim, field, draft);
    case numbers.ints:
      return takeInts(skim, field, draft);
  }
}

/** Strings of attributes are bytes: what is no text is passed over, and so is what is long. */
function keepText(skim: Skim, field: WireField, use: (text: string) => void): void | Promise<void> {
  skim.tally.add();
  skim.tally.addText(field.end - field.start);
  return skim.cursor.bytes(field, (bytes) => {
    const found = decodeUtf8(bytes);
    if (found !== undefined) use(found);
  });
}

function takeFloats(skim: Skim, field: WireField, { floats, runs }: Draft): void | Promise<void> {
  addRun(runs.floats, field);
  if (floats.length > shortList) return;
  // A long list is not worth reading: it is told by its bytes.
  if (field.end - field.start > shortList * 4) return;
  if (field.type !== wireType.bytes) {
    skim.cursor.expect(field, wireType.fixed32);
    floats.push(float32Of(field));
    return;
  }
  return skim.cursor.bytes(field, (bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at + 4 <= bytes.length && floats.length <= shortList; at += 4)
      floats.push(view.getFloat32(at, true));
  });
}

function takeInts(skim: Skim, field: WireField, { ints, runs }: Draft): void | Promise<void> {
  addRun(runs.ints, field);
  const add = (value: WireField): void => {
    runs.intCount++;
    if (ints.length <= shortList) ints.push(int64Of(value));
  };
  if (field.type === wireType.bytes) return skim.cursor.varints(field, add);
  skim.cursor.expect(field, wireType.varint);
  add(field);
}
