import { ConvertError } from "../../../core/errors.ts";
import { dictKey } from "../../values/keys.ts";
import {
  type DictValue,
  describe,
  isA,
  type ListValue,
  listOf,
  refillList,
  tupleOf,
  type Value,
} from "../../values/value.ts";
import { itemOf } from "../evaluate-expression.ts";
import type { Machine } from "../machine.ts";
import { type Builtin, unfit } from "./builtin.ts";
import { isEqual } from "./equality.ts";

/** A method of lists; other first arguments are left to others. */
function ofList(
  name: string,
  run: (list: ListValue, args: readonly Value[], machine: Machine) => Value,
): readonly [string, Builtin] {
  return [name, ([list, ...rest], machine) => (isA(list, "list") ? run(list, rest, machine) : undefined)];
}

function ofDict(
  name: string,
  run: (dict: DictValue, args: readonly Value[]) => Value,
): readonly [string, Builtin] {
  return [name, ([dict, ...rest]) => (isA(dict, "dict") ? run(dict, rest) : undefined)];
}

/** A position in a list, counted from the back where it is negative. */
function position(list: ListValue, index: Value | undefined): number {
  if (typeof index !== "bigint") return unfit("an index", [index ?? null]);
  const at = Number(index) < 0 ? Number(index) + list.items.length : Number(index);
  if (at < 0 || at >= list.items.length)
    throw new ConvertError("unsupported", `the program asks for item ${index} of ${describe(list)}`);
  return at;
}

function sliceList(list: ListValue, [start, end, step]: readonly Value[], { hold }: Machine): Value {
  const size = list.items.length;
  const bound = (value: Value | undefined, absent: number): number => {
    if (value === null || value === undefined) return absent;
    if (typeof value !== "bigint") return unfit("slice", [value]);
    const at = Number(value) < 0 ? Number(value) + size : Number(value);
    return Math.min(Math.max(at, 0), size);
  };
  const stride = step === undefined || step === null ? 1 : Number(step);
  if (!Number.isInteger(stride) || stride < 1) return unfit("slice", [step ?? null]);
  const picked: Value[] = [];
  hold(size);
  for (let at = bound(start, 0); at < bound(end, size); at += stride) picked.push(list.items[at] as Value);
  return listOf(picked);
}

/** Appends items one by one: a spread of many is no call that JavaScript could make. */
function appendAll(list: ListValue, items: readonly Value[], { hold }: Machine): void {
  hold(items.length);
  const { length } = items;
  for (let index = 0; index < length; index++) list.items.push(items[index] as Value);
}

function copied(list: ListValue, _: readonly Value[], { hold }: Machine): Value {
  hold(list.items.length);
  return listOf([...list.items]);
}

function sorted(list: ListValue, isReverse: boolean): Value[] {
  const items = [...list.items];
  if (
    !items.every(
      (item) => typeof item === typeof items[0] && ["bigint", "number", "string"].includes(typeof item),
    )
  )
    return unfit("sort", items.slice(0, 2));
  items.sort((a, b) => ((a as bigint) < (b as bigint) ? -1 : (a as bigint) > (b as bigint) ? 1 : 0));
  return isReverse ? items.reverse() : items;
}

function contains(
  container: Value | undefined,
  item: Value | undefined,
  machine: Machine,
): Value | undefined {
  if (isA(container, "dict")) return container.entries.has(dictKey(item as Value));
  if (isA(container, "list")) return container.items.some((own) => isEqual(own, item as Value, machine));
  if (typeof container === "string" && typeof item === "string") return container.includes(item);
  if (!isA(container, "object") || typeof item !== "string") return undefined;
  return container.attributes.has(item);
}

