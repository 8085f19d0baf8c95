// Compiles src/ to dist/, and bundles the command line into dist/bin/: a hundred files less to find and open halve the
// time that a command needs to start.
import { execFileSync } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const tsc = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url));

if (process.argv.includes("--clean")) rmSync(`${root}/dist`, { recursive: true, force: true });
execFileSync(process.execPath, [tsc, "-b", "src/tsconfig.node.json"], { cwd: root, stdio: "inherit" });

// Chunks have new names whenever they change; those of an earlier build would stay for ever.
rmSync(`${root}/dist/bin`, { recursive: true, force: true });
await build({
  // The thread that copies is a program of its own, which `node/copier.ts` looks for beside itself.
  entryPoints: { tensorferry: `${root}/dist/cli/main.js`, "copy-worker": `${root}/dist/node/copy-worker.js` },
  outdir: `${root}/dist/bin`,
  bundle: true,
  // What a command does not use, it does not load.
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  packages: "external",
  legalComments: "none",
  logLevel: "warning",
});
chmodSync(`${root}/dist/bin/tensorferry.js`, 0o755);
