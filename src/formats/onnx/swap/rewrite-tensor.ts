import { createByteBuilder } from "../../../bytes/builder.ts";
import { createWireCursor } from "../../../containers/protobuf/cursor.ts";
import { headSize, putBytes, putHead, putInt, putText } from "../../../containers/protobuf/encode.ts";
import type { WireField, WireMessage } from "../../../containers/protobuf/wire.ts";
import type { RunContext } from "../../../core/context.ts";
import type { Piece } from "../../../core/plan.ts";
import type { ByteSource } from "../../../core/source.ts";
import type { OnnxTensor } from "../model.ts";
import { entryField, tensorField } from "../schema.ts";
import type { Edit } from "./patch.ts";

/** Where the values of a tensor go when its file is written. */
export type NewHome =
  | { readonly kind: "inline"; readonly payload: ByteSource }
  | {
      readonly kind: "external";
      readonly location: string;
      readonly offset: number;
      readonly length: number;
    };

const valueFields: readonly number[] = [
  tensorField.segment,
  tensorField.floatData,
  tensorField.int32Data,
  tensorField.stringData,
  tensorField.int64Data,
  tensorField.rawData,
  tensorField.doubleData,
  tensorField.uint64Data,
  tensorField.externalData,
  tensorField.dataLocation,
];

/**
 * The edits that give a tensor other values of the same type and shape. Raw bytes are replaced where they are; values of
 * any other home go, and raw bytes or the place in another file come behind the remaining fields.
 */
export async function rewriteTensor(
  source: ByteSource,
  tensor: OnnxTensor,
  home: NewHome,
  context: RunContext,
): Promise<readonly Edit[]> {
  const [message] = tensor.parts as readonly [WireMessage, ...WireMessage[]];
  if (tensor.home.kind === "raw" && home.kind === "inline") {
    const { start, end } = tensor.home;
    if (end - start === home.payload.size) {
      const within = tensor.parts.find((part) => part.start <= start && end <= part.end) ?? message;
      return [{ start, end, within, pieces: [payloadPiece(tensor.name, home.payload)] }];
    }
  }
  const edits: Edit[] = [];
  const cursor = createWireCursor(source, context);
  for (const part of tensor.parts) {
    await cursor.walk(part, (field: WireField) => {
      if (valueFields.includes(field.number))
        edits.push({ start: field.tagStart, end: field.end, within: part, pieces: [] });
    });
  }
  const last = tensor.parts.at(-1) ?? message;
  edits.push({ start: last.end, end: last.end, within: last, pieces: valuePieces(tensor.name, home) });
  return edits;
}

/** A whole initializer, as a field of its graph. */
export function newTensor(
  tensor: OnnxTensor,
  name: string,
  payload: ByteSource,
  field: number,
): readonly Piece[] {
  const body = createByteBuilder();
  for (const extent of tensor.dims) putInt(body, tensorField.dims, extent);
  putInt(body, tensorField.dataType, tensor.dataType);
  putText(body, tensorField.name, name);
  const start = body.finish();
  const length = start.length + headSize(tensorField.rawData, payload.size) + payload.size;
  const head = createByteBuilder();
  putHead(head, field, length);
  head.bytes(start);
  putHead(head, tensorField.rawData, payload.size);
  return [{ kind: "bytes", bytes: head.finish() }, payloadPiece(name, payload)];
}

function valuePieces(name: string, home: NewHome): readonly Piece[] {
  const head = createByteBuilder();
  if (home.kind === "inline") {
    putHead(head, tensorField.rawData, home.payload.size);
    return [{ kind: "bytes", bytes: head.finish() }, payloadPiece(name, home.payload)];
  }
  const entries = { location: home.location, offset: String(home.offset), length: String(home.length) };
  for (const [key, value] of Object.entries(entries)) {
    const entry = createByteBuilder();
    putText(entry, entryField.key, key);
    putText(entry, entryField.value, value);
    putBytes(head, tensorField.externalData, entry.finish());
  }
  putInt(head, tensorField.dataLocation, 1);
  return [{ kind: "bytes", bytes: head.finish() }];
}

function payloadPiece(tensor: string, source: ByteSource): Piece {
  return { kind: "payload", tensor, source };
}
