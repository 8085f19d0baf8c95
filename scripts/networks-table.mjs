const kinds = [
  ["classification", "Classification, torchvision"],
  ["segmentation", "Segmentation, torchvision"],
  ["detection", "Detection, torchvision"],
  ["video", "Video, torchvision"],
  ["quantized", "Quantized, torchvision"],
  ["transformers", "transformers"],
  ["architectures", "transformers, architectures in small sizes"],
  ["recurrent", "Recurrent, torch.nn"],
];
const ways = ["traced", "scripted"];

/** The page about networks, from results of test-networks.mjs. */
export function networksTable(all) {
  // Results that are marked so are of another version: they are named, and not counted.
  const results = all.filter(({ earlier }) => !earlier);
  const sections = kinds.map(([kind, title]) =>
    section(
      title,
      results.filter((own) => own.kind === kind),
      all.filter((own) => own.kind === kind && own.earlier && own.passes),
    ),
  );
  const releases = [...new Set(results.map(({ torch }) => torch).filter(Boolean))].sort();
  return `# Networks that compile

Made by \`scripts/test-networks.mjs\` with torch ${releases.join(" and ")}: the packages' own classes with random weights are saved as
TorchScript, compiled with \`tensorferry convert\`, and run in ONNX Runtime with the input that torch was given.

*Difference* is the largest of all outputs, as a part of the largest element of its output; up to 2e-4 passes. What a detection
network finds, and where the edges of its masks are, hangs on the last bits: with random weights torch's float32 and float64 often find different boxes.
So these networks, which keep 10 boxes (R-CNNs) or 20, are made such that both find the same; the graph is compared with float64. In brackets stands how far torch's float32 is from it,
and twice that passes as well. Quantized networks round at each layer, and what is half of a step goes either way; for the same archive, torch's own engines
gave outputs of resnet18 that were 4 and 5 steps apart. In brackets stand three steps of the output, and twice that passes. *Seconds* are those of the conversion alone, in a process that has loaded the library and has
converted nothing yet, and of the whole command; *torch* those of \`torch.jit.load\` and \`torch.onnx.export\` (the exporter of TorchScript,
opset 17) of the same archive, alone and with starting Python and importing torch. They ran right after each other, the median of three
where that is short, on a machine whose two cores did much other work, so that seconds compare within a row and not between rows; rows without were only compared. *Memory* is the peak of the command's process. Networks that stand nowhere here were not tried.

${summary(results)}
${sections.filter(Boolean).join("\n")}`;
}

function summary(results) {
  const rows = kinds.flatMap(([kind, title]) =>
    ways.map((way) => {
      const own = results.filter((result) => result.kind === kind && result.way === way && !result.isTorch);
      if (own.length === 0) return undefined;
      const passed = own.filter(({ passes }) => passes);
      const tried = passed.filter((result) => result.alone !== undefined);
      const both = tried.filter((result) => result.torchFails === undefined);
      const alone = both.filter((result) => result.alone <= result.torchAlone).length;
      const whole = both.filter((result) => result.seconds <= result.torchSeconds).length;
      const peak = Math.max(0, ...passed.map((result) => result.peak));
      const share = ((100 * passed.length) / own.length).toFixed(0);
      return `| ${title}, ${way} | ${passed.length} of ${own.length} (${share} %) | ${alone} of ${both.length} | ${whole} of ${both.length} | ${tried.length - both.length} of ${tried.length} | ${peak.toFixed(0)} MiB |`;
    }),
  );
  return `| networks | pass | faster than torch's exporter, alone | whole command | torch's exporter fails | most memory |
|---|---|---|---|---|---|
${rows.filter(Boolean).join("\n")}
`;
}

function section(title, results, earlier) {
  if (results.length === 0 && earlier.length === 0) return undefined;
  const passed = results.filter(({ passes }) => passes).sort(byName);
  const failed = results.filter(({ passes }) => !passes).sort(byName);
  const table = `| network | saved | million weights | difference | seconds alone | torch | whole command | torch | MiB |
|---|---|---|---|---|---|---|---|---|
${passed.map(row).join("\n")}
`;
  const list = failed.map(({ name, way, reason, isTorch }) => {
    const who = isTorch ? "torch does not save it: " : "";
    return `- ${shown(name)}, ${way}: ${who}${plain(reason)}`;
  });
  const refusals = failed.length === 0 ? "" : `\nNot:\n\n${list.join("\n")}\n`;
  const names = earlier.sort(byName).map(({ name, way }) => `${shown(name)} ${way}`);
  const others =
    names.length === 0 ? "" : `\nPassed with an earlier version, and not tried since: ${names.join(", ")}.\n`;
  return `## ${title}\n\n${passed.length === 0 ? "" : table}${refusals}${others}`;
}

function row(result) {
  const { name, way, parameters, worst, noise, torchFails } = result;
  const theirs = (seconds) => (torchFails === undefined ? shownSeconds(seconds) : "fails");
  const columns = [
    shown(name),
    way,
    (parameters / 1e6).toFixed(1),
    noise === undefined ? worst.toExponential(1) : `${worst.toExponential(1)} (${noise.toExponential(1)})`,
    shownSeconds(result.alone),
    theirs(result.torchAlone),
    shownSeconds(result.alone && result.seconds),
    theirs(result.torchSeconds),
    result.peak.toFixed(0),
  ];
  return `| ${columns.join(" | ")} |`;
}

const shownSeconds = (seconds) => seconds?.toFixed(seconds < 10 ? 2 : 0) ?? "–";

const byName = (a, b) => (a.name === b.name ? (a.way < b.way ? 1 : -1) : a.name < b.name ? -1 : 1);

const shown = (name) => name.replace(/^(transformers|small)-/, "");

/** The first of several reasons on one line, without the places of one machine; long ones are cut. */
function plain(reason) {
  const line = (reason ?? "")
    .split("\n")[0]
    .replace(/, written at \S+/g, "")
    .replaceAll("|", "\\|")
    .replaceAll("<", "\\<");
  return line.length > 240 ? `${line.slice(0, 240)} …` : line;
}
