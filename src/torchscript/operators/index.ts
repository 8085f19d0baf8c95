import { activationRules } from "./activations.ts";
import { arithmeticRules } from "./arithmetic.ts";
import { attentionRules } from "./attention.ts";
import { classLossRules } from "./class-losses.ts";
import { comparisonRules } from "./comparisons.ts";
import { complexRules } from "./complex.ts";
import { complexPartRules } from "./complex-parts.ts";
import { contractionRules } from "./contractions.ts";
import { conversionRules } from "./conversions.ts";
import { convolutionRules } from "./convolution.ts";
import { countingRules } from "./counting.ts";
import { creationRules } from "./creation.ts";
import { dataSelectionRules } from "./data-selection.ts";
import { deformableConvolutionRules } from "./deformable-convolution.ts";
import { diagonalRules } from "./diagonals.ts";
import { divisionRules } from "./divisions.ts";
import { embeddingBagRules } from "./embedding-bags.ts";
import { fakeQuantizeRules } from "./fake-quantize.ts";
import { fourierRules } from "./fourier.ts";
import { functionRules } from "./functions.ts";
import { groupedProductRules } from "./grouped-products.ts";
import { identityRules } from "./identities.ts";
import { indexingRules } from "./indexing.ts";
import { joinRules } from "./joins.ts";
import { linearRules } from "./linear.ts";
import { lossRules } from "./losses.ts";
import { maskingRules } from "./masking.ts";
import { maxPoolingRules } from "./max-pooling.ts";
import { nativeNormalizationRules } from "./native-normalization.ts";
import { normalizationRules } from "./normalization.ts";
import { normRules } from "./norms.ts";
import { numericRules } from "./numeric.ts";
import { orderingRules } from "./ordering.ts";
import { packedSequenceRules } from "./packed-sequence.ts";
import { paddingRules } from "./padding.ts";
import { distanceRules } from "./pair-distances.ts";
import { patchRules } from "./patches.ts";
import { poolingRules } from "./pooling.ts";
import { powerRules } from "./powers.ts";
import { productRules } from "./products.ts";
import { quantileRules } from "./quantiles.ts";
import { quantizationRules } from "./quantization.ts";
import { quantizedForms } from "./quantized-forms.ts";
import { quantizedLayerRules } from "./quantized-layers.ts";
import { recurrentRules } from "./recurrent.ts";
import { reductionRules } from "./reductions.ts";
import { repeatingRules } from "./repeating.ts";
import { resizeRules } from "./resize.ts";
import type { OperatorRule } from "./rule.ts";
import { scanRules } from "./scans.ts";
import { scatterRules } from "./scatters.ts";
import { sectionRules } from "./sections.ts";
import { shiftRules } from "./shifts.ts";
import { signalWindowRules } from "./signal-windows.ts";
import { signRules } from "./signs.ts";
import { specialRules } from "./special.ts";
import { spectrogramRules } from "./spectrogram.ts";
import { stackRules } from "./stacks.ts";
import { statisticRules } from "./statistics.ts";
import { viewRules } from "./views.ts";
import { visionRules } from "./vision.ts";

/** Every operator that can become part of a graph, family by family. */
const allRules: readonly OperatorRule[] = [
  ...complexRules,
  ...complexPartRules,
  ...fourierRules,
  ...activationRules,
  ...conversionRules,
  ...convolutionRules,
  ...deformableConvolutionRules,
  ...creationRules,
  ...arithmeticRules,
  ...comparisonRules,
  ...divisionRules,
  ...powerRules,
  ...fakeQuantizeRules,
  ...functionRules,
  ...groupedProductRules,
  ...identityRules,
  ...joinRules,
  ...linearRules,
  ...normalizationRules,
  ...numericRules,
  ...packedSequenceRules,
  ...poolingRules,
  ...attentionRules,
  ...indexingRules,
  ...maskingRules,
  ...normRules,
  ...paddingRules,
  ...productRules,
  ...repeatingRules,
  ...recurrentRules,
  ...reductionRules,
  ...resizeRules,
  ...stackRules,
  ...sectionRules,
  ...diagonalRules,
  ...contractionRules,
  ...distanceRules,
  ...patchRules,
  ...embeddingBagRules,
  ...scanRules,
  ...scatterRules,
  ...spectrogramRules,
  ...viewRules,
  ...countingRules,
  ...dataSelectionRules,
  ...orderingRules,
  ...visionRules,
  ...lossRules,
  ...classLossRules,
  ...signalWindowRules,
  ...maxPoolingRules,
  ...nativeNormalizationRules,
  ...quantileRules,
  ...statisticRules,
  ...shiftRules,
  ...signRules,
  ...specialRules,
  ...quantizationRules,
  ...quantizedLayerRules,
];

/** The rules by name; those of one name are overloads, tried in order. */
export const rulesByName: ReadonlyMap<string, readonly OperatorRule[]> = group([
  ...allRules,
  ...quantizedForms(allRules),
]);

function group(rules: readonly OperatorRule[]): ReadonlyMap<string, readonly OperatorRule[]> {
  const groups = new Map<string, OperatorRule[]>();
  for (const rule of rules) {
    const known = groups.get(rule.schema.name);
    if (known) known.push(rule);
    else groups.set(rule.schema.name, [rule]);
  }
  return groups;
}
