import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { GraphReportValue } from "../../src/core/graph-report.ts";
import { fixtures } from "./files.ts";

/** A tensor as onnx itself sees it; fixtures/README.md explains the fields. */
export interface OnnxManifestTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  readonly sha256: string;
  readonly sparse?: boolean;
}

/** A row of fixtures/onnx.json. */
export interface OnnxManifestRow {
  readonly file: string;
  readonly sha256: string;
  readonly tensors: readonly OnnxManifestTensor[];
  /** Names of tensors of texts. */
  readonly others: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Tensors of training graphs by the path of the graph. */
  readonly training?: Readonly<Record<string, { readonly tensors: readonly OnnxManifestTensor[] }>>;
  readonly graph: {
    readonly irVersion: number;
    readonly producer: string;
    readonly opsets: readonly { readonly domain: string; readonly version: number }[];
    readonly inputs: readonly GraphReportValue[];
    readonly outputs: readonly GraphReportValue[];
  };
}

/** Every row of fixtures/onnx.json. */
export const onnxManifest = JSON.parse(
  readFileSync(join(fixtures, "onnx.json"), "utf8"),
) as readonly OnnxManifestRow[];
