import { createByteBuilder } from "../../bytes/builder.ts";
import { headSize, putBytes, putHead, putInt, putText } from "../../containers/protobuf/encode.ts";
import type { GraphBody, OperatorSet } from "../../core/graph.ts";
import type { Piece } from "../../core/plan.ts";
import type { LazyTensor } from "../../core/tensor.ts";
import { dataTypeOf, encodeBody, putExactText } from "./encode-graph.ts";
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
  const { before, after } = encodeBody(model.body, file);
  const heads = [...model.tensors].map(([name, tensor]) => tensorHead(name, tensor, places.get(name), file));
  const initializerBytes = heads.reduce(
    (sum, { size }) => sum + headSize(graphField.initializer, size) + size,
    0,
  );
  const builder = createByteBuilder();
  putInt(builder, modelField.irVersion, model.irVersion);
  putText(builder, modelField.producerName, "tensorferry");
  putHead(builder, modelField.graph, before.length + initializerBytes + after.length);
  builder.bytes(before);
  const pieces: Piece[] = [];
  for (const { name, size, bytes, payload } of heads) {
    putHead(builder, graphField.initializer, size);
    builder.bytes(bytes);
    if (payload === undefined) continue;
    pieces.push(
      { kind: "bytes", bytes: builder.finish() },
      { kind: "payload", tensor: name, source: payload },
    );
  }
  builder.bytes(after);
  for (const { domain, version } of model.opsets) {
    const opset = createByteBuilder();
    // The checker wants the field, empty as it may be.
    putExactText(opset, opsetField.domain, domain, file);
    putInt(opset, opsetField.version, version);
    putBytes(builder, modelField.opsetImport, opset.finish());
  }
  for (const [key, value] of model.metadata) putBytes(builder, modelField.metadata, entry(key, value, file));
  pieces.push({ kind: "bytes", bytes: builder.finish() });
  return pieces;
}

/** A TensorProto up to the bytes of the tensor, which come last in it. */
interface TensorHead {
  readonly name: string;
  /** Of the whole TensorProto. */
  readonly size: number;
  readonly bytes: Uint8Array;
  readonly payload: LazyTensor["payload"] | undefined;
}

function tensorHead(
  name: string,
  { dtype, shape, payload }: LazyTensor,
  place: Place | undefined,
  file: string,
): TensorHead {
  const builder = createByteBuilder();
  for (const extent of shape) putInt(builder, tensorField.dims, extent);
  putInt(builder, tensorField.dataType, dataTypeOf(dtype, name, file));
  putExactText(builder, tensorField.name, name, file);
  if (place === undefined) {
    // An empty field too where there are no elements, as torch has it.
    putHead(builder, tensorField.rawData, payload.size);
    const bytes = builder.finish();
    return { name, size: bytes.length + payload.size, bytes, payload };
  }
  const entries = { location: place.location, offset: String(place.offset), length: String(place.length) };
  for (const [key, value] of Object.entries(entries))
    putBytes(builder, tensorField.externalData, entry(key, value, file));
  putInt(builder, tensorField.dataLocation, external);
  const bytes = builder.finish();
  return { name, size: bytes.length, bytes, payload: undefined };
}

function entry(key: string, value: string, file: string): Uint8Array {
  const builder = createByteBuilder();
  putExactText(builder, entryField.key, key, file);
  putExactText(builder, entryField.value, value, file);
  return builder.finish();
}
