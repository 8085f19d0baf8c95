import type { Operand } from "../../emit/operand.ts";
import { type OperatorRule, perhapsViewRule, rule, viewRule } from "../rule.ts";

/** A number of a trace becomes an ordinary tensor. */
function asTensor(x: Operand): Operand {
  return x.isNumber ? { ...x, isNumber: false } : x;
}

/** Those that give the tensor itself, as far as numbers go. */
export const identityRules: readonly OperatorRule[] = [
  viewRule(
    "detach(Tensor self)",
    ({ self }) => asTensor(self),
    (_args, value) => value,
  ),
  ...["alias", "data", "resolve_conj", "resolve_neg", "cpu", "lift", "positive"].map((name) =>
    viewRule(
      `${name}(Tensor self)` as "a(Tensor self)",
      ({ self }) => self,
      (_args, value) => value,
    ),
  ),
  viewRule(
    "requires_grad_(Tensor self, any requires_grad=True)",
    ({ self }) => self,
    (_args, value) => value,
  ),
  viewRule(
    "detach_(Tensor self)",
    ({ self }) => self,
    (_args, value) => value,
  ),
  perhapsViewRule("contiguous(Tensor self, *, any memory_format=None)", ({ self }) => self),
  rule("clone(Tensor self, *, any memory_format=None)", ({ self }) => asTensor(self)),
  rule("lift_fresh(Tensor self)", ({ self }) => self),
  rule("lift_fresh_copy(Tensor self)", ({ self }) => self),
];
