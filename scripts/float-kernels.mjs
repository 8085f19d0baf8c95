// Assembles scripts/kernels/float-kernels.wat into src/bytes/float-kernels.ts.
//   npm run kernels              writes the file
//   npm run kernels -- --check   fails where it is not what the text says
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import wabt from "wabt";

const text = fileURLToPath(new URL("kernels/float-kernels.wat", import.meta.url));
const target = fileURLToPath(new URL("../src/bytes/float-kernels.ts", import.meta.url));

const { parseWat } = await wabt();
const module = parseWat("float-kernels.wat", readFileSync(text, "utf8"), { simd: true });
module.validate();
const { buffer } = module.toBinary({});
const lines = Buffer.from(buffer)
  .toString("base64")
  .match(/.{1,100}/g);

const source = `// Made by scripts/float-kernels.mjs from scripts/kernels/float-kernels.wat; do not edit.

/** A WebAssembly module of ${buffer.length} bytes in base64: casts between float32 and the 16-bit types. */
export const floatKernels =
${lines.map((line) => `  "${line}"`).join(" +\n")};
`;

if (!process.argv.includes("--check")) writeFileSync(target, source);
else if (readFileSync(target, "utf8") !== source) {
  console.error("src/bytes/float-kernels.ts is stale; run npm run kernels");
  process.exitCode = 1;
}