const lists: readonly (readonly [string, Builtin])[] = [
  ofList("append", (list, [item], { hold }) => {
    hold(1);
    list.items.push(item as Value);
    return list;
  }),
  ofList("extend", (list, [other], machine) => {
    if (!isA(other, "list") && !isA(other, "tuple")) return unfit("extend", [other ?? null]);
    appendAll(list, other.items, machine);
    return null;
  }),
  ofList("insert", (list, [index, item], { hold }) => {
    if (typeof index !== "bigint") return unfit("insert", [index ?? null]);
    hold(1);
    list.items.splice(Number(index), 0, item as Value);
    return null;
  }),
  ofList("pop", (list, [index]) => {
    const at = position(list, index ?? -1n);
    return list.items.splice(at, 1)[0] as Value;
  }),
  ofList("clear", (list) => {
    list.items.length = 0;
    return null;
  }),
  ofList("reverse", (list) => {
    list.items.reverse();
    return null;
  }),
  ofList("remove", (list, [item], machine) => {
    const at = list.items.findIndex((own) => isEqual(own, item as Value, machine));
    if (at < 0)
      throw new ConvertError("unsupported", "the program removes from a list what it does not hold");
    list.items.splice(at, 1);
    return null;
  }),
  ofList("index", (list, [item], machine) => {
    const at = list.items.findIndex((own) => isEqual(own, item as Value, machine));
    if (at < 0)
      throw new ConvertError("unsupported", "the program looks in a list for what it does not hold");
    return BigInt(at);
  }),
  ofList("count", (list, [item], machine) =>
    BigInt(list.items.filter((own) => isEqual(own, item as Value, machine)).length),
  ),
  ofList("copy", copied),
  ofList("list", copied),
  ofList("slice", sliceList),
  ofList("sorted", (list, _, { hold }) => {
    hold(list.items.length);
    return listOf(sorted(list, false));
  }),
  ofList("sort", (list, [isReverse]) => {
    refillList(list, sorted(list, isReverse === true));
    return null;
  }),
  ofList("_set_item", (list, [index, item]) => {
    list.items[position(list, index)] = item as Value;
    return list;
  }),
  ofList("Delete", (list, [index]) => {
    list.items.splice(position(list, index), 1);
    return null;
  }),
  ofList("mul", (list, [count], { hold }) => {
    if (typeof count !== "bigint") return unfit("mul", [list, count ?? null]);
    const times = Math.max(0, Number(count));
    hold(times * Math.max(1, list.items.length));
    return listOf(Array.from({ length: times }, () => list.items).flat());
  }),
  ofList("add", (list, [other], { hold }) => {
    if (!isA(other, "list")) return unfit("add", [list, other ?? null]);
    hold(list.items.length + other.items.length);
    return listOf([...list.items, ...other.items]);
  }),
  ofList("add_", (list, [other], machine) => {
    if (!isA(other, "list")) return unfit("add", [list, other ?? null]);
    appendAll(list, other.items, machine);
    return list;
  }),
];

const dicts: readonly (readonly [string, Builtin])[] = [
  ofDict("keys", (dict) => listOf([...dict.entries.values()].map(([key]) => key))),
  ofDict("values", (dict) => listOf([...dict.entries.values()].map(([, value]) => value))),
  ofDict("items", (dict) => listOf([...dict.entries.values()].map(tupleOf))),
  ofDict(
    "get",
    (dict, [key, otherwise]) => dict.entries.get(dictKey(key as Value))?.[1] ?? otherwise ?? null,
  ),
  ofDict("setdefault", (dict, [key, otherwise]) => {
    const known = dict.entries.get(dictKey(key as Value));
    if (known !== undefined) return known[1];
    dict.entries.set(dictKey(key as Value), [key as Value, otherwise as Value]);
    return otherwise as Value;
  }),
  ofDict("_set_item", (dict, [key, value]) => {
    dict.entries.set(dictKey(key as Value), [key as Value, value as Value]);
    return null;
  }),
  ofDict("pop", (dict, [key, otherwise]) => {
    if (key === undefined) return unfit("pop", []);
    const known = dict.entries.get(dictKey(key as Value));
    dict.entries.delete(dictKey(key as Value));
    if (known === undefined && otherwise === undefined)
      throw new ConvertError("unsupported", "the program pops from a dict what it does not hold");
    return known?.[1] ?? (otherwise as Value);
  }),
  ofDict("Delete", (dict, [key]) => {
    dict.entries.delete(dictKey(key as Value));
    return null;
  }),
  ofDict("update", (dict, [other]) => {
    if (!isA(other, "dict")) return unfit("update", [other ?? null]);
    for (const [key, entry] of other.entries) dict.entries.set(key, entry);
    return null;
  }),
  ofDict("clear", (dict) => {
    dict.entries.clear();
    return null;
  }),
  ofDict("copy", (dict) => ({ kind: "dict", entries: new Map(dict.entries) })),
];

/** One name may serve lists and dicts: the first that feels responsible answers. */
function merged(pairs: readonly (readonly [string, Builtin])[]): readonly (readonly [string, Builtin])[] {
  const byName = new Map<string, Builtin>();
  for (const [name, builtin] of pairs) {
    const earlier = byName.get(name);
    byName.set(
      name,
      earlier === undefined
        ? builtin
        : (args, machine, named) => earlier(args, machine, named) ?? builtin(args, machine, named),
    );
  }
  return [...byName];
}

/** Lists, tuples and dicts, as Python has them. */
export const containerBuiltins = merged([
  ...lists,
  ...dicts,
  ["__contains__", ([container, item], machine) => contains(container, item, machine)],
  ["__getitem__", ([container, index], machine) => itemOf(machine, container as Value, index as Value)],
  [
    "dict",
    ([pairs]) => {
      const entries = new Map<unknown, readonly [Value, Value]>();
      if (isA(pairs, "dict")) return { kind: "dict", entries: new Map(pairs.entries) };
      if (pairs !== undefined && !isA(pairs, "list")) return unfit("dict", [pairs]);
      for (const pair of pairs?.items ?? []) {
        if (!isA(pair, "tuple")) return unfit("dict", [pair]);
        const [key, value] = pair.items;
        entries.set(dictKey(key as Value), [key as Value, value as Value]);
      }
      return { kind: "dict", entries };
    },
  ],
  ["list", ([value]) => (typeof value === "string" ? listOf([...value]) : undefined)],
]);
