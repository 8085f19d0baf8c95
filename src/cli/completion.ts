/** A shell whose completion can be written. */
export type Shell = "bash" | "zsh" | "fish";

/** The shells there are. */
export const shells: readonly Shell[] = ["bash", "zsh", "fish"];

/** An option as a shell has to know it. */
export interface CompletedOption {
  /** With its dashes. */
  readonly flag: string;
  readonly description: string;
  /** What it takes: nothing, one of some words, a path, or what no shell can know. */
  readonly takes: "nothing" | "path" | "text" | readonly string[];
}

/** A command as a shell has to know it. */
export interface CompletedCommand {
  readonly name: string;
  readonly description: string;
  readonly options: readonly CompletedOption[];
  /** What its operands are. */
  readonly operands: "nothing" | "path" | readonly string[];
}

/** A script that teaches a shell to complete the words of `tensorferry`. */
export function completionScript(shell: Shell, commands: readonly CompletedCommand[]): string {
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](commands);
}

/** Where it has nothing to say, Bash completes paths by itself (`-o default`). Runs on the Bash 3.2 of macOS. */
function bashScript(commands: readonly CompletedCommand[]): string {
  const values = commands.flatMap(({ name, options }) =>
    options.flatMap(({ flag, takes }) =>
      typeof takes === "string" ? [] : [`    ${name}:${flag}) words=${quoted(takes.join(" "))} ;;`],
    ),
  );
  const silent = commands.flatMap(({ name, options }) =>
    options.filter(({ takes }) => takes === "path" || takes === "text").map(({ flag }) => `${name}:${flag}`),
  );
  const rest = commands.map(({ name, options, operands }) => {
    const flags = quoted(options.map(({ flag }) => flag).join(" "));
    const other = typeof operands === "string" ? "" : quoted(operands.join(" "));
    return `    ${name}) if [[ $current == -* ]]; then words=${flags}; else words=${other || "''"}; fi ;;`;
  });
  return `# Completion of tensorferry for Bash.
_tensorferry() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} words=
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    words=${quoted([...commands.map(({ name }) => name), "--help", "--version"].join(" "))}
  else
    case \${COMP_WORDS[1]}:$previous in
${values.join("\n")}
    ${silent.join(" | ")}) return ;;
    *)
    case \${COMP_WORDS[1]} in
${rest.join("\n")}
    esac ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  # What ends in = goes on in the same word.
  if [[ \${COMPREPLY[0]} == *= ]]; then compopt -o nospace 2>/dev/null; fi
}
complete -o default -F _tensorferry tensorferry
`;
}

/** Works from a folder of \`fpath\`, and when it is sourced. */
function zshScript(commands: readonly CompletedCommand[]): string {
  const described = commands.map(({ name, description }) => `    ${quoted(`${name}:${description}`)}`);
  const cases = commands.map(({ name, options, operands }) => {
    const specs = [...options.map(zshOption), ...zshOperands(operands)];
    return `    ${name})\n      _arguments \\\n${specs.map((spec) => `        ${quoted(spec)}`).join(" \\\n")} ;;`;
  });
  return `#compdef tensorferry
# Completion of tensorferry for zsh.
_tensorferry() {
  local -a commands
  commands=(
${described.join("\n")}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  shift words
  ((CURRENT--))
  case $words[1] in
${cases.join("\n")}
  esac
}
if [[ $funcstack[1] == _tensorferry ]]; then _tensorferry "$@"; else compdef _tensorferry tensorferry; fi
`;
}

/** Any option may be repeated: those that may not say so themselves. */
function zshOption({ flag, description, takes }: CompletedOption): string {
  const text = `*${flag}[${description.replace(/[[\]\\:]/g, "\\$&")}]`;
  if (takes === "nothing") return text;
  if (takes === "path") return `${text}:file:_files`;
  return takes === "text" ? `${text}:value: ` : `${text}:value:(${takes.join(" ")})`;
}

function zshOperands(operands: CompletedCommand["operands"]): readonly string[] {
  if (operands === "nothing") return [];
  return operands === "path" ? ["*:file:_files"] : [`1:word:(${operands.join(" ")})`];
}

function fishScript(commands: readonly CompletedCommand[]): string {
  const lines = ["# Completion of tensorferry for fish."];
  for (const { name, description, options, operands } of commands) {
    lines.push(
      `complete -c tensorferry -f -n __fish_use_subcommand -a ${name} -d ${fishQuoted(description)}`,
    );
    const within = `complete -c tensorferry -n '__fish_seen_subcommand_from ${name}'`;
    for (const { flag, description, takes } of options) {
      const value =
        takes === "nothing"
          ? ""
          : takes === "path"
            ? " -r -F"
            : takes === "text"
              ? " -x"
              : ` -x -a ${fishQuoted(takes.join(" "))}`;
      lines.push(`${within} -l ${flag.slice(2)}${value} -d ${fishQuoted(description)}`);
    }
    if (operands === "nothing") lines.push(`${within} -f`);
    else if (operands !== "path") lines.push(`${within} -f -a ${fishQuoted(operands.join(" "))}`);
  }
  return `${lines.join("\n")}\n`;
}

/** For Bash and zsh, which take everything between single quotes as it is. */
function quoted(text: string): string {
  return `'${text.replace(/'/g, "'\\''")}'`;
}

function fishQuoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
