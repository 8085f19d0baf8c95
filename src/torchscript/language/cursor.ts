import { ConvertError } from "../../core/errors.ts";
import { type Token, tokenize } from "./lexer.ts";

/** How deep expressions and blocks may nest; torch's own printer stays far below. */
const maxDepth = 500;

/** A place among the tokens of a file, with the ways to move on. */
export interface TokenCursor {
  readonly file: string;
  /** The token `ahead` places from here, the next one by default. */
  peek(ahead?: number): Token;
  take(): Token;
  /** Whether the next token is this symbol or name. */
  isNext(text: string): boolean;
  /** Takes the next token if it is this symbol or name. */
  accept(text: string): boolean;
  /** Takes this symbol or name; throws kind `malformed` where another token stands. */
  expect(text: string): Token;
  expectKind(kind: Token["kind"]): Token;
  /** Runs `parse` one level deeper; throws kind `malformed` where levels are too many. */
  nested<T>(parse: () => T): T;
  fail(message: string): never;
}

/** A cursor at the first token of a source file. */
export function createCursor(source: string, file: string): TokenCursor {
  const tokens = tokenize(source, file);
  const last = tokens.length - 1;
  let position = 0;
  let depth = 0;

  const cursor: TokenCursor = {
    file,
    peek: (ahead = 0) => tokens[Math.min(position + ahead, last)] as Token,
    take() {
      const token = cursor.peek();
      if (position < last) position++;
      return token;
    },
    isNext(text) {
      const { kind, text: found } = cursor.peek();
      return (kind === "symbol" || kind === "name") && found === text;
    },
    accept(text) {
      if (!cursor.isNext(text)) return false;
      position++;
      return true;
    },
    expect(text) {
      if (!cursor.isNext(text)) cursor.fail(`expected ${JSON.stringify(text)}`);
      return cursor.take();
    },
    expectKind(kind) {
      if (cursor.peek().kind !== kind) cursor.fail(`expected ${kind}`);
      return cursor.take();
    },
    nested(parse) {
      if (++depth > maxDepth) cursor.fail("nests too deep");
      const result = parse();
      depth--;
      return result;
    },
    fail(message) {
      const { kind, text, at } = cursor.peek();
      const found = text === "" ? kind : JSON.stringify(text.slice(0, 40));
      throw new ConvertError("malformed", `the code cannot be parsed: ${message}, found ${found}`, {
        file,
        offset: at,
      });
    },
  };
  return cursor;
}
