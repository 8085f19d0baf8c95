import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { FailureRow, SurvivorRow } from "../../scripts/fixtures/failure/cases.mjs";
import { fixtures } from "./files.ts";

/** The folder of broken and hostile samples. */
export const failures: string = join(fixtures, "failure");

const rows = JSON.parse(readFileSync(join(failures, "manifest.json"), "utf8")) as readonly (
  | FailureRow
  | SurvivorRow
)[];

/** Samples that are refused. */
export const refused = rows.filter((row): row is FailureRow => row.exit !== 0);

/** Samples that look dangerous and convert, since nothing in them is run. */
export const survivors = rows.filter((row): row is SurvivorRow => row.exit === 0);
