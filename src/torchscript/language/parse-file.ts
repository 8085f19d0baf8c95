import { createCursor, type TokenCursor } from "./cursor.ts";
import { parseExpression } from "./parse-expression.ts";
import { parseFunction } from "./parse-statement.ts";
import type { ClassDefinition, Expression, FunctionDefinition, SourceFile } from "./syntax.ts";

/** Parses one source file of an archive's code. Throws kind `malformed` for what torch's printer does not write. */
export function parseFile(source: string, file: string): SourceFile {
  const cursor = createCursor(source, file);
  const classes = new Map<string, ClassDefinition>();
  const functions = new Map<string, FunctionDefinition>();
  while (cursor.peek().kind !== "end") {
    if (cursor.isNext("class")) {
      const definition = parseClass(cursor);
      classes.set(definition.name, definition);
    } else if (cursor.isNext("def")) {
      const definition = parseFunction(cursor);
      functions.set(definition.name, definition);
    } else skipPreamble(cursor);
  }
  return { file, classes, functions };
}

/** Archives of torch 1.0 to 1.3 begin with `op_version_set = 1` and `import` lines. */
function skipPreamble(cursor: TokenCursor): void {
  if (cursor.peek().kind === "newline") {
    cursor.take();
    return;
  }
  if (!cursor.isNext("op_version_set") && !cursor.isNext("import"))
    cursor.fail("expected a class or a function");
  while (cursor.peek().kind !== "newline") cursor.take();
  cursor.take();
}

/** Members that are lists of names. */
const nameLists = new Set(["__parameters__", "__buffers__", "__forward_hooks__", "__forward_pre_hooks__"]);

function parseClass(cursor: TokenCursor): ClassDefinition {
  const { at } = cursor.expect("class");
  const { text: name } = cursor.expectKind("name");
  let base: string | undefined;
  if (cursor.accept("(")) {
    if (!cursor.isNext(")")) base = cursor.expectKind("name").text;
    cursor.expect(")");
  }
  cursor.expect(":");
  cursor.expectKind("newline");
  const lists = new Map<string, readonly string[]>();
  const attributes = new Map<string, Expression>();
  const constants = new Map<string, Expression>();
  const methods = new Map<string, FunctionDefinition>();
  // A class without members has no block.
  if (cursor.peek().kind === "indent") {
    cursor.take();
    while (cursor.peek().kind !== "dedent") {
      if (cursor.isNext("def")) {
        const method = parseFunction(cursor);
        methods.set(method.name, method);
      } else parseMember(cursor, lists, attributes, constants);
    }
    cursor.take();
  }
  return {
    name,
    base,
    parameters: lists.get("__parameters__") ?? [],
    buffers: lists.get("__buffers__") ?? [],
    preHooks: lists.get("__forward_pre_hooks__") ?? [],
    hooks: lists.get("__forward_hooks__") ?? [],
    attributes,
    constants,
    methods,
    at,
  };
}

function parseMember(
  cursor: TokenCursor,
  lists: Map<string, readonly string[]>,
  attributes: Map<string, Expression>,
  constants: Map<string, Expression>,
): void {
  if (!cursor.accept("pass")) {
    const { text: name } = cursor.expectKind("name");
    if (nameLists.has(name)) {
      cursor.expect("=");
      lists.set(name, stringsOf(cursor, parseExpression(cursor)));
    } else if (name === "__annotations__") parseAnnotation(cursor, attributes);
    else if (cursor.accept(":")) {
      const type = parseExpression(cursor);
      if (cursor.accept("=")) constants.set(name, parseExpression(cursor));
      else attributes.set(name, type);
    } else {
      cursor.expect("=");
      constants.set(name, parseExpression(cursor));
    }
  }
  cursor.expectKind("newline");
}

/** `__annotations__ = []`, or `__annotations__["0"] = type` where the name is none of Python's. */
function parseAnnotation(cursor: TokenCursor, attributes: Map<string, Expression>): void {
  if (cursor.accept("[")) {
    const { text } = cursor.expectKind("string");
    cursor.expect("]");
    cursor.expect("=");
    attributes.set(text, parseExpression(cursor));
  } else {
    cursor.expect("=");
    parseExpression(cursor);
  }
}

function stringsOf(cursor: TokenCursor, list: Expression): readonly string[] {
  const items = list.kind === "list" ? list.items : cursor.fail("expected a list of names");
  return items.map((item) =>
    item.kind === "literal" && typeof item.value === "string" ? item.value : cursor.fail("expected a name"),
  );
}
