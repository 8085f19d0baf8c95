import { ConvertError } from "../../../core/errors.ts";
import { isSymbolic } from "../../shapes/dimension.ts";
import { describe, isA, listOf, type Value } from "../../values/value.ts";
import type { Machine } from "../machine.ts";
import { type Builtin, unfit } from "./builtin.ts";

/** A value as Python's `str` prints it; tensors by what is known of them. */
export function textOf(machine: Machine, value: Value, isInside = false): string {
  machine.step();
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return isInside ? `'${value}'` : value;
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") return floatText(value);
  if (isSymbolic(value)) return value.key;
  if (isA(value, "list")) return `[${itemTexts(machine, value.items)}]`;
  if (isA(value, "tuple")) return `(${itemTexts(machine, value.items)})`;
  if (isA(value, "device")) return value.name;
  return `<${describe(value)}>`;
}

function itemTexts(machine: Machine, items: readonly Value[]): string {
  return joined(
    machine,
    items.map((item) => textOf(machine, item, true)),
    ", ",
  );
}

/** Puts texts together, once it is clear that the program may hold the result. */
function joined(machine: Machine, texts: readonly string[], separator: string): string {
  machine.hold(texts.reduce((length, text) => length + text.length + separator.length, 0));
  return texts.join(separator);
}

function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return Number.isInteger(value) && Math.abs(value) < 1e16 ? value.toFixed(1) : String(value);
}

/** `"{} of {}".format(a, b)`. */
function format(template: string, args: readonly Value[], machine: Machine): string {
  let next = 0;
  return filled(template, /\{(\d*)\}/g, machine, (_, index) =>
    textOf(machine, args[index === "" ? next++ : Number(index)] ?? null),
  );
}

/** The template with `fill` in the place of each match. */
function filled(
  template: string,
  pattern: RegExp,
  machine: Machine,
  fill: (match: string, group: string) => string,
): string {
  machine.hold(template.length);
  return template.replace(pattern, (match, group: string) => {
    const text = fill(match, group);
    machine.hold(text.length);
    return text;
  });
}

function percentFormat(template: string, args: readonly Value[], machine: Machine): string {
  const [first] = args;
  const values = isA(first, "tuple") ? first.items : args;
  let next = 0;
  return filled(template, /%(?:\.\d+)?[sdfirg%]/g, machine, (mark) =>
    mark === "%%" ? "%" : textOf(machine, values[next++] ?? null),
  );
}

function ofString(
  name: string,
  run: (text: string, args: readonly Value[], machine: Machine) => Value,
): readonly [string, Builtin] {
  return [
    name,
    ([text, ...rest], machine) => {
      if (typeof text !== "string") return undefined;
      machine.hold(text.length);
      return run(text, rest, machine);
    },
  ];
}

const asText = (value: Value | undefined): string =>
  typeof value === "string" ? value : unfit("a string method", [value ?? null]);

/** Strings: what programs do with names and messages. */
export const stringBuiltins: readonly (readonly [string, Builtin])[] = [
  [
    "format",
    ([template, ...args], machine) =>
      typeof template === "string" ? format(template, args, machine) : undefined,
  ],
  [
    "percentFormat",
    ([template, ...args], machine) =>
      typeof template === "string" ? percentFormat(template, args, machine) : undefined,
  ],
  ["str", ([value], machine) => (value === undefined ? unfit("str", []) : textOf(machine, value))],
  ofString("add", (text, [other], machine) => joined(machine, [text, asText(other)], "")),
  ofString("mul", (text, [count], machine) => {
    if (typeof count !== "bigint") return unfit("mul", [text, count ?? null]);
    const times = Math.max(0, Number(count));
    machine.hold(times * text.length);
    return text.repeat(text === "" ? 0 : times);
  }),
  ofString("upper", (text) => text.toUpperCase()),
  ofString("lower", (text) => text.toLowerCase()),
  ofString("strip", (text) => text.trim()),
  ofString("startswith", (text, [prefix]) => text.startsWith(asText(prefix))),
  ofString("endswith", (text, [suffix]) => text.endsWith(asText(suffix))),
  ofString("replace", (text, [from, to], machine) => joined(machine, text.split(asText(from)), asText(to))),
  ofString("find", (text, [part]) => BigInt(text.indexOf(asText(part)))),
  ofString("split", (text, [separator]) =>
    listOf(
      separator === undefined || separator === null
        ? text.split(/\s+/).filter(Boolean)
        : text.split(asText(separator)),
    ),
  ),
  ofString("join", (text, [list], machine) =>
    isA(list, "list") ? joined(machine, list.items.map(asText), text) : unfit("join", [list ?? null]),
  ),
  ofString("len", (text) => BigInt(text.length)),
  ["ord", ([text]) => (typeof text === "string" ? BigInt(text.codePointAt(0) ?? 0) : undefined)],
  [
    "chr",
    ([code]) => {
      if (typeof code !== "bigint") return undefined;
      if (code < 0n || code > 0x10ffffn)
        throw new ConvertError("unsupported", "the program asks for a character that there is not");
      return String.fromCodePoint(Number(code));
    },
  ],
];
