import { type ByteBuilder, createByteBuilder } from "../../bytes/builder.ts";
import { putHead, putInt, putText } from "../../containers/protobuf/encode.ts";
import type { GraphBody, OperatorSet } from "../../core/graph.ts";
import { type Piece, pieceSize } from "../../core/plan.ts";
import type { LazyTensor, TensorInfo } from "../../core/tensor.ts";
import { createEncoding, dataTypeOf, type Encoding, putBody, putExactText } from "./encode-graph.ts";
import { entryField, graphField, modelField, opsetField, tensorField } from "./schema.ts";

/** All of a model that is to be written. */
export interface ModelParts {
  readonly irVersion: number;
  readonly opsets: readonly OperatorSet[];
  readonly metadata: ReadonlyMap<string, string>;
  readonly body: GraphBody;
  /** Initializers in order. */
  readonly tensors: ReadonlyMap<string, LazyTensor>;
}

/** Where the bytes of a tensor lie outside the model. */
export interface Place {
  /** Bare name of a file beside the model. */
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/** `TensorProto.DataLocation.EXTERNAL`. */
const external = 1;

/**
 * The pieces of a model file. Every length that stands before something is known from names and shapes alone; fields
 * stand in the order of their numbers, as the reference writes them. Tensors that have a place get no bytes here.
 */
export function encodeModel(model: ModelParts, places: ReadonlyMap<string, Place>, file: string): Piece[] {
  const encoding = createEncoding(file);
  const graph = createByteBuilder();
  const payloads: Payload[] = [];
  putBody(graph, model.body, encoding, () => {
    for (const [tensor, { payload, ...info }] of model.tensors) {
      const place = places.get(tensor);
      const following = place ? 0 : payload.size;
      const fill = (message: ByteBuilder) =>
        putTensorHead(message, tensor, info, place ?? following, encoding);
      encoding.messages.put(graph, graphField.initializer, fill, following);
      if (following > 0)
        payloads.push({ at: graph.length, piece: { kind: "payload", tensor, source: payload } });
    }
  });
  const payloadBytes = payloads.reduce((sum, { piece }) => sum + pieceSize(piece), 0);
  const head = createByteBuilder();
  putInt(head, modelField.irVersion, model.irVersion);
  putText(head, modelField.producerName, "tensorferry");
  putHead(head, modelField.graph, graph.length + payloadBytes);
  const headBytes = head.length;
  graph.pourInto(head);
  putTail(head, model, encoding);
  return interleave(head.finish(), payloads, headBytes);
}

/** The bytes of a tensor, which have their place in the graph before its byte `at`. */
interface Payload {
  readonly at: number;
  readonly piece: Piece;
}

function interleave(bytes: Uint8Array, payloads: readonly Payload[], graphStart: number): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const { at, piece } of payloads) {
    pieces.push({ kind: "bytes", bytes: bytes.subarray(from, graphStart + at) }, piece);
    from = graphStart + at;
  }
  pieces.push({ kind: "bytes", bytes: bytes.subarray(from) });
  return pieces;
}

/** What stands behind the graph. */
function putTail(into: ByteBuilder, { opsets, metadata }: ModelParts, encoding: Encoding): void {
  for (const { domain, version } of opsets) {
    encoding.messages.put(into, modelField.opsetImport, (opset) => {
      // The checker wants the field, empty as it may be.
      putExactText(opset, opsetField.domain, domain, encoding.file);
      putInt(opset, opsetField.version, version);
    });
  }
  for (const [key, value] of metadata) putEntry(into, modelField.metadata, key, value, encoding);
}

/** A TensorProto with the place of its bytes, or up to so many of them: they come last in it. */
function putTensorHead(
  into: ByteBuilder,
  name: string,
  { dtype, shape }: TensorInfo,
  home: Place | number,
  encoding: Encoding,
): void {
  for (const extent of shape) putInt(into, tensorField.dims, extent);
  putInt(into, tensorField.dataType, dataTypeOf(dtype, name, encoding.file));
  putExactText(into, tensorField.name, name, encoding.file);
  if (typeof home === "number") {
    // An empty field too where there are no elements, as torch has it.
    putHead(into, tensorField.rawData, home);
    return;
  }
  const entries = { location: home.location, offset: String(home.offset), length: String(home.length) };
  for (const [key, value] of Object.entries(entries))
    putEntry(into, tensorField.externalData, key, value, encoding);
  putInt(into, tensorField.dataLocation, external);
}

/** Appends a StringStringEntryProto as a field. */
export function putEntry(
  into: ByteBuilder,
  field: number,
  key: string,
  value: string,
  encoding: Encoding,
): void {
  encoding.messages.put(into, field, (entry) => {
    putExactText(entry, entryField.key, key, encoding.file);
    putExactText(entry, entryField.value, value, encoding.file);
  });
}
