import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import * as core from "../src/core.ts";
import { onnx } from "../src/formats/onnx/index.ts";
import { pytorch } from "../src/formats/pytorch/index.ts";
import { safetensors } from "../src/formats/safetensors/index.ts";
import * as neutral from "../src/index.ts";
import * as node from "../src/node.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Names that one entry has and another has not. */
function added(entry: object, base: object): readonly string[] {
  return Object.keys(entry)
    .filter((name) => !(name in base))
    .sort();
}

/** Types that an entry file exports by name. */
function typesOf(entry: string): readonly string[] {
  const text = readFileSync(join(root, "src", entry), "utf8");
  const lists = [...text.matchAll(/export (type )?\{([^}]*)\} from/g)];
  const names = lists.flatMap(([, allTypes, list]) =>
    (list as string)
      .split(",")
      .map((name) => name.trim())
      .filter((name) => allTypes || name.startsWith("type "))
      .map((name) => name.replace(/^type /, "")),
  );
  return names.filter((name) => name !== "").sort();
}

describe("the exported names are a promise", () => {
  test("of tensorferry/core", () => {
    expect(added(core, {})).toMatchInlineSnapshot(`
      [
        "ConvertError",
        "bytesSource",
        "cast",
        "createCastLosses",
        "createContext",
        "defaultLimits",
        "diffModels",
        "dtypes",
        "filter",
        "graphDict",
        "graphOf",
        "inspectModel",
        "inspectModelTensor",
        "intAttribute",
        "intsAttribute",
        "isConvertError",
        "moduleTree",
        "openModel",
        "parsePattern",
        "parseSize",
        "planConversion",
        "planOutput",
        "readBytes",
        "rename",
        "resolveTies",
        "restoreTies",
        "runPlan",
        "scanFiles",
        "scanModel",
        "section",
        "setMetadata",
        "tensorValues",
        "verifyModel",
      ]
    `);
    expect(typesOf("core.ts")).toMatchInlineSnapshot(`
      [
        "ByteSink",
        "ByteSource",
        "Candidate",
        "CastLosses",
        "CastOptions",
        "CastReport",
        "Checkpoint",
        "ConstantTensor",
        "ContextOptions",
        "ConvertOptions",
        "ConvertResult",
        "Copier",
        "CopyRequest",
        "DType",
        "DTypeReport",
        "DiffOptions",
        "DiffReport",
        "Dimension",
        "Dropped",
        "DuplicatePolicy",
        "ErrorKind",
        "ErrorSite",
        "ExactNumber",
        "ExternalData",
        "FilePlace",
        "FilesRequest",
        "FilterOptions",
        "Format",
        "FormatReader",
        "FormatRewriter",
        "FormatScanner",
        "FormatWriter",
        "GlobalUse",
        "GraphAttribute",
        "GraphBody",
        "GraphNode",
        "GraphReport",
        "GraphReportValue",
        "GraphValue",
        "Histogram",
        "InputFolder",
        "InputReport",
        "InspectOptions",
        "InspectReport",
        "LazyTensor",
        "Leftover",
        "Limits",
        "Match",
        "ModelInput",
        "ModelOutput",
        "ModuleNode",
        "NamedPlan",
        "Notice",
        "NoticeCode",
        "OpenedModel",
        "OperatorGraph",
        "OperatorSet",
        "OutputFolder",
        "OutputLayout",
        "OutputPlan",
        "OutputReport",
        "OutputRequest",
        "Pattern",
        "Piece",
        "PlannedConversion",
        "PlannedFile",
        "Probe",
        "Problem",
        "ProblemCode",
        "Progress",
        "Quantization",
        "ReadRequest",
        "RenameOptions",
        "RenameRule",
        "RunContext",
        "ScanFindings",
        "ScanOptions",
        "ScanReport",
        "Scratch",
        "Sha256",
        "SpreadWriter",
        "StateDictReport",
        "StorageView",
        "TensorDict",
        "TensorDifference",
        "TensorInfo",
        "TensorInspection",
        "TensorReport",
        "TensorValues",
        "TiedPolicy",
        "Verdict",
        "VerifyOptions",
        "VerifyReport",
        "VerifyTarget",
      ]
    `);
  });

  test("of tensorferry, beyond those", () => {
    expect(added(neutral, core)).toMatchInlineSnapshot(`
      [
        "builtinFormats",
        "onnx",
        "pytorch",
        "safetensors",
      ]
    `);
    expect(typesOf("index.ts")).toEqual([]);
  });

  test("of tensorferry/node, beyond those", () => {
    expect(added(node, neutral)).toMatchInlineSnapshot(`
      [
        "convert",
        "defineConfig",
        "diff",
        "edit",
        "inputFolder",
        "inspect",
        "inspectTensor",
        "loadConfig",
        "open",
        "outputFolder",
        "plan",
        "readNameMap",
        "resolveInput",
        "resolveOutput",
        "runJobs",
        "scan",
        "upload",
        "verify",
      ]
    `);
    expect(typesOf("node.ts")).toMatchInlineSnapshot(`
      [
        "Config",
        "ConvertPathOptions",
        "EditOptions",
        "EditReport",
        "InspectPathOptions",
        "Job",
        "JobResult",
        "LoadedConfig",
        "NamingPathOptions",
        "OpenModel",
        "OpenPathOptions",
        "PlannedPathConversion",
        "RunJobsOptions",
        "UploadPathOptions",
        "UploadReport",
        "UploadedFile",
      ]
    `);
  });

  test("of the entries for one format", () => {
    expect(safetensors.id).toBe("safetensors");
    expect(pytorch.id).toBe("pytorch");
    expect(onnx.id).toBe("onnx");
  });
});

describe("the package", () => {
  test("depends on what docs/dependencies.md argues for, and on nothing else", () => {
    expect(manifest.dependencies).toMatchInlineSnapshot(`
      {
        "@huggingface/hub": "2.17.5",
        "cli-progress": "3.12.0",
        "commander": "14.0.3",
        "picocolors": "1.1.1",
        "unplugin": "3.7.0",
        "yaml": "2.9.1",
      }
    `);
    const argued = readFileSync(join(root, "docs", "dependencies.md"), "utf8");
    for (const name of Object.keys(manifest.dependencies)) expect(argued).toContain(`## ${name}`);
  });

  test("pins every version", () => {
    const versions = Object.values({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(versions.filter((version) => !/^(npm:@[\w/-]+@)?\d+\.\d+\.\d+$/.test(String(version)))).toEqual(
      [],
    );
  });

  test("is ESM without side effects, and has these entries", () => {
    expect(manifest).toMatchObject({ type: "module", sideEffects: false });
    expect(Object.keys(manifest.exports)).toMatchInlineSnapshot(`
      [
        ".",
        "./core",
        "./node",
        "./safetensors",
        "./pytorch",
        "./onnx",
        "./plugin",
        "./client",
        "./package.json",
      ]
    `);
  });

  test("runs no install scripts", () => {
    const hooks = Object.keys(manifest.scripts).filter((name) => /^(pre|post)|^prepare$/.test(name));
    expect(hooks).toEqual([]);
  });
});

describe("every exported name says what its type does not", () => {
  const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .sort();

  test.each(files)("%s", (path) => {
    const lines = readFileSync(join(root, "src", path), "utf8").split("\n");
    const bare = lines.filter(
      (line, index) =>
        /^export (abstract |async )?(class|const|enum|function\*?|interface|type) \w/.test(line) &&
        !lines[index - 1]?.trimEnd().endsWith("*/"),
    );
    expect(bare).toEqual([]);
  });
});
