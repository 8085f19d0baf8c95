import type { Traffic } from "../convert/open/open.ts";
import type { Notice } from "../core/context.ts";
import { formatBytes } from "../core/words.ts";
import { type Console, printable } from "./console.ts";

/** What reading over a network has cost, on standard error; nothing for a file on disk. */
export function reportTraffic(traffic: Traffic | undefined, console: Console): void {
  if (traffic === undefined) return;
  const requests = traffic.requests === 1 ? "1 request" : `${traffic.requests} requests`;
  console.err(`fetched ${formatBytes(traffic.bytes)} in ${requests}\n`);
}

const shownOfAKind = 5;

/** Notices for people, a line each on standard error; a crowd of one kind is cut short. */
export function reportNotices(notices: readonly Notice[], console: Console): void {
  const counts = new Map<string, number>();
  for (const { code, message } of notices) {
    const count = (counts.get(code) ?? 0) + 1;
    counts.set(code, count);
    if (count <= shownOfAKind) console.err(`${console.colors.yellow("note:")} ${printable(message)}\n`);
  }
  for (const [code, count] of counts) {
    const rest = count - shownOfAKind;
    if (rest > 0)
      console.err(
        `${console.colors.yellow("note:")} and ${rest} more of the kind "${code}"; --json lists all\n`,
      );
  }
}
