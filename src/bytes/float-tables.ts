import { decodeNarrow, encodeNarrow, floatBytes, lossOf, type NarrowFloat } from "./floats.ts";

/** What each of some codes is cast to. */
export interface CastTable {
  readonly codes: Uint8Array | Uint16Array | Uint32Array;
  /** By code, as `lossOf` counts; `undefined` where nothing can be lost. */
  readonly losses: Uint32Array | undefined;
}

const tables = new Map<string, CastTable>();

function cached(key: string, make: () => CastTable): CastTable {
  const table = tables.get(key) ?? make();
  tables.set(key, table);
  return table;
}

/** Every code of a narrow type as float32 bits. */
export function wideningTable(from: NarrowFloat): CastTable {
  return cached(`${from} F32`, () => ({
    codes: new Uint32Array(codeCount(from)).map((_, code) => decodeNarrow(from, code)),
    losses: undefined,
  }));
}

/** Every code of a narrow type as one of another. */
export function narrowTable(from: NarrowFloat, to: NarrowFloat): CastTable {
  return cached(`${from} ${to}`, () =>
    fill(
      to,
      codeCount(from),
      (code) => decodeNarrow(from, code),
      (code) =>
        // torch goes from one narrow type to bfloat16 by another way than from float32, which gives another NaN.
        to === "BF16" && code === 0xffff ? 0x7fc0 : code,
    ),
  );
}

/**
 * For float32 to a type of 8 bits: by the upper half of a number, with its last bit set if any bit of the lower half is.
 * That bit lies two places and more below the last one that stays, so it only says on which side of a tie a number is.
 */
export function upperHalfTable(to: NarrowFloat): CastTable {
  return cached(`F32 ${to}`, () =>
    fill(
      to,
      0x1_0000,
      (code) => (code << 16) >>> 0,
      (code) => code,
    ),
  );
}

function codeCount(type: NarrowFloat): number {
  return 2 ** (8 * floatBytes(type));
}

function fill(
  to: NarrowFloat,
  count: number,
  bitsOf: (index: number) => number,
  adjust: (code: number) => number,
): CastTable {
  const codes = floatBytes(to) === 1 ? new Uint8Array(count) : new Uint16Array(count);
  const losses = new Uint32Array(count);
  for (let index = 0; index < count; index++) {
    const bits = bitsOf(index);
    const code = encodeNarrow(to, bits);
    codes[index] = adjust(code);
    losses[index] = lossOf(to, bits);
  }
  return { codes, losses: losses.some((loss) => loss > 0) ? losses : undefined };
}
