import { ConvertError } from "../../core/errors.ts";
import { type DictValue, isA, type ListValue, type Value } from "../values/value.ts";

const frozen = new WeakSet<ListValue | DictValue>();

/** Operators that change the list or dict that they are given first. */
const changing: ReadonlySet<string> = new Set(
  "append extend insert pop clear reverse remove sort _set_item Delete add_ update setdefault popitem".split(
    " ",
  ),
);

/** Lists and dicts that may be one another, as data decide: from now on they may be read, but not changed. */
export function freeze(...values: readonly Value[]): void {
  for (const value of values) if (isA(value, "list") || isA(value, "dict")) frozen.add(value);
}

/** Throws kind `unsupported` where an operator would change what is frozen. */
export function checkFrozen(operator: string, [first]: readonly Value[]): void {
  if (!changing.has(operator) || !(isA(first, "list") || isA(first, "dict")) || !frozen.has(first)) return;
  throw new ConvertError(
    "unsupported",
    `"${operator}" changes a ${first.kind} that may be another one as well, of which data decide`,
  );
}
