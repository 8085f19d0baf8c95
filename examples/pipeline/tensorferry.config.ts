import { defineConfig } from "tensorferry/node";

export default defineConfig({
  jobs: {
    model: {
      input: "../../fixtures/pytorch/torch-2.13/network.pth",
      output: "out/model/",
      maxShardSize: "20kB",
      checksums: true,
      force: true,
    },
    half: {
      input: "../../fixtures/pytorch/torch-2.13/network.pth",
      output: "out/half.safetensors",
      dtype: "f16",
      metadata: { author: "me" },
      force: true,
    },
  },
});
