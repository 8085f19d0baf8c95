/** What is known of a model without asking anybody. */
export interface CardFacts {
  /** The parsed `config.json`, where there is one. */
  readonly config: unknown;
  /** The parsed `adapter_config.json`, where there is one. */
  readonly adapter: unknown;
  readonly parameters: number;
  /** How many parameters have which dtype. */
  readonly dtypes: ReadonlyMap<string, number>;
  readonly files: readonly { readonly name: string; readonly size: string }[];
}

/**
 * A model card with front matter: library and base model where the configuration names them. What it cannot know, such as
 * the license, is left for its author to fill in, and said so.
 */
export function modelCard(facts: CardFacts): string {
  const config = asRecord(facts.config);
  const adapter = asRecord(facts.adapter);
  const base = text(adapter["base_model_name_or_path"]);
  const front = [
    "---",
    "# license: which one? See https://huggingface.co/docs/hub/repositories-licenses",
    ...frameworkOf(config, adapter).map((name) => `library_name: ${name}`),
    ...(base === undefined ? [] : [`base_model: ${JSON.stringify(base)}`]),
    "tags:",
    "- safetensors",
    "---",
  ];
  const architecture = text(asList(config["architectures"])[0]) ?? text(config["_class_name"]);
  const dtypes = [...facts.dtypes].map(([dtype, count]) => `${count.toLocaleString("en")} ${dtype}`);
  return `${[
    ...front,
    "",
    `# ${architecture ?? "Weights"}`,
    "",
    `${facts.parameters.toLocaleString("en")} parameters: ${dtypes.join(", ")}.`,
    "",
    "| file | size |",
    "|---|---|",
    ...facts.files.map(({ name, size }) => `| ${name} | ${size} |`),
  ].join("\n")}\n`;
}

/** The Hub takes a library from the card, and not from the configuration any more. */
function frameworkOf(
  config: Readonly<Record<string, unknown>>,
  adapter: Readonly<Record<string, unknown>>,
): readonly string[] {
  if (adapter["peft_type"] !== undefined) return ["peft"];
  if (config["_diffusers_version"] !== undefined) return ["diffusers"];
  return config["model_type"] === undefined ? [] : ["transformers"];
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** One line of text, or nothing: what a file says goes into another file. */
function text(value: unknown): string | undefined {
  return typeof value === "string" && /^[\w./@ -]{1,200}$/.test(value) ? value : undefined;
}
