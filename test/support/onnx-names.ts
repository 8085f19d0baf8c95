import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fixtures } from "./files.ts";

/** One network, exported by one torch: fixtures/README.md, "Names of ONNX weights". */
export interface ExportRow {
  readonly case: string;
  readonly opset: number;
  /** The state dict that was exported. */
  readonly tensors: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly number[];
    readonly sha256: string;
  }[];
  /** Convolutions with the norms that they took in. */
  readonly fused: Readonly<Record<string, readonly string[]>>;
  /** Of the graph that torch exports with the other weights. */
  readonly otherSha256: string;
}

/** A row with the paths of its files. */
export interface ExportCase extends ExportRow {
  readonly title: string;
  readonly graph: string;
  /** Other weights of the same network. */
  readonly other: string;
}

/** Every exported network of every torch. */
export const exportCases: readonly ExportCase[] = ["torch-1.13", "torch-2.13"].flatMap((maker) => {
  const folder = join(fixtures, "onnx-names");
  const { rows } = JSON.parse(readFileSync(join(folder, `${maker}.json`), "utf8")) as {
    rows: readonly ExportRow[];
  };
  return rows.map((row) => ({
    ...row,
    title: `${maker} ${row.case}`,
    graph: join(folder, maker, `${row.case}.onnx`),
    other: join(folder, maker, `${row.case}.pth`),
  }));
});
