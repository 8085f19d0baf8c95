import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isJsonObject, type JsonValue, parseJson } from "../../src/containers/json/parse.ts";
import { outcomeOf } from "../support/outcome.ts";

const encoder = new TextEncoder();

function parse(text: string): JsonValue {
  return parseJson(encoder.encode(text), "sample", 0);
}

/** Both parsers' values in one form: objects as lists of pairs, so that order counts and no name is special. */
function ours(value: JsonValue): unknown {
  if (isJsonObject(value)) return { pairs: [...value].map(([key, item]) => [key, ours(item)]) };
  if (Array.isArray(value)) return value.map(ours);
  if (typeof value === "object" && value !== null && "text" in value) return Number(value.text);
  return value;
}

function theirs(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(theirs);
  if (typeof value !== "object" || value === null) return value;
  return { pairs: Object.entries(value).map(([key, item]) => [key, theirs(item)]) };
}

/** Keys that the engine would reorder or treat as its own are what a header of a hostile file is made of. */
const hostileKey = fc.constantFrom("__proto__", "constructor", "10", "2", "", "a\0b", "\u2028", "é");
const { value: jsonValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(null, true, false, 0, -0, 1e300, 2 ** 53 - 1),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.maxSafeInteger(),
    fc.string(),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.oneof(hostileKey, fc.string()), tie("value"), { maxKeys: 5 }),
  ),
}));

describe("the JSON parser", () => {
  test("reads what JSON.stringify writes, in its order", () => {
    fc.assert(
      fc.property(jsonValue, fc.nat(3), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        expect(ours(parse(text))).toEqual(theirs(JSON.parse(text)));
      }),
      { numRuns: 500 },
    );
  });

  test("keeps the order of keys, whatever they look like", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.oneof(hostileKey, fc.nat(50).map(String), fc.string())), (keys) => {
        const text = `{${keys.map((key) => `${JSON.stringify(key)}:1`).join(",")}}`;
        expect([...(parse(text) as ReadonlyMap<string, JsonValue>).keys()]).toEqual(keys);
      }),
    );
  });

  test("refuses a key that occurs twice, however it is written", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), jsonValue, (key, value) => {
        const escaped = [...Array(key.length).keys()]
          .map((at) => `\\u${key.charCodeAt(at).toString(16).padStart(4, "0")}`)
          .join("");
        const text = `{${JSON.stringify(key)}:1,"other":${JSON.stringify(value)},"${escaped}":2}`;
        expect(() => parse(text)).toThrow("occurs twice");
      }),
    );
  });

  test("keeps integers that a double cannot hold as they are written", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }), (integer) => {
        const value = parse(String(integer));
        const safe = Number.isSafeInteger(Number(integer));
        expect(value).toEqual(safe ? Number(integer) : { text: String(integer) });
      }),
    );
  });

  test("accepts damaged text only where JSON.parse does, with the same value", async () => {
    const edit = fc.record({
      at: fc.nat(),
      remove: fc.nat(2),
      insert: fc.string({
        unit: fc.constantFrom(...'{}[]",:\\/u0123456789.eE+-truefalsn \n\t\0é\ud83d'),
        maxLength: 3,
      }),
    });
    await fc.assert(
      fc.asyncProperty(jsonValue, fc.array(edit, { minLength: 1, maxLength: 3 }), async (value, edits) => {
        let text = JSON.stringify(value);
        for (const { at, remove, insert } of edits) {
          const from = at % (text.length + 1);
          text = text.slice(0, from) + insert + text.slice(from + remove);
        }
        const { value: found, error } = await outcomeOf(() => parse(text.toWellFormed()));
        if (error) expect(error.kind).toBe("malformed");
        else
          expect(inKeyOrder(ours(found as JsonValue))).toEqual(
            inKeyOrder(theirs(JSON.parse(text.toWellFormed()))),
          );
      }),
      { numRuns: 2000 },
    );
  });

  test("ends any bytes with a value or with words", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (bytes) => {
        const { error } = await outcomeOf(() => parseJson(bytes, "sample", 8));
        if (error) expect(error.site.offset).toBeGreaterThanOrEqual(8);
      }),
      { numRuns: 2000 },
    );
  });
});

/** The engine puts keys that look like numbers first, which is why we have a parser of our own; here order is left out. */
function inKeyOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inKeyOrder);
  if (typeof value !== "object" || value === null || !("pairs" in value)) return value;
  const pairs = (value.pairs as [string, unknown][]).map(([key, inner]) => [key, inKeyOrder(inner)] as const);
  return { pairs: pairs.sort(([a], [b]) => (a < b ? -1 : 1)) };
}
