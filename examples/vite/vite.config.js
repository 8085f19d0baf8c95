import * as tensorferry from "tensorferry/plugin";

export default {
  plugins: [tensorferry.vite()],
  build: { lib: { entry: "src/main.js", formats: ["es"], fileName: "main" }, assetsInlineLimit: 0 },
};
