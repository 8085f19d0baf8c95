import { ConvertError } from "../core/errors.ts";

type Literal = string;
type CharacterSet = (character: string) => boolean;
type Step = Literal | CharacterSet | typeof star;

const star = { any: "characters" } as const;

/** A test of whole names against a glob. Takes time in proportion to the name, times the pattern at worst. */
export function compileGlob(text: string): (name: string) => boolean {
  if (text === "") throw badGlob(text, "it is empty", "* matches every name");
  const alternatives = parseSequence({ text, characters: [...text], at: 0 }, 0).map(joinLiterals);
  return (name) => alternatives.some((steps) => fits(steps, name));
}

function joinLiterals(steps: readonly Step[]): readonly Step[] {
  const joined: Step[] = [];
  for (const step of steps) {
    const last = joined.at(-1);
    if (typeof step === "string" && typeof last === "string") joined[joined.length - 1] = last + step;
    else joined.push(step);
  }
  return joined;
}

/** Only the last star seen is ever taken back, which keeps the work bounded. */
function fits(steps: readonly Step[], name: string): boolean {
  let step = 0;
  let at = 0;
  let lastStar = -1;
  let starEnd = 0;
  while (at < name.length || step < steps.length) {
    const current = steps[step];
    if (isStar(current)) {
      lastStar = step++;
      starEnd = at;
      continue;
    }
    const taken = charactersTaken(current, name, at);
    if (taken >= 0) {
      step++;
      at += taken;
      continue;
    }
    if (lastStar < 0) return false;
    starEnd = nextStart(steps[lastStar + 1], name, starEnd + 1);
    if (starEnd < 0) return false;
    step = lastStar + 1;
    at = starEnd;
  }
  return true;
}

function isStar(step: Step | undefined): step is typeof star {
  return step === star;
}

/** How many code units a step takes from `at` on; negative where it does not fit. */
function charactersTaken(step: Literal | CharacterSet | undefined, name: string, at: number): number {
  if (typeof step === "string") return name.startsWith(step, at) ? step.length : -1;
  const code = name.codePointAt(at);
  if (step === undefined || code === undefined) return -1;
  const character = String.fromCodePoint(code);
  return step(character) ? character.length : -1;
}

/** Where what follows a star may begin, from `at` on; negative where it cannot. */
function nextStart(step: Step | undefined, name: string, at: number): number {
  if (at > name.length) return -1;
  if (step === undefined) return name.length;
  return typeof step === "string" ? name.indexOf(step, at) : at;
}

interface Cursor {
  readonly text: string;
  readonly characters: readonly string[];
  at: number;
}

const maxAlternatives = 1000;
const maxNesting = 16;

/** Every way through the braces, each a sequence of steps. Below the top it ends before a comma or a closing brace. */
function parseSequence(cursor: Cursor, depth: number): readonly (readonly Step[])[] {
  let ways: readonly (readonly Step[])[] = [[]];
  for (; cursor.at < cursor.characters.length; cursor.at++) {
    const character = cursor.characters[cursor.at] as string;
    if (depth > 0 && (character === "," || character === "}")) return ways;
    const next = character === "{" ? parseBraces(cursor, depth + 1) : [[parseStep(character, cursor)]];
    checkCount(ways.length * next.length, cursor);
    ways = ways.flatMap((way) => next.map((rest) => [...way, ...rest]));
  }
  if (depth > 0) throw badGlob(cursor.text, "a { is not closed", "write \\{ for the character itself");
  return ways;
}

/** From `{` to `}`, where the cursor stays. */
function parseBraces(cursor: Cursor, depth: number): readonly (readonly Step[])[] {
  const range = /^\{(\d{1,6})\.\.(\d{1,6})\}/.exec(
    cursor.characters.slice(cursor.at, cursor.at + 17).join(""),
  );
  if (range) {
    cursor.at += range[0].length - 1;
    const first = Number(range[1]);
    const count = Number(range[2]) - first + 1;
    if (count < 1) throw badGlob(cursor.text, `${range[0]} holds no number`, "write the smaller one first");
    checkCount(count, cursor);
    return Array.from({ length: count }, (_, index) => [...String(first + index)]);
  }
  if (depth > maxNesting) throw badGlob(cursor.text, "its braces are nested too deeply", "write a /regex/");
  const ways: (readonly Step[])[] = [];
  do {
    cursor.at++;
    ways.push(...parseSequence(cursor, depth));
  } while (cursor.characters[cursor.at] === ",");
  return ways;
}

function checkCount(count: number, { text }: Cursor): void {
  if (count <= maxAlternatives) return;
  throw badGlob(text, `its braces stand for more than ${maxAlternatives} patterns`, "write a /regex/");
}

function parseStep(character: string, cursor: Cursor): Step {
  if (character === "*") return star;
  if (character === "?") return () => true;
  if (character === "[") return parseSet(cursor);
  if (character !== "\\") return character;
  const escaped = cursor.characters[++cursor.at];
  if (escaped === undefined)
    throw badGlob(cursor.text, "it ends in \\", "write \\\\ for the character itself");
  return escaped;
}

/** From `[` to `]`, where the cursor stays. A `]` that comes first is one of the set. */
function parseSet(cursor: Cursor): Step {
  const { characters } = cursor;
  const negated = characters[cursor.at + 1] === "!" || characters[cursor.at + 1] === "^";
  const first = cursor.at + (negated ? 2 : 1);
  const end = characters.indexOf("]", first + 1);
  if (end < 0) throw badGlob(cursor.text, "a [ is not closed", "write \\[ for the character itself");
  const ranges: (readonly [low: string, high: string])[] = [];
  for (let index = first; index < end; index++) {
    const low = characters[index] as string;
    if (characters[index + 1] === "-" && index + 2 < end) index += 2;
    ranges.push([low, characters[index] as string]);
  }
  cursor.at = end;
  return (character) => ranges.some(([low, high]) => low <= character && character <= high) !== negated;
}

function badGlob(text: string, why: string, hint: string): ConvertError {
  return new ConvertError("usage", `"${text}" is no pattern: ${why}`, { hint });
}
