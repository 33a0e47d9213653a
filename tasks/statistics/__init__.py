"""Statistics of experiments, on numbers alone: planning, comparisons, bounds, posteriors.

The unit is the user. Means, proportions, ratios and CUPED are tea-tasting's (`compare.py`, the one
module that imports it); the bounds, the confidence sequence and the posteriors are our own
(docs/decisions/0049-statistics.md).
"""
