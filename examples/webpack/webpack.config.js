import * as tensorferry from "tensorferry/plugin";

export default {
  mode: "production",
  entry: "./src/main.js",
  experiments: { outputModule: true },
  output: {
    module: true,
    filename: "main.js",
    library: { type: "module" },
    assetModuleFilename: "assets/[name]-[hash][ext]",
  },
  plugins: [tensorferry.webpack()],
};
