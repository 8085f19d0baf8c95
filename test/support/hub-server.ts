import { type FileServer, startFileServer } from "./file-server.ts";

/** A Hub on this machine with one repository: an API, files behind redirects, and a store on another port that has them. */
export interface HubServer {
  readonly hub: FileServer;
  readonly store: FileServer;
  close(): Promise<void>;
}

const commit = "0123456789abcdef0123456789abcdef01234567";

/** Serves `files` as the repository `owner/name` at revision `main`. */
export async function startHubServer(files: Readonly<Record<string, Uint8Array>>): Promise<HubServer> {
  const listing = { sha: commit, siblings: Object.keys(files).map((rfilename) => ({ rfilename })) };
  const store = await startFileServer(
    Object.fromEntries(Object.entries(files).map(([path, bytes]) => [`/store/${path}`, bytes])),
  );
  const hub = await startFileServer({
    "/api/models/owner/name/revision/main": new TextEncoder().encode(JSON.stringify(listing)),
  });
  const prefix = `/owner/name/resolve/${commit}/`;
  hub.mishap = ({ path }) =>
    path.startsWith(prefix)
      ? { kind: "redirect", to: `${store.origin}/store/${path.slice(prefix.length)}?X-Signature=1` }
      : undefined;
  return { hub, store, close: async () => void (await Promise.all([hub.close(), store.close()])) };
}
