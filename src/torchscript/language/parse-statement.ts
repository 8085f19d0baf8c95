import type { TokenCursor } from "./cursor.ts";
import { parseExpression } from "./parse-expression.ts";
import type { Expression, FunctionDefinition, Parameter, Statement } from "./syntax.ts";

/** Constructs of Python that torch compiles away before it prints code. */
const neverPrinted = new Set([
  "elif",
  "break",
  "continue",
  "raise",
  "assert",
  "try",
  "lambda",
  "del",
  "global",
  "yield",
]);

/** The statements of a block, after its colon. */
function parseBlock(cursor: TokenCursor): readonly Statement[] {
  return cursor.nested(() => {
    cursor.expect(":");
    cursor.expectKind("newline");
    cursor.expectKind("indent");
    const statements: Statement[] = [];
    while (cursor.peek().kind !== "dedent") statements.push(parseStatement(cursor));
    cursor.take();
    return statements;
  });
}

/** `def …`, with its body. */
export function parseFunction(cursor: TokenCursor): FunctionDefinition {
  const { at } = cursor.expect("def");
  const { text: name } = cursor.expectKind("name");
  cursor.expect("(");
  const parameters: Parameter[] = [];
  while (!cursor.accept(")")) {
    const parameter = cursor.expectKind("name").text;
    const type = cursor.accept(":") ? parseExpression(cursor) : undefined;
    const value = cursor.accept("=") ? parseExpression(cursor) : undefined;
    parameters.push({ name: parameter, type, default: value });
    if (!cursor.accept(",") && !cursor.isNext(")")) cursor.fail(`expected "," or ")"`);
  }
  const result = cursor.accept("->") ? parseExpression(cursor) : undefined;
  return { name, parameters, result, body: parseBlock(cursor), at };
}

function parseStatement(cursor: TokenCursor): Statement {
  const { kind, text, at } = cursor.peek();
  if (kind !== "name") return parseSimple(cursor, at);
  switch (text) {
    case "if":
      return parseBranch(cursor);
    case "for":
      return parseFor(cursor);
    case "while": {
      cursor.take();
      const condition = parseExpression(cursor);
      return { kind: "while", condition, body: parseBlock(cursor), at };
    }
    case "with":
      return parseWith(cursor);
    case "def":
      return { kind: "closure", definition: parseFunction(cursor), at };
    case "return": {
      cursor.take();
      const isEmpty = cursor.peek().kind === "newline";
      const value: Expression = isEmpty ? { kind: "literal", value: null, at } : parseExpression(cursor);
      return endLine(cursor, { kind: "return", value, at });
    }
    case "pass":
      cursor.take();
      return endLine(cursor, { kind: "pass", at });
    default:
      if (neverPrinted.has(text)) return cursor.fail("this statement never occurs in an archive");
      return parseSimple(cursor, at);
  }
}

function endLine<S extends Statement>(cursor: TokenCursor, statement: S): S {
  cursor.expectKind("newline");
  return statement;
}

function parseBranch(cursor: TokenCursor): Statement {
  const { at } = cursor.expect("if");
  const condition = parseExpression(cursor);
  const then = parseBlock(cursor);
  const otherwise = cursor.accept("else") ? parseBlock(cursor) : [];
  return { kind: "if", condition, then, otherwise, at };
}

/** Only `for NAME in range(count)` is ever printed. */
function parseFor(cursor: TokenCursor): Statement {
  const { at } = cursor.expect("for");
  const { text: name } = cursor.expectKind("name");
  cursor.expect("in");
  cursor.expect("range");
  cursor.expect("(");
  const count = parseExpression(cursor);
  cursor.expect(")");
  return { kind: "for", name, count, body: parseBlock(cursor), at };
}

function parseWith(cursor: TokenCursor): Statement {
  const { at } = cursor.expect("with");
  const value = parseExpression(cursor);
  const name = cursor.accept("as") ? cursor.expectKind("name").text : undefined;
  return { kind: "with", value, name, body: parseBlock(cursor), at };
}

/** An assignment in one of its forms, or an expression for its effect. */
function parseSimple(cursor: TokenCursor, at: number): Statement {
  const first = parseExpression(cursor);
  if (cursor.accept(":")) {
    parseExpression(cursor);
    cursor.expect("=");
    return endLine(cursor, { kind: "assign", targets: [first], values: [parseExpression(cursor)], at });
  }
  const targets = [first];
  let endsInComma = false;
  while (cursor.accept(",")) {
    endsInComma = cursor.isNext("=");
    if (!endsInComma) targets.push(parseExpression(cursor));
  }
  if (!cursor.accept("=")) {
    if (targets.length > 1) cursor.fail("expected an assignment");
    return endLine(cursor, { kind: "expression", value: first, at });
  }
  for (const target of targets) {
    if (target.kind !== "name" && target.kind !== "attribute") cursor.fail("cannot assign to this");
  }
  const values = [parseExpression(cursor)];
  while (cursor.accept(",")) values.push(parseExpression(cursor));
  // Of an operator with several results the comma is left out.
  if (endsInComma || (values.length === 1 && targets.length > 1)) {
    const [value] = values;
    if (values.length > 1) cursor.fail("expected one value to unpack");
    return endLine(cursor, { kind: "unpack", targets, value: value as Expression, at });
  }
  if (values.length !== targets.length) cursor.fail(`expected ${targets.length} values`);
  return endLine(cursor, { kind: "assign", targets, values, at });
}
