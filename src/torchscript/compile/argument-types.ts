import { ConvertError } from "../../core/errors.ts";
import { hasType, typeName } from "../evaluate/types.ts";
import type { Expression, Parameter } from "../language/syntax.ts";
import { describe, isA, listOf, type Value } from "../values/value.ts";
import type { InputValue } from "./request.ts";

/**
 * A value as the type of its parameter has it: what a person wrote is read as that type, and an int that is given for
 * a float is one. Throws kind `usage` for a text that is no such value.
 */
export function typedInput(value: InputValue, { name, type }: Parameter): InputValue {
  if (value.kind === "text") return explained(value.text, type) ?? refuseText(value.text, name, type);
  if (value.kind === "int" && innerType(type) === "float")
    return { kind: "float", value: Number(value.value) };
  return value;
}

/** Throws kind `usage` where a parameter is given a value of another type than its own. */
export function checkArgument(value: Value, { name, type }: Parameter): void {
  if (type === undefined || hasType(asList(value, type), type) !== false) return;
  throw new ConvertError("usage", `"${name}" is a ${typeText(type)}, and is given ${describe(value)}`, {
    hint: givenBy(name, type),
  });
}

/** Tuples are taken for lists, as torch does. */
function asList(value: Value, type: Expression): Value {
  const isList = type.kind === "subscript" && typeName(type.object) === "List";
  return isList && isA(value, "tuple") ? listOf([...value.items]) : value;
}

/** Which option a value of this type is given by, for hints. */
export function givenBy(name: string, type: Expression | undefined, shape = "…"): string {
  const inner = innerType(type);
  if (inner === "Tensor") return `--input ${name}=${shape}`;
  if (inner !== undefined && ["int", "float", "bool", "str", "number"].includes(inner))
    return `--arg ${name}=…`;
  return `--inputs FILE.json with a value for "${name}"`;
}

/** `float` of `float` and of `Optional[float]`; a parameter without a type is a Tensor. */
function innerType(type: Expression | undefined): string | undefined {
  if (type === undefined) return "Tensor";
  if (type.kind !== "subscript") return typeName(type);
  return typeName(type.object) === "Optional" ? innerType(type.items[0]) : typeName(type.object);
}

/** A type as the program has it: `Optional[int]`. */
function typeText(type: Expression): string {
  if (type.kind === "subscript")
    return `${typeText(type.object)}[${type.items.map((item) => typeText(item)).join(", ")}]`;
  if (type.kind === "literal") return String(type.value);
  return typeName(type)?.replace(/^__torch__\./, "") ?? "value";
}

function refuseText(text: string, name: string, type: Expression | undefined): never {
  const wanted = type === undefined ? "Tensor" : typeText(type);
  throw new ConvertError("usage", `"${name}" is a ${wanted}, and is given "${text}"`, {
    hint: `give it by ${givenBy(name, type)}`,
  });
}

/** What a text is as a value of a type; `undefined` where it is none. */
function explained(text: string, type: Expression | undefined): InputValue | undefined {
  if (type?.kind === "subscript") return explainedGeneric(text, typeName(type.object), type.items);
  switch (type && typeName(type)) {
    case "int":
      return intOf(text);
    case "float":
      return floatOf(text);
    case "bool":
      return boolOf(text);
    case "number":
      return intOf(text) ?? floatOf(text);
    case "str":
      return { kind: "str", value: unquoted(text) };
    case "Tensor":
    case undefined:
      return undefined;
    default:
      return guessed(text);
  }
}

function explainedGeneric(
  text: string,
  name: string | undefined,
  items: readonly Expression[],
): InputValue | undefined {
  if (name === "Optional") return isNone(text) ? { kind: "none" } : explained(text, items[0]);
  if (name !== "List" && name !== "Tuple") return guessed(text);
  const inner = /^\s*(?:\[(.*)\]|\((.*)\))\s*$/.exec(text);
  if (inner === null) return undefined;
  const content = (inner[1] ?? inner[2] ?? "").trim();
  const texts = content === "" ? [] : content.split(",").map((part) => part.trim());
  const values = texts.map((part, index) => explained(part, name === "List" ? items[0] : items[index]));
  if (name === "Tuple" && values.length !== items.length) return undefined;
  return values.every((value) => value !== undefined)
    ? { kind: name === "List" ? "list" : "tuple", items: values }
    : undefined;
}

/** Python's spelling of a value; what is none of them is a string. */
function guessed(text: string): InputValue {
  if (isNone(text)) return { kind: "none" };
  return intOf(text) ?? boolOf(text) ?? floatOf(text) ?? { kind: "str", value: unquoted(text) };
}

function isNone(text: string): boolean {
  return /^none$/i.test(text);
}

function intOf(text: string): InputValue | undefined {
  return /^[+-]?\d{1,19}$/.test(text) ? { kind: "int", value: BigInt(text) } : undefined;
}

function floatOf(text: string): InputValue | undefined {
  const endless = /^([+-]?)inf(?:inity)?$/i.exec(text);
  const value = endless === null ? Number(text) : Number(`${endless[1]}Infinity`);
  const isNumber = /\S/.test(text) && (!Number.isNaN(value) || /^nan$/i.test(text));
  return isNumber ? { kind: "float", value } : undefined;
}

function boolOf(text: string): InputValue | undefined {
  return /^(true|false)$/i.test(text) ? { kind: "bool", value: /^true$/i.test(text) } : undefined;
}

function unquoted(text: string): string {
  return text.replace(/^(["'])(.*)\1$/, "$2");
}
