import * as tensorferry from "tensorferry/plugin";

export default {
  input: "src/main.js",
  output: { dir: "dist", format: "es", assetFileNames: "assets/[name]-[hash][extname]" },
  plugins: [tensorferry.rollup()],
};
