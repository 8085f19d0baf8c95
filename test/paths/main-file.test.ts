import { describe, expect, test } from "vitest";
import { mainFile } from "../../src/paths/main-file.ts";

function chosen(...names: readonly string[]): string {
  return mainFile([...names].sort(), "folder", () => undefined);
}

test("an ONNX model stands for a folder that has no checkpoint", () => {
  expect(chosen("config.json", "model.onnx", "model.onnx_data")).toBe("model.onnx");
  expect(chosen("model.onnx", "model_quantized.onnx")).toBe("model.onnx");
  expect(chosen("model.onnx", "model.safetensors")).toBe("model.safetensors");
  expect(() => chosen("encoder.onnx", "decoder.onnx")).toThrow("2");
});

describe("the file that stands for a folder of training", () => {
  test("is the model's, where the Trainer of transformers saved optimizer and scheduler beside it", () => {
    const others = [
      "optimizer.pt",
      "rng_state.pth",
      "scheduler.pt",
      "trainer_state.json",
      "training_args.bin",
    ];
    expect(chosen("pytorch_model.bin", ...others)).toBe("pytorch_model.bin");
    expect(chosen("model.safetensors", ...others)).toBe("model.safetensors");
  });

  test("is the model's states, where DeepSpeed saved the optimizer of each rank beside them", () => {
    const optimizers = [0, 1].map((rank) => `bf16_zero_pp_rank_${rank}_mp_rank_00_optim_states.pt`);
    expect(chosen("mp_rank_00_model_states.pt", ...optimizers)).toBe("mp_rank_00_model_states.pt");
  });

  test("is the first rank's in ZeRO stage 3, whose reader finds the others", () => {
    const parts = [0, 1].map((rank) => `zero_pp_rank_${rank}_mp_rank_00_model_states.pt`);
    expect(chosen(...parts)).toBe("zero_pp_rank_0_mp_rank_00_model_states.pt");
  });

  test("is refused where every file is the part of a rank", () => {
    const parts = [0, 1].map((rank) => `zero_pp_rank_0_mp_rank_0${rank}_model_states.pt`);
    expect(() => chosen(...parts)).toThrow("2 parts of a model");
    expect(() => chosen("mp_rank_00_model_states.pt", "mp_rank_01_model_states.pt")).toThrow(
      "2 parts of a model",
    );
  });

  test("lies further down, where DeepSpeed keeps several steps", () => {
    expect(() => chosen("global_step10", "latest", "zero_to_fp32.py")).toThrow("checkpoints of DeepSpeed");
  });
});
