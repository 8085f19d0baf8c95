import { writeFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { describe, expect, test } from "vitest";
import { join, little, type Part } from "../../../scripts/fixtures/failure/bytes.mjs";
import {
  call,
  dict,
  global,
  int,
  list,
  op,
  pickle,
  text,
  tuple,
} from "../../../scripts/fixtures/failure/pickle.mjs";
import type { ByteSource } from "../../../src/core/source.ts";
import { convert, open, scan } from "../../../src/node.ts";
import { temporaryFolder } from "../../support/files.ts";

const magic = join(0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, op.STOP);

/** The stream that `_load_from_bytes` takes: pickles, of which one is the storage behind `before`, and its elements. */
function stream(elements: number, ...before: readonly Part[]): Uint8Array {
  const id = tuple(
    text("storage"),
    global("torch", "FloatStorage"),
    text("0"),
    text("cpu"),
    int(elements),
    op.NONE,
  );
  const data = Uint8Array.from({ length: elements * 4 }, (_, index) => index % 251);
  const pickles = [
    magic,
    pickle(int(1001)),
    pickle(dict()),
    pickle(...before, id, op.BINPERSID),
    pickle(list(text("0"))),
  ];
  return join(...pickles, little(elements, 8), data);
}

/** A pickle of one tensor, with the stream as protocol 3 writes it; `length` is what is said of it. */
function fileOf(inner: Uint8Array, elements: number, length = inner.length): string {
  const storage = join(
    global("torch.storage", "_load_from_bytes"),
    0x42,
    little(length, 4),
    inner,
    op.TUPLE1,
    op.REDUCE,
  );
  const hooks = call(global("collections", "OrderedDict"));
  const tensor = call(
    global("torch._utils", "_rebuild_tensor_v2"),
    storage,
    int(0),
    tuple(int(elements)),
    tuple(int(1)),
    op.NEWFALSE,
    hooks,
  );
  const path = joinPath(temporaryFolder(), "weights.pkl");
  writeFileSync(path, pickle(dict(text("weight"), tensor)));
  return path;
}

async function bytesOf(path: string): Promise<Buffer> {
  const model = await open(path);
  const bytes = await model.read("weight");
  await model.close();
  return Buffer.from(bytes);
}

const evil = [op.MARK, call(global("os", "system"), text("true")), op.POP_MARK];

describe("a tensor in a plain pickle", () => {
  test.each([
    ["short, and read into memory", 100, []],
    ["long, and left in the file", 3000, []],
    [
      "long, with much in front of its elements, and read into memory",
      3000,
      [text("x".repeat(5000)), op.POP],
    ],
  ] as const)("is the same where it is %s", async (_, elements, before) => {
    const inner = stream(elements, ...before);
    expect((await bytesOf(fileOf(inner, elements))).equals(inner.subarray(-elements * 4))).toBe(true);
  });

  test("has a payload that is a place in the file, if it is long", async () => {
    const model = await open(fileOf(stream(200_000), 200_000));
    const payload = model.dict.tensors.get("weight")?.payload as ByteSource;
    expect(await payload.place?.(0)).toBeDefined();
    await model.close();
  });

  test.each([100, 3000])("hides no call in its stream of %i elements", async (elements) => {
    const file = fileOf(stream(elements, ...evil), elements);
    const report = await scan(file);
    expect(report.verdict).toBe("dangerous");
    expect(report.globals).toContainEqual(expect.objectContaining({ module: "os", name: "system" }));
    await expect(convert(file, `${file}.safetensors`)).rejects.toMatchObject({ kind: "unsafe" });
  });

  test("is refused where its stream says more than the file has", async () => {
    const inner = stream(3000);
    await expect(bytesOf(fileOf(inner, 3000, inner.length + 5000))).rejects.toMatchObject({
      kind: "malformed",
    });
    await expect(bytesOf(fileOf(inner.subarray(0, -400), 3000))).rejects.toMatchObject({ kind: "malformed" });
  });
});
