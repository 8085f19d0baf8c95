import type { Expression } from "../language/syntax.ts";
import { isSymbolic } from "../shapes/dimension.ts";
import { isA, type Value } from "../values/value.ts";

/** A dotted name as text, such as `__torch__.net.Net`; `undefined` for any other expression. */
export function typeName(expression: Expression): string | undefined {
  if (expression.kind === "name") return expression.id;
  if (expression.kind !== "attribute") return undefined;
  const head = typeName(expression.object);
  return head === undefined ? undefined : `${head}.${expression.name}`;
}

/** Whether a value is of a type as `isinstance` and unions mean it; `undefined` where the value does not tell. */
export function hasType(value: Value, type: Expression): boolean | undefined {
  if (type.kind === "literal") return value === null && type.value === null;
  if (type.kind === "tuple" || type.kind === "list") return anyOf(value, type.items);
  if (type.kind === "subscript") return hasGenericType(value, typeName(type.object), type.items);
  const name = typeName(type);
  if (name === undefined) return undefined;
  if (isA(value, "object") || isA(value, "enum")) return value.className === name;
  if (isA(value, "tuple") && value.className !== undefined) return value.className === name;
  return hasPlainType(value, name);
}

function hasPlainType(value: Value, name: string): boolean | undefined {
  switch (name) {
    case "Any":
      return true;
    case "NoneType":
      return value === null;
    case "Tensor":
      return isA(value, "tensor");
    case "int":
      return typeof value === "bigint" || isSymbolic(value);
    case "float":
      return typeof value === "number";
    case "bool":
      return typeof value === "boolean";
    case "str":
      return typeof value === "string";
    case "number":
      return typeof value === "bigint" || typeof value === "number" || isSymbolic(value);
    case "Device":
      return isA(value, "device");
    case "list":
    case "List":
    case "tuple":
    case "Tuple":
      return isA(value, name.toLowerCase() as "list" | "tuple");
    default:
      return name.startsWith("__torch__.") ? false : undefined;
  }
}

function hasGenericType(
  value: Value,
  name: string | undefined,
  items: readonly Expression[],
): boolean | undefined {
  const [first, second] = items;
  switch (name) {
    case "Optional":
      return value === null ? true : hasType(value, first as Expression);
    case "Union":
      return anyOf(value, items);
    case "List":
      return isA(value, "list") ? allOf(value.items, first as Expression) : false;
    case "Dict": {
      if (!isA(value, "dict")) return false;
      const entries = [...value.entries.values()];
      return allOf(
        entries.map((entry) => entry[1]),
        second as Expression,
      );
    }
    case "Tuple":
      if (!isA(value, "tuple")) return false;
      return (
        value.items.length === items.length &&
        value.items.every((item, index) => hasType(item, items[index] as Expression) !== false)
      );
    default:
      return undefined;
  }
}

function anyOf(value: Value, types: readonly Expression[]): boolean | undefined {
  const answers = types.map((type) => hasType(value, type));
  if (answers.includes(true)) return true;
  return answers.includes(undefined) ? undefined : false;
}

/** An empty container is of every item type. */
function allOf(values: readonly Value[], type: Expression): boolean | undefined {
  const answers = values.map((value) => hasType(value, type));
  if (answers.includes(false)) return false;
  return answers.includes(undefined) ? undefined : true;
}
