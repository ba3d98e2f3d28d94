"""Delete rows from extremely randomised trees."""

from dataclasses import dataclass

from unlearners.exact.dare import DaRE


@dataclass(frozen=True, kw_only=True)
class UnlearnableExtraTrees(DaRE):
    """Delete rows from extremely randomised trees, one threshold a feature.

    Source: Geurts, Ernst and Wehenkel 2006; Schelter, Grafberger and Dunning 2021, "HedgeCut: maintaining randomised
    trees for low-latency machine unlearning". A node takes the best by Gini impurity of one uniformly drawn threshold
    for each of some features. HedgeCut grows the alternatives of splits that few deletions would overturn in advance,
    which answers at once and up to a number of deletions; here the subtree is grown when the time comes, for any
    number. Exact, as `DaRE` is.

    trees, max_features, max_depth: as in `DaRE`; HedgeCut and this take 100 trees.
    """

    trees: int = 100
    random_depth: int = 0
    thresholds: int = 1
