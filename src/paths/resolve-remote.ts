import type { ModelInput } from "../convert/open/open.ts";
import type { Notice } from "../core/context.ts";
import { ConvertError } from "../core/errors.ts";
import { type HubAddress, parseHubAddress, parseHubUrl } from "../hub/address.ts";
import { openRepository } from "../hub/repository.ts";
import { type HubSettings, hubSettings } from "../node/hub-settings.ts";
import { createNetwork, type Network } from "../web/network.ts";
import { urlFolder } from "../web/url-folder.ts";
import { mainFile } from "./main-file.ts";

/** Whether a path is an address on a network. */
export function isRemote(path: string): boolean {
  return /^(https?|hf):\/\//.test(path);
}

/**
 * What an address means: a file on a server, or the model in a repository of the Hub or in a folder of it; read by
 * ranges. Throws kind `io` where it cannot be had, `usage` where the address makes no sense.
 */
export async function resolveRemote(text: string, signal: AbortSignal | undefined): Promise<ModelInput> {
  const inputs = await remoteInputs(text, signal);
  if (inputs.length === 1) return inputs[0];
  const notices: Notice[] = [];
  const name = mainFile(inputs.map((input) => input.name).sort(), text, (notice) => notices.push(notice));
  const siblings = inputs.map((input) => input.name);
  return { ...(inputs.find((input) => input.name === name) as ModelInput), notices, siblings };
}

/** Never none. */
type RemoteInputs = readonly [ModelInput, ...ModelInput[]];

/** All files that an address means, for whoever looks at each: those of a repository, or of a folder in it and below. */
export async function remoteInputs(
  text: string,
  signal: AbortSignal | undefined,
  depth: "folder" | "below" = "folder",
): Promise<RemoteInputs> {
  const settings = hubSettings();
  const network = createNetwork({ tokens: tokensOf(settings) });
  const url = text.startsWith("hf://") ? undefined : parseUrl(text);
  const address = url === undefined ? parseHubAddress(text) : parseHubUrl(url, settings.endpoint);
  if (address !== undefined) return inRepository(address, settings, network, signal, depth);
  return [onServer(url as URL, network, signal)];
}

/** The Hub alone is sent the token, not where it redirects to. */
function tokensOf({ endpoint, token }: HubSettings): ReadonlyMap<string, string> {
  return new Map(token === undefined ? [] : [[new URL(endpoint).origin, token]]);
}

function parseUrl(text: string): URL {
  if (URL.canParse(text)) return new URL(text);
  throw new ConvertError("usage", `"${text}" is no address`);
}

function onServer(url: URL, network: Network, signal: AbortSignal | undefined): ModelInput {
  const name = decodeURIComponent(url.pathname.slice(url.pathname.lastIndexOf("/") + 1));
  if (name === "") {
    throw new ConvertError("usage", "the address ends in a slash and names no file", { file: url.href });
  }
  // What may be a signature in the address of the one file is of no use for those beside it.
  const beside = (other: string): URL =>
    new URL(other.split("/").map(encodeURIComponent).join("/"), url.origin + url.pathname);
  const folder = urlFolder((wanted) => (wanted === name ? url : beside(wanted)), network, signal);
  return { folder, name, traffic: network.traffic };
}

async function inRepository(
  address: HubAddress,
  { endpoint }: HubSettings,
  network: Network,
  signal: AbortSignal | undefined,
  depth: "folder" | "below",
): Promise<RemoteInputs> {
  const { files, urlOf } = await openRepository(address, endpoint, network, signal);
  const known = new Set(files);
  const inputOf = (path: string): ModelInput => {
    const directory = path.slice(0, path.lastIndexOf("/") + 1);
    const find = (name: string) => (known.has(directory + name) ? urlOf(directory + name) : undefined);
    return {
      folder: urlFolder(find, network, signal),
      name: path.slice(directory.length),
      traffic: network.traffic,
    };
  };
  if (known.has(address.path)) return [inputOf(address.path)];
  const prefix = address.path === "" ? "" : `${address.path}/`;
  const below = files.filter((path) => path.startsWith(prefix));
  const wanted = depth === "below" ? below : below.filter((path) => !path.slice(prefix.length).includes("/"));
  const [first, ...others] = wanted.map(inputOf);
  if (first !== undefined) return [first, ...others];
  throw new ConvertError(
    "io",
    `the repository ${address.repository} has no file or folder "${address.path}"`,
  );
}
