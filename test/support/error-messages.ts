import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A message as the source has it, its `${…}` parts standing for anything. */
export interface MessageTemplate {
  /** `file: literal`, for people. */
  readonly place: string;
  readonly pattern: RegExp;
}

/** Which argument of a call is the message. */
const calls: Readonly<Record<string, number>> = {
  "new ConvertError": 1,
  fail: 0,
  "operands.fail": 0,
  refuse: 0,
  mismatch: 0,
  checkLimit: 3,
};

/** Every message that the source files of a folder can throw. */
export function messagesThrownIn(folder: string): readonly MessageTemplate[] {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts"),
  );
  return names.sort().flatMap((name) => messagesIn(readFileSync(join(folder, name), "utf8"), name));
}

function messagesIn(source: string, file: string): readonly MessageTemplate[] {
  const found: MessageTemplate[] = [];
  for (const match of source.matchAll(
    /(?<![\w.])(new ConvertError|(?:\w+\.)*fail|refuse|mismatch|checkLimit)\(/g,
  )) {
    const index = calls[match[1] as string] ?? 0;
    const argument = argumentsAt(source, match.index + match[0].length)[index]?.trim() ?? "";
    for (const literal of literalsIn(argument)) {
      const fixed = literal.replace(/\0/g, "");
      // What is left is a name and a message from elsewhere, which is found where it is written.
      if (fixed.trim().split(/\s+/).length < 2) continue;
      found.push({ place: `${file}: ${literal.replace(/\0/g, "…")}`, pattern: patternOf(literal) });
    }
  }
  return found;
}

/** The source texts of a call's arguments, `start` being just behind its parenthesis. */
function argumentsAt(source: string, start: number): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = start;
  for (let at = start; at < source.length; at++) {
    const char = source[at] as string;
    if (char === '"' || char === "'" || char === "`") at = endOfString(source, at);
    else if ("([{".includes(char)) depth++;
    else if (")]}".includes(char) && depth-- === 0) return [...parts, source.slice(from, at)];
    else if (char === "," && depth === 0) {
      parts.push(source.slice(from, at));
      from = at + 1;
    }
  }
  return parts;
}

/** Position of the quote that ends the string at `start`. */
function endOfString(source: string, start: number): number {
  const quote = source[start] as string;
  for (let at = start + 1; at < source.length; at++) {
    if (source[at] === "\\") at++;
    else if (source[at] === quote) return at;
    else if (quote === "`" && source.startsWith("${", at)) at = endOfHole(source, at + 2);
  }
  return source.length;
}

/** Position of the brace that ends the hole of a template; strings in it may hold braces. */
function endOfHole(source: string, start: number): number {
  let depth = 0;
  for (let at = start; at < source.length; at++) {
    const char = source[at] as string;
    if (char === '"' || char === "'" || char === "`") at = endOfString(source, at);
    else if (char === "{") depth++;
    else if (char === "}" && depth-- === 0) return at;
  }
  return source.length;
}

/** The string literals of an expression, a zero byte in the place of each hole. */
function literalsIn(expression: string): readonly string[] {
  const literals: string[] = [];
  for (let at = 0; at < expression.length; at++) {
    const quote = expression[at] as string;
    if (quote !== '"' && quote !== "'" && quote !== "`") continue;
    const end = endOfString(expression, at);
    literals.push(withoutHoles(expression.slice(at + 1, end)));
    at = end;
  }
  return literals;
}

function withoutHoles(text: string): string {
  let fixed = "";
  for (let at = 0; at < text.length; at++) {
    if (text.startsWith("${", at)) {
      fixed += "\0";
      at = endOfHole(text, at + 2);
    } else if (text[at] === "\\") fixed += text[++at];
    else fixed += text[at];
  }
  return fixed;
}

function patternOf(literal: string): RegExp {
  const fixed = literal.split("\0").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(fixed.join("[^]*"));
}
