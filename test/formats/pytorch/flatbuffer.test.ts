import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fixtures } from "../../support/files.ts";
import { convertBytes } from "../../support/memory.ts";

describe("a script for mobile in a flatbuffer", () => {
  const file = "pytorch/more/packages/torch-2.13/flatbuffer-attributes.ptl";
  const sound = Uint8Array.from(readFileSync(join(fixtures, file)));

  test("that is cut short is refused or whole", async () => {
    for (let size = 0; size < sound.length; size += 32) {
      await expect(convertBytes("net.ptl", sound.slice(0, size)), `cut at ${size}`).rejects.toMatchObject({
        name: "ConvertError",
      });
    }
  });

  test("with any 4 bytes wrong converts or is refused in words", async () => {
    for (let at = 8; at + 4 <= sound.length; at += 4) {
      const damaged = sound.slice();
      damaged.fill(0xff, at, at + 4);
      const error = await convertBytes("net.ptl", damaged, { limits: { entries: 10_000 } }).catch(
        (reason: unknown) => reason,
      );
      if (error instanceof Error) expect(error.name, `byte ${at}: ${error.stack}`).toBe("ConvertError");
    }
  });
});
