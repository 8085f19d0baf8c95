/** Operators that draw random numbers; most have a form in place, which is named like them with a final `_`. */
const random: ReadonlySet<string> = new Set(
  [
    "bernoulli cauchy exponential geometric log_normal multinomial normal poisson rand rand_like randint randint_like",
    "randn randn_like random randperm uniform binomial fractional_max_pool2d fractional_max_pool3d",
  ].flatMap((line) => line.split(" ")),
);

/** What to do about an operator that no graph has a place for; `""` where there is nothing to say but its name. */
export function adviceOn(name: string): string {
  if (!random.has(name.replace(/_$/, ""))) return "";
  return "random numbers are not drawn by a graph: export the model in evaluation mode, or let it take them as an input";
}
