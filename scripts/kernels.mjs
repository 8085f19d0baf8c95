// Assembles the texts of scripts/kernels/ into the modules of src/.
//   npm run kernels              writes the files
//   npm run kernels -- --check   fails where they are not what the texts say
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import wabt from "wabt";
import { transposeKernels } from "./kernels/transpose-kernels.mjs";

const place = (path) => fileURLToPath(new URL(path, import.meta.url));
const { parseWat } = await wabt();

function assemble(text, { name, target, origin, about }) {
  const module = parseWat(origin, text, { simd: true });
  module.validate();
  const { buffer } = module.toBinary({});
  const lines = Buffer.from(buffer)
    .toString("base64")
    .match(/.{1,100}/g);
  const source = `// Made by scripts/kernels.mjs from scripts/kernels/${origin}; do not edit.

/** A WebAssembly module of ${buffer.length} bytes in base64: ${about}. */
export const ${name} =
${lines.map((line) => `  "${line}"`).join(" +\n")};
`;
  if (!process.argv.includes("--check")) writeFileSync(place(`../${target}`), source);
  else if (readFileSync(place(`../${target}`), "utf8") !== source) {
    console.error(`${target} is stale; run npm run kernels`);
    process.exitCode = 1;
  }
}

assemble(readFileSync(place("kernels/float-kernels.wat"), "utf8"), {
  name: "floatKernels",
  target: "src/bytes/float-kernels.ts",
  origin: "float-kernels.wat",
  about: "casts between float32 and the 16-bit types",
});
assemble(transposeKernels(), {
  name: "transposeKernels",
  target: "src/strides/transpose-kernels.ts",
  origin: "transpose-kernels.mjs",
  about: "transposes of matrices with elements of 1, 2, 4 and 8 bytes",
});
