import { ConvertError } from "../core/errors.ts";

/** A model repository of the Hub, or a file or folder in it. */
export interface HubAddress {
  /** `owner/name`. */
  readonly repository: string;
  /** A branch, tag or commit. */
  readonly revision: string;
  /** Below the repository, without slashes at its ends; empty for the whole. */
  readonly path: string;
}

const defaultRevision = "main";

/** What the Hub allows in names: letters, digits, and `-_.` within. */
const nameForm = /^[\w-][\w.-]*$/;

/** Reads `hf://owner/name[@revision][/path]`. Throws kind `usage` for another form. */
export function parseHubAddress(text: string): HubAddress {
  const match = /^hf:\/\/(?:models\/)?([^/@]+)\/([^/@]+)(?:@([^/]+))?(?:\/(.*))?$/.exec(text);
  const [, owner = "", name = "", revision, path = ""] = match ?? [];
  if (match === null || !nameForm.test(owner) || !nameForm.test(name)) {
    throw new ConvertError("usage", `"${text}" names no repository`, {
      hint: "write hf://owner/name, hf://owner/name/file or hf://owner/name@revision/file",
    });
  }
  return {
    repository: `${owner}/${name}`,
    // A revision such as refs/pr/1 has its slashes written as %2F, as in the Hub's own addresses.
    revision: revision === undefined ? defaultRevision : decodeURIComponent(revision),
    path: checkedPath(path, text),
  };
}

/** Reads the address of a page or file of a Hub: `https://endpoint/owner/name/blob/revision/path`; `undefined` for any other. */
export function parseHubUrl(url: URL, endpoint: string): HubAddress | undefined {
  if (url.origin !== new URL(endpoint).origin) return undefined;
  const match = /^\/([^/]+)\/([^/]+)(?:\/(?:resolve|blob|raw|tree)\/([^/]+)(?:\/(.*))?)?\/?$/.exec(
    url.pathname,
  );
  const [, owner = "", name = "", revision = defaultRevision, path = ""] = match ?? [];
  if (match === null || owner === "api" || owner === "datasets" || owner === "spaces") return undefined;
  return {
    repository: `${decodeURIComponent(owner)}/${decodeURIComponent(name)}`,
    revision: decodeURIComponent(revision),
    path: checkedPath(decodeURIComponent(path), url.href),
  };
}

function checkedPath(path: string, text: string): string {
  const parts = path.split("/").filter((part) => part !== "");
  if (parts.some((part) => part === "." || part === ".." || part.includes("\\"))) {
    throw new ConvertError("usage", `"${text}" has a path that leaves the repository`);
  }
  return parts.join("/");
}
