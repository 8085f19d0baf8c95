import type { TensorInspection } from "../convert/look/inspect-tensor.ts";
import type { ExactNumber, TensorValues } from "../convert/look/tensor-values.ts";
import { formatBytes } from "../core/words.ts";
import { type Console, printable } from "./console.ts";

/** What is inside one tensor, for people. */
export function tensorText({ path, tensor }: TensorInspection, { width, colors }: Console): string {
  const shape = `${tensor.dtype} [${tensor.shape.join(", ")}]`;
  const lines = [
    colors.bold(`${printable(path)}: ${printable(tensor.name)}`),
    `${shape}, ${countOf(tensor.elements, "element")}, ${formatBytes(tensor.bytes)}`,
  ];
  if (tensor.min !== undefined) {
    const what = /^C\d/.test(tensor.dtype) ? "absolute values: " : "";
    const std = tensor.std === undefined ? "" : `, std ${short(tensor.std)}`;
    const mean = short(tensor.mean as number);
    lines.push(
      `${what}min ${short(tensor.min)}, max ${short(tensor.max as ExactNumber)}, mean ${mean}${std}`,
    );
  }
  const unusual = unusualCounts(tensor);
  if (unusual !== "") lines.push(unusual);
  if (tensor.first.length > 0) {
    const dots = tensor.elements > tensor.first.length ? ", …" : "";
    lines.push(`first: ${tensor.first.map(elementText).join(", ")}${dots}`);
  }
  return `${[...lines, ...histogramLines(tensor, Math.min(width, 100))].join("\n")}\n`;
}

function countOf(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

function unusualCounts({ elements, nan, positiveInfinity, negativeInfinity, zeros }: TensorValues): string {
  const parts = [
    [nan, "NaN"],
    [positiveInfinity, "+inf"],
    [negativeInfinity, "-inf"],
    [zeros, "zero"],
  ] as const;
  return parts
    .filter(([count]) => count > 0)
    .map(
      ([count, word]) =>
        `${count.toLocaleString("en")} ${word} (${((100 * count) / elements).toPrecision(3)} %)`,
    )
    .join(", ");
}

function short(number: ExactNumber): string {
  return typeof number === "number" ? String(Number(number.toPrecision(6))) : number;
}

function elementText(value: TensorValues["first"][number]): string {
  if (typeof value === "boolean") return String(value);
  if (typeof value !== "object") return short(value);
  const [real, imaginary] = value.map(short) as [string, string];
  return `${real}${imaginary.startsWith("-") ? "" : "+"}${imaginary}i`;
}

const blocks = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A line for each bin: where it begins, a bar, how many. */
function histogramLines({ histogram }: TensorValues, width: number): string[] {
  if (histogram === undefined || histogram.counts.length < 2) return [];
  const labels = histogram.edges.slice(0, -1).map((edge) => String(Number(edge.toPrecision(4))));
  const most = Math.max(...histogram.counts);
  const counts = histogram.counts.map((count) => count.toLocaleString("en"));
  const labelWidth = Math.max(...labels.map((label) => label.length));
  const countWidth = Math.max(...counts.map((count) => count.length));
  const room = Math.max(8, Math.min(48, width - labelWidth - countWidth - 4));
  return labels.map((label, index) => {
    const eighths = Math.ceil((8 * room * (histogram.counts[index] as number)) / most);
    const bar = "█".repeat(Math.floor(eighths / 8)) + (blocks[eighths % 8] as string);
    return `${label.padStart(labelWidth)}  ${bar.padEnd(room)}  ${(counts[index] as string).padStart(countWidth)}`;
  });
}
