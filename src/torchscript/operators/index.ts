import { complexRules } from "./complex/complex.ts";
import { complexPartRules } from "./complex/complex-parts.ts";
import { fourierRules } from "./complex/fourier.ts";
import { spectrogramRules } from "./complex/spectrogram.ts";
import { creationRules } from "./creation/creation.ts";
import { signalWindowRules } from "./creation/signal-windows.ts";
import { activationRules } from "./elements/activations.ts";
import { arithmeticRules } from "./elements/arithmetic.ts";
import { comparisonRules } from "./elements/comparisons.ts";
import { conversionRules } from "./elements/conversions.ts";
import { divisionRules } from "./elements/divisions.ts";
import { functionRules } from "./elements/functions.ts";
import { identityRules } from "./elements/identities.ts";
import { numericRules } from "./elements/numeric.ts";
import { powerRules } from "./elements/powers.ts";
import { shiftRules } from "./elements/shifts.ts";
import { signRules } from "./elements/signs.ts";
import { specialRules } from "./elements/special.ts";
import { countingRules } from "./indexing/counting.ts";
import { dataSelectionRules } from "./indexing/data-selection.ts";
import { indexingRules } from "./indexing/indexing.ts";
import { maskingRules } from "./indexing/masking.ts";
import { scatterRules } from "./indexing/scatters.ts";
import { attentionRules } from "./layers/attention.ts";
import { convolutionRules } from "./layers/convolution.ts";
import { deformableConvolutionRules } from "./layers/deformable-convolution.ts";
import { embeddingBagRules } from "./layers/embedding-bags.ts";
import { linearRules } from "./layers/linear.ts";
import { maxPoolingRules } from "./layers/max-pooling.ts";
import { nativeNormalizationRules } from "./layers/native-normalization.ts";
import { normalizationRules } from "./layers/normalization.ts";
import { poolingRules } from "./layers/pooling.ts";
import { resizeRules } from "./layers/resize.ts";
import { visionRules } from "./layers/vision.ts";
import { diagonalRules } from "./layout/diagonals.ts";
import { joinRules } from "./layout/joins.ts";
import { paddingRules } from "./layout/padding.ts";
import { patchRules } from "./layout/patches.ts";
import { repeatingRules } from "./layout/repeating.ts";
import { sectionRules } from "./layout/sections.ts";
import { stackRules } from "./layout/stacks.ts";
import { viewRules } from "./layout/views.ts";
import { classLossRules } from "./losses/class-losses.ts";
import { lossRules } from "./losses/losses.ts";
import { contractionRules } from "./products/contractions.ts";
import { groupedProductRules } from "./products/grouped-products.ts";
import { distanceRules } from "./products/pair-distances.ts";
import { productRules } from "./products/products.ts";
import { fakeQuantizeRules } from "./quantized/fake-quantize.ts";
import { quantizationRules } from "./quantized/quantization.ts";
import { quantizedForms } from "./quantized/quantized-forms.ts";
import { quantizedLayerRules } from "./quantized/quantized-layers.ts";
import { packedSequenceRules } from "./recurrent/packed-sequence.ts";
import { recurrentRules } from "./recurrent/recurrent.ts";
import { normRules } from "./reductions/norms.ts";
import { orderingRules } from "./reductions/ordering.ts";
import { quantileRules } from "./reductions/quantiles.ts";
import { reductionRules } from "./reductions/reductions.ts";
import { scanRules } from "./reductions/scans.ts";
import { statisticRules } from "./reductions/statistics.ts";
import type { OperatorRule } from "./rule.ts";

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
