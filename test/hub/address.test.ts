import { describe, expect, test } from "vitest";
import { parseHubAddress, parseHubUrl } from "../../src/hub/address.ts";

describe("an address of the Hub", () => {
  test.each([
    ["hf://owner/name", { repository: "owner/name", revision: "main", path: "" }],
    ["hf://owner/name/", { repository: "owner/name", revision: "main", path: "" }],
    ["hf://owner/name@v1.0", { repository: "owner/name", revision: "v1.0", path: "" }],
    ["hf://owner/na.me/a/b.pth", { repository: "owner/na.me", revision: "main", path: "a/b.pth" }],
    ["hf://owner/name@refs%2Fpr%2F1/a", { repository: "owner/name", revision: "refs/pr/1", path: "a" }],
    ["hf://models/owner/name", { repository: "owner/name", revision: "main", path: "" }],
  ])("%s", (text, address) => {
    expect(parseHubAddress(text)).toEqual(address);
  });

  test.each(["hf://", "hf://owner", "hf://../name", "hf://owner/name/../../other", "hf://owner/name/a\\b"])(
    "%s is none",
    (text) => {
      expect(() => parseHubAddress(text)).toThrow(expect.objectContaining({ kind: "usage" }));
    },
  );

  test.each([
    ["https://hub.example/owner/name", { repository: "owner/name", revision: "main", path: "" }],
    ["https://hub.example/o/n/blob/v1/a/b.pth", { repository: "o/n", revision: "v1", path: "a/b.pth" }],
    [
      "https://hub.example/o/n/resolve/main/b.pth?download=true",
      { repository: "o/n", revision: "main", path: "b.pth" },
    ],
  ])("may be that of a page: %s", (text, address) => {
    expect(parseHubUrl(new URL(text), "https://hub.example")).toEqual(address);
  });

  test.each([
    "https://other.example/owner/name",
    "https://hub.example/api/models",
    "https://hub.example/a/b/c",
  ])("%s is not of the Hub", (text) => {
    expect(parseHubUrl(new URL(text), "https://hub.example")).toBeUndefined();
  });
});
