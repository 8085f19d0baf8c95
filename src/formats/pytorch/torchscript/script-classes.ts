/** What the text of a TorchScript class says about its attributes. */
export interface ScriptClass {
  /** Whether it stands for an `nn.Module`; other classes keep no state of a model. */
  readonly isModule: boolean;
  readonly parameters: ReadonlySet<string>;
  /** `undefined` in files of torch 1.3 to 1.5, which did not tell buffers from other tensors. */
  readonly buffers: ReadonlySet<string> | undefined;
  /** Every attribute with its type as it is printed. */
  readonly attributes: ReadonlyMap<string, string>;
  /** Whether it is pickled in a form of its own instead of by its attributes. */
  readonly hasOwnState: boolean;
}

type OpenClass = { -readonly [K in keyof ScriptClass]: ScriptClass[K] } & {
  readonly attributes: Map<string, string>;
};

/**
 * The classes in one file of a TorchScript archive's code, by name. Looks at the lines that torch prints at the top
 * of a class and at nothing else; this is no compiler (FORMAT.md, "TorchScript").
 */
export function scanClasses(text: string): ReadonlyMap<string, ScriptClass> {
  const classes = new Map<string, ScriptClass>();
  let open: OpenClass | undefined;
  for (const line of linesOf(text)) {
    const head = /^class ([^\s(:]+)(\((\w*)\))?:/.exec(line);
    if (head) {
      open = {
        isModule: head[3] === "Module",
        parameters: new Set(),
        buffers: undefined,
        attributes: new Map(),
        hasOwnState: false,
      };
      classes.set(head[1] as string, open);
    } else if (line !== "" && !/^\s/.test(line)) open = undefined;
    else if (open) readMember(open, line);
  }
  return classes;
}

/** A line within a class: torch indents its members by two spaces and what is in them by more. */
function readMember(open: OpenClass, line: string): void {
  if (line.startsWith("  __parameters__ = ")) open.parameters = quotedIn(line);
  else if (line.startsWith("  __buffers__ = ")) open.buffers = quotedIn(line);
  else if (line.startsWith("  def __getstate__(")) open.hasOwnState = true;
  else {
    // The second form is for names that are no Python names, such as those of a list's items.
    const attribute =
      /^ {2}([^\s:]+) : (.+)$/.exec(line) ?? /^ {2}__annotations__\["(.*)"\] = (.+)$/.exec(line);
    if (attribute) open.attributes.set(attribute[1] as string, (attribute[2] as string).trimEnd());
  }
}

/** Names are printed between quotes, as they are. */
function quotedIn(line: string): Set<string> {
  return new Set(Array.from(line.matchAll(/"([^"]*)"/g), (match) => match[1] as string));
}

function* linesOf(text: string): Iterable<string> {
  let start = 0;
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
    yield text.slice(start, end);
    start = end + 1;
  }
  yield text.slice(start);
}
