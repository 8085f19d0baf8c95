/** How a field's value is encoded (protobuf encoding guide, "Message structure"); 3 and 4 are groups, which nothing here has. */
export const wireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** One of the four encodings of a value. */
export type WireType = (typeof wireType)[keyof typeof wireType];

/** Messages within messages, at most; protobuf's own libraries stop there too. */
export const maxDepth = 100;

/**
 * A message and where it lies, in bytes from the start of the file. Following `parent` gives every length prefix that
 * counts its bytes; the outermost message is the file, has no prefix, and all its positions but `end` are 0.
 */
export interface WireMessage {
  /** First byte of the tag in front of it. */
  readonly tagStart: number;
  /** First byte of its length prefix, which ends at `start`. */
  readonly lengthStart: number;
  /** First byte of its fields. */
  readonly start: number;
  /** Past its last field. */
  readonly end: number;
  readonly parent: WireMessage | undefined;
  /** Messages around it. */
  readonly depth: number;
}

/** One field and where it lies, in bytes from the start of the file. */
export interface WireField {
  readonly number: number;
  readonly type: WireType;
  /** First byte of its tag. */
  readonly tagStart: number;
  /** Past its tag: the length prefix where `type` is bytes, the value otherwise. */
  readonly lengthStart: number;
  /** First byte of its value, without tag and length prefix. */
  readonly start: number;
  /** Past its value, where the next field begins. */
  readonly end: number;
  /** The value of a number, 64 bits in two unsigned halves; 0 where `type` is bytes. */
  readonly low: number;
  readonly high: number;
}

/** The value as a signed 64-bit integer: int64, enum, and int32 in the form that protobuf writes. */
export function int64Of({ low, high }: WireField): bigint {
  return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
}

/** The same as a number, or `undefined` where a double cannot hold it exactly. */
export function safeIntOf({ low, high }: WireField): number | undefined {
  // Two's complement: the upper half, read as signed, carries the sign of the whole.
  const value = (high | 0) * 0x1_0000_0000 + low;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** The value of a fixed32 field as a float; a signalling NaN may come back as a quiet one. */
export function float32Of({ low }: WireField): number {
  scratch.setUint32(0, low);
  return scratch.getFloat32(0);
}

const scratch = new DataView(new ArrayBuffer(4));
