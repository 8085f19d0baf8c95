// Compiles src/ to dist/. The command-line entry is made executable, as an installed package would have it.
import { execFileSync } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const tsc = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url));

if (process.argv.includes("--clean")) rmSync(`${root}/dist`, { recursive: true, force: true });
execFileSync(process.execPath, [tsc, "-b", "src/tsconfig.node.json"], { cwd: root, stdio: "inherit" });
chmodSync(`${root}/dist/cli/main.js`, 0o755);
