import { ConvertError } from "../../core/errors.ts";
import { parseFile } from "../language/parse-file.ts";
import type { ClassDefinition, FunctionDefinition, SourceFile } from "../language/syntax.ts";

/** A definition with the file that it stands in. */
export interface Located<Definition> {
  readonly definition: Definition;
  readonly file: string;
}

/** The code of an archive by qualified names; each file is parsed when it is first needed. */
export interface Program {
  /** Such as `__torch__.net.Net`; `undefined` where the archive has none. */
  findClass(qualifiedName: string): Located<ClassDefinition> | undefined;
  findFunction(qualifiedName: string): Located<FunctionDefinition> | undefined;
  /** Line, from 1, of an offset in a file. */
  lineOf(file: string, offset: number): number;
}

/** The program of source files by record name, `code/__torch__/a/b.py`. */
export function createProgram(sources: ReadonlyMap<string, string>): Program {
  const parsed = new Map<string, SourceFile>();
  const lines = new Map<string, readonly number[]>();

  function fileOf(qualifiedName: string): readonly [SourceFile, string] | undefined {
    const dot = qualifiedName.lastIndexOf(".");
    const file = `code/${qualifiedName.slice(0, Math.max(dot, 0)).replaceAll(".", "/")}.py`;
    const source = sources.get(file);
    if (source === undefined) return undefined;
    const known = parsed.get(file) ?? parseFile(source, file);
    parsed.set(file, known);
    return [known, qualifiedName.slice(dot + 1)];
  }

  return {
    findClass(qualifiedName) {
      const [file, name] = fileOf(qualifiedName) ?? [];
      const definition = file?.classes.get(name as string);
      return definition && file && { definition, file: file.file };
    },
    findFunction(qualifiedName) {
      const [file, name] = fileOf(qualifiedName) ?? [];
      const definition = file?.functions.get(name as string);
      return definition && file && { definition, file: file.file };
    },
    lineOf(file, offset) {
      const starts = lines.get(file) ?? lineStarts(sources.get(file) ?? "");
      lines.set(file, starts);
      let [low, high] = [0, starts.length];
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((starts[middle] as number) <= offset) low = middle + 1;
        else high = middle;
      }
      return Math.max(low, 1);
    },
  };
}

function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

/** A class by its qualified name; throws kind `unsupported` where the archive lacks it. */
export function requireClass(program: Program, qualifiedName: string): Located<ClassDefinition> {
  const found = program.findClass(qualifiedName);
  if (found !== undefined) return found;
  throw new ConvertError("unsupported", `the archive has no code for the class ${qualifiedName}`);
}
