import { decodeUtf8 } from "../../bytes/utf8.ts";
import type { Probe } from "../../core/format.ts";
import { graphField, modelField } from "./schema.ts";

/** Fields of a model with their wire types: 0 for numbers, 2 for texts and messages. 26 is `configuration`. */
const types: ReadonlyMap<number, number> = new Map(
  [...Object.values(modelField), 26].map((number) => [
    number,
    number === modelField.irVersion || number === modelField.modelVersion ? 0 : 2,
  ]),
);

const texts: ReadonlySet<number> = new Set([
  modelField.producerName,
  modelField.producerVersion,
  modelField.domain,
  modelField.docString,
]);

/** Fields that tell more than a text does. */
const telling: ReadonlySet<number> = new Set([
  modelField.irVersion,
  modelField.graph,
  modelField.opsetImport,
]);

/** Tags of the fields of a graph; all its fields are messages and texts. 14 is `quantization_annotation`. */
const graphTags: ReadonlySet<number> = new Set(
  [...Object.values(graphField), 14].map((number) => number * 8 + 2),
);

/** Tags that a message may begin with. */
const firstTags: ReadonlyMap<number, ReadonlySet<number>> = new Map([
  [modelField.graph, graphTags],
  [modelField.opsetImport, new Set([0x0a, 0x10])],
  [modelField.metadata, new Set([0x0a, 0x12])],
]);

/**
 * Whether the first bytes are those of an ONNX model. There is no magic number: every field up to the first that leaves
 * the bytes at hand has to be one of a model and make sense, and one of them has to be more than a text.
 */
export function isOnnx({ head }: Probe): boolean {
  let tells = false;
  for (let at = 0; at < head.length; ) {
    const field = fieldAt(head, at);
    if (field === undefined) return tells;
    // Behind a field that tells, one of a later version may stand.
    if (!makesSense(field) && !(tells && !types.has(field.number))) return false;
    tells ||= telling.has(field.number);
    at = field.end;
  }
  return tells;
}

interface Field {
  readonly number: number;
  readonly type: number;
  /** The number itself, or the length of what follows. */
  readonly value: number;
  /** As much of it as is at hand; empty for a number. */
  readonly content: Uint8Array;
  readonly end: number;
}

function fieldAt(head: Uint8Array, start: number): Field | undefined {
  const tag = varint(head, start);
  if (tag === undefined) return undefined;
  const type = tag.value % 8;
  const next = type === 1 || type === 5 ? fixed(tag.end, type) : varint(head, tag.end);
  if (next === undefined) return undefined;
  const end = type === 2 ? next.end + next.value : next.end;
  const content = head.subarray(next.end, end);
  return { number: Math.floor(tag.value / 8), type, value: next.value, content, end };
}

function makesSense({ number, type, value, content }: Field): boolean {
  if (types.get(number) !== type) return false;
  if (number === modelField.irVersion) return value >= 1 && value <= 1000;
  if (texts.has(number)) return isText(content, content.length < value);
  const tags = firstTags.get(number);
  const tag = varint(content, 0);
  return tags === undefined || tag === undefined || tags.has(tag.value);
}

/** The end of what is at hand may lie within a character. */
function isText(bytes: Uint8Array, cut: boolean): boolean {
  const printable = bytes.every((byte) => byte >= 0x20 || byte === 0x0a || byte === 0x09 || byte === 0x0d);
  return printable && (cut || decodeUtf8(bytes) !== undefined);
}

/** A number of eight or four bytes, whose value does not matter. */
function fixed(start: number, type: 1 | 5): { value: number; end: number } {
  return { value: 0, end: start + (type === 1 ? 8 : 4) };
}

/** `undefined` where it is cut off, or longer than any number here. */
function varint(bytes: Uint8Array, start: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let at = start, scale = 1; at < bytes.length && at < start + 8; at++, scale *= 128) {
    const byte = bytes[at] as number;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return { value, end: at + 1 };
  }
  return undefined;
}
