"""All workloads by their names: those of losses and their derivatives, and contractions."""

from __future__ import annotations

from bench.contractions import CONTRACTIONS
from bench.densities import DENSITIES
from bench.factors import FACTORS
from bench.regression import REGRESSION

FAMILIES = {"losses": [*REGRESSION, *FACTORS, *DENSITIES], "contractions": CONTRACTIONS}
WORKLOADS = {workload.name: workload for family in FAMILIES.values() for workload in family}
