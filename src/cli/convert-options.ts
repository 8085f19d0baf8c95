import { type ConvertPathOptions, readNameMap } from "../node.ts";
import {
  type CostFlags,
  costsOf,
  type NamingFlags,
  namingOf,
  parseChoice,
  parsePairs,
  parseRules,
  parseShardSize,
  parseVariant,
} from "./options.ts";
import { parseScript, type ScriptFlags } from "./script-options.ts";

/** Options as they stand on the command line. */
export interface ConvertFlags extends CostFlags, NamingFlags, ScriptFlags {
  readonly from?: string;
  readonly to?: string;
  readonly maxShardSize?: string;
  readonly externalData?: string;
  readonly variant?: string;
  readonly carry: boolean;
  readonly hub?: boolean;
  readonly select?: string;
  readonly all?: boolean;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly rename?: readonly string[];
  readonly map?: string;
  readonly stripPrefix?: string;
  readonly addPrefix?: string;
  readonly inputPrefix?: readonly string[];
  readonly duplicates?: string;
  readonly dtype?: readonly string[];
  readonly tied?: string;
  readonly keep?: readonly string[];
  readonly metadata?: readonly string[];
  readonly template?: string;
  readonly verify?: boolean;
  readonly checksums?: boolean;
  readonly resume?: boolean;
  readonly strict?: boolean;
  readonly allow?: readonly string[];
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly progress: boolean;
}

/** What the words of `convert` ask for. */
export async function convertOptions(flags: ConvertFlags): Promise<ConvertPathOptions> {
  return {
    ...outputOptions(flags),
    ...(await choiceOptions(flags)),
    naming: namingOf(flags),
    template: flags.template,
    script: await parseScript(flags),
    strict: flags.strict,
    allow: flags.allow,
    ...costsOf(flags),
  };
}

const externalDataWords = ["auto", "always", "never", "safetensors", "pytorch"] as const;

function outputOptions(flags: ConvertFlags): ConvertPathOptions {
  return {
    from: flags.from,
    to: flags.to,
    maxShardBytes: parseShardSize(flags.maxShardSize),
    externalData: parseChoice(flags.externalData, externalDataWords, "--external-data"),
    variant: parseVariant(flags.variant),
    carry: flags.carry,
    hub: flags.hub,
    metadata: parsePairs(flags.metadata, "--metadata"),
    verify: flags.verify,
    checksums: flags.checksums,
    resume: flags.resume,
    force: flags.force,
  };
}

async function choiceOptions(flags: ConvertFlags): Promise<ConvertPathOptions> {
  return {
    select: flags.select,
    all: flags.all,
    include: flags.include,
    exclude: flags.exclude,
    rename: parseRules(flags.rename),
    map: flags.map === undefined ? undefined : await readNameMap(flags.map),
    stripPrefix: flags.stripPrefix,
    addPrefix: flags.addPrefix,
    inputPrefixes: flags.inputPrefix,
    duplicates: parseChoice(flags.duplicates, ["error", "first", "last"], "--duplicates"),
    dtype: flags.dtype,
    tied: parseChoice(flags.tied, ["drop", "copy"], "--tied"),
    keep: flags.keep,
  };
}
