import { isSymbolic } from "../../shapes/dimension.ts";
import { describe, isA, listOf, type Value } from "../../values/value.ts";
import { type Builtin, unfit } from "./builtin.ts";

/** A value as Python's `str` prints it; tensors by what is known of them. */
export function textOf(value: Value, isInside = false): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return isInside ? `'${value}'` : value;
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") return floatText(value);
  if (isSymbolic(value)) return value.key;
  if (isA(value, "list")) return `[${value.items.map((item) => textOf(item, true)).join(", ")}]`;
  if (isA(value, "tuple")) return `(${value.items.map((item) => textOf(item, true)).join(", ")})`;
  if (isA(value, "device")) return value.name;
  return `<${describe(value)}>`;
}

function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return Number.isInteger(value) && Math.abs(value) < 1e16 ? value.toFixed(1) : String(value);
}

/** `"{} of {}".format(a, b)`. */
function format(template: string, args: readonly Value[]): string {
  let next = 0;
  return template.replace(/\{(\d*)\}/g, (_, index: string) =>
    textOf(args[index === "" ? next++ : Number(index)] ?? null),
  );
}

function percentFormat(template: string, args: readonly Value[]): string {
  const [first] = args;
  const values = isA(first, "tuple") ? first.items : args;
  let next = 0;
  return template.replace(/%(?:\.\d+)?[sdfirg%]/g, (mark) =>
    mark === "%%" ? "%" : textOf(values[next++] ?? null),
  );
}

function ofString(
  name: string,
  run: (text: string, args: readonly Value[]) => Value,
): readonly [string, Builtin] {
  return [name, ([text, ...rest]) => (typeof text === "string" ? run(text, rest) : undefined)];
}

const asText = (value: Value | undefined): string =>
  typeof value === "string" ? value : unfit("a string method", [value ?? null]);

/** Strings: what programs do with names and messages. */
export const stringBuiltins: readonly (readonly [string, Builtin])[] = [
  ["format", ([template, ...args]) => (typeof template === "string" ? format(template, args) : undefined)],
  [
    "percentFormat",
    ([template, ...args]) => (typeof template === "string" ? percentFormat(template, args) : undefined),
  ],
  ["str", ([value]) => textOf(value as Value)],
  ofString("add", (text, [other]) => text + asText(other)),
  ofString("upper", (text) => text.toUpperCase()),
  ofString("lower", (text) => text.toLowerCase()),
  ofString("strip", (text) => text.trim()),
  ofString("startswith", (text, [prefix]) => text.startsWith(asText(prefix))),
  ofString("endswith", (text, [suffix]) => text.endsWith(asText(suffix))),
  ofString("replace", (text, [from, to]) => text.replaceAll(asText(from), asText(to))),
  ofString("find", (text, [part]) => BigInt(text.indexOf(asText(part)))),
  ofString("split", (text, [separator]) =>
    listOf(
      separator === undefined || separator === null
        ? text.split(/\s+/).filter(Boolean)
        : text.split(asText(separator)),
    ),
  ),
  ofString("join", (text, [list]) =>
    isA(list, "list") ? list.items.map(asText).join(text) : unfit("join", [list ?? null]),
  ),
  ofString("len", (text) => BigInt(text.length)),
  ["ord", ([text]) => (typeof text === "string" ? BigInt(text.codePointAt(0) ?? 0) : undefined)],
  ["chr", ([code]) => (typeof code === "bigint" ? String.fromCodePoint(Number(code)) : undefined)],
];
