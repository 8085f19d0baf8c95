import { ConvertError } from "../../core/errors.ts";
import { unescapeString } from "./strings.ts";

/** A piece of source. `newline`, `indent` and `dedent` give the lines and blocks; brackets suspend them. */
export interface Token {
  readonly kind: "name" | "int" | "float" | "string" | "symbol" | "newline" | "indent" | "dedent" | "end";
  /** The text; of a string, what it stands for. */
  readonly text: string;
  readonly at: number;
}

const number = /(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?/y;
const name = /[A-Za-z_][A-Za-z0-9_]*/y;
const symbol = /->|[()[\]{},:.=-]/y;
const string = /"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'/y;

/** Splits a source file of an archive into tokens. Throws kind `malformed` for a character that no printer of torch writes. */
export function tokenize(source: string, file: string): readonly Token[] {
  const tokens: Token[] = [];
  const indents = [0];
  let depth = 0;
  let at = 0;

  const failure = (message: string, offset: number): ConvertError =>
    new ConvertError("malformed", `the code ${message}`, { file, offset });
  const push = (kind: Token["kind"], text: string, offset: number): void => {
    tokens.push({ kind, text, at: offset });
  };

  function startLine(): void {
    const start = at;
    while (source[at] === " ") at++;
    // An empty line says nothing about blocks.
    if (source[at] === "\n" || source[at] === "\r" || at === source.length) return;
    const width = at - start;
    const current = indents.at(-1) as number;
    if (width > current) {
      indents.push(width);
      push("indent", "", at);
      return;
    }
    while (width < (indents.at(-1) as number)) {
      indents.pop();
      push("dedent", "", at);
    }
    if (width !== indents.at(-1)) throw failure("has a line that fits no block", at);
  }

  function matchAt(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = at;
    return pattern.exec(source) ?? undefined;
  }

  function readToken(): void {
    const found = matchAt(name) ?? matchAt(number) ?? matchAt(symbol) ?? matchAt(string);
    if (found === undefined)
      throw failure(`has a character that is not expected: ${JSON.stringify(source[at])}`, at);
    const [text] = found;
    const kind = kindOf(text);
    if ("([{".includes(text)) depth++;
    if (")]}".includes(text)) depth--;
    if (depth < 0) throw failure("closes a bracket that is not open", at);
    push(kind, kind === "string" ? unescapeString(found[1] ?? found[2] ?? "") : text, at);
    at += text.length;
  }

  startLine();
  while (at < source.length) {
    const character = source[at];
    if (character === "\n") {
      if (depth === 0 && tokens.at(-1)?.kind !== "newline" && tokens.length > 0) push("newline", "", at);
      at++;
      if (depth === 0) startLine();
    } else if (character === " " || character === "\r" || character === "\t") at++;
    else readToken();
  }
  if (depth > 0) throw failure("ends within a bracket", at);
  if (tokens.length > 0 && tokens.at(-1)?.kind !== "newline") push("newline", "", at);
  for (let open = indents.length; open > 1; open--) push("dedent", "", at);
  push("end", "", at);
  return tokens;
}

function kindOf(text: string): "name" | "int" | "float" | "string" | "symbol" {
  if (/^[A-Za-z_]/.test(text)) return "name";
  if (/^["']/.test(text)) return "string";
  if (/^\.?\d/.test(text)) return /^\d+$/.test(text) ? "int" : "float";
  return "symbol";
}
