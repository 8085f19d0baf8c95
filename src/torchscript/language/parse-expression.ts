import type { TokenCursor } from "./cursor.ts";
import type { Call, Expression, Literal } from "./syntax.ts";

const words: ReadonlyMap<string, Literal["value"]> = new Map<string, Literal["value"]>([
  ["None", null],
  ["True", true],
  ["False", false],
  ["inf", Number.POSITIVE_INFINITY],
  ["nan", Number.NaN],
]);

/** An expression, or a type, which has the same form. */
export function parseExpression(cursor: TokenCursor): Expression {
  return cursor.nested(() => {
    const { at } = cursor.peek();
    if (!cursor.accept("-")) return parsePostfix(cursor, parseAtom(cursor));
    const operand = parseExpression(cursor);
    const { kind } = operand;
    if (kind === "literal" && (typeof operand.value === "number" || typeof operand.value === "bigint"))
      return { kind: "literal", value: -operand.value, at };
    return { kind: "negative", operand, at };
  });
}

function parseAtom(cursor: TokenCursor): Expression {
  const token = cursor.peek();
  const { kind, text, at } = token;
  if (kind === "symbol") {
    if (text === "(") return parseParenthesis(cursor);
    if (text === "[") {
      cursor.take();
      return { kind: "list", items: parseItems(cursor, "]"), at };
    }
    if (text === "{") return parseDict(cursor);
  }
  if (kind === "name") {
    cursor.take();
    const value = words.get(text);
    return value === undefined ? { kind: "name", id: text, at } : { kind: "literal", value, at };
  }
  const value = literalOf(kind, text);
  if (value === undefined) return cursor.fail("expected an expression");
  cursor.take();
  const next = cursor.peek();
  if (kind !== "string" && next.kind === "name" && next.at === at + text.length)
    return cursor.fail("complex numbers are not read");
  return { kind: "literal", value, at };
}

function literalOf(kind: string, text: string): Literal["value"] | undefined {
  // The longest that 64 bits hold; BigInt takes its time for long ones.
  if (kind === "int") return text.length <= 19 ? BigInt(text) : undefined;
  if (kind === "float") return Number(text);
  return kind === "string" ? text : undefined;
}

/** `(a)` is `a`; `()`, `(a,)` and `(a, b)` are tuples. */
function parseParenthesis(cursor: TokenCursor): Expression {
  const { at } = cursor.expect("(");
  if (cursor.accept(")")) return { kind: "tuple", items: [], at };
  const first = parseExpression(cursor);
  if (cursor.accept(")")) return first;
  cursor.expect(",");
  return { kind: "tuple", items: [first, ...parseItems(cursor, ")")], at };
}

/** Items up to a closing bracket, which is taken; a comma before it is allowed. */
function parseItems(cursor: TokenCursor, close: string): readonly Expression[] {
  const items: Expression[] = [];
  while (!cursor.accept(close)) {
    items.push(parseExpression(cursor));
    if (!cursor.accept(",") && !cursor.isNext(close)) cursor.fail(`expected "," or "${close}"`);
  }
  return items;
}

function parseDict(cursor: TokenCursor): Expression {
  const { at } = cursor.expect("{");
  const entries: [Expression, Expression][] = [];
  while (!cursor.accept("}")) {
    const key = parseExpression(cursor);
    cursor.expect(":");
    entries.push([key, parseExpression(cursor)]);
    if (!cursor.accept(",") && !cursor.isNext("}")) cursor.fail(`expected "," or "}"`);
  }
  return { kind: "dict", entries, at };
}

function parsePostfix(cursor: TokenCursor, head: Expression): Expression {
  let expression = head;
  for (;;) {
    const { at } = cursor.peek();
    if (cursor.accept(".")) {
      const { text } = cursor.expectKind("name");
      expression = { kind: "attribute", object: expression, name: text, at };
    } else if (cursor.accept("(")) expression = parseCall(cursor, expression, at);
    else if (cursor.accept("[")) expression = parseSubscript(cursor, expression, at);
    else return expression;
  }
}

function parseCall(cursor: TokenCursor, callee: Expression, at: number): Call {
  const positional: Expression[] = [];
  const named: { name: string; value: Expression }[] = [];
  while (!cursor.accept(")")) {
    const next = cursor.peek(1);
    if (cursor.peek().kind === "name" && next.kind === "symbol" && next.text === "=") {
      const { text } = cursor.take();
      cursor.take();
      named.push({ name: text, value: parseExpression(cursor) });
    } else positional.push(parseExpression(cursor));
    if (!cursor.accept(",") && !cursor.isNext(")")) cursor.fail(`expected "," or ")"`);
  }
  return { kind: "call", callee, positional, named, at };
}

function parseSubscript(cursor: TokenCursor, object: Expression, at: number): Expression {
  const first = cursor.isNext("]") ? undefined : parseExpression(cursor);
  if (first !== undefined && cursor.accept(":")) {
    const end = parseExpression(cursor);
    cursor.expect("]");
    return { kind: "subscript", object, items: [first, end], isSlice: true, at };
  }
  if (first !== undefined) cursor.accept(",");
  const rest = parseItems(cursor, "]");
  return {
    kind: "subscript",
    object,
    items: first === undefined ? rest : [first, ...rest],
    isSlice: false,
    at,
  };
}
