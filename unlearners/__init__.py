"""Reference unlearning methods: one a file, each a callable `unlearner(model, retain, forget, *, seed) -> model`.

Every method leaves its input untouched and returns a new model. The package knows nothing of the auditor, so a
method here is judged exactly as yours is. Names load on first use: importing `unlearners` does not import torch.

`exact` methods equal retraining or are certified; `influence` methods take one step along gradients and curvature;
`approximate` ones train on; `class_removal` removes whole classes; `neurips2023` holds prize solutions of that
challenge; `decoys` only look like unlearning.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from unlearners.table import HOMES, UNLEARNERS

if TYPE_CHECKING:
    from unlearners.adapters import from_loaders, to_loaders
    from unlearners.approximate.amnesiac import Amnesiac
    from unlearners.approximate.boundary_expand import BoundaryExpand
    from unlearners.approximate.boundary_shrink import BoundaryShrink
    from unlearners.approximate.cf_k import CFk
    from unlearners.approximate.eu_k import EUk
    from unlearners.approximate.fine_tune import FineTune
    from unlearners.approximate.fisher_forgetting import FisherForgetting
    from unlearners.approximate.gradient_ascent import GradientAscent
    from unlearners.approximate.incompetent_teacher import IncompetentTeacher
    from unlearners.approximate.l1_sparse import L1Sparse
    from unlearners.approximate.l2_anchor import L2AnchoredFineTune
    from unlearners.approximate.lfssd import LFSSD
    from unlearners.approximate.neggrad_plus import NegGradPlus
    from unlearners.approximate.random_labels import RandomLabels
    from unlearners.approximate.salun import SalUn
    from unlearners.approximate.scrub import SCRUB
    from unlearners.approximate.scrub_rewind import SCRUBRewind
    from unlearners.approximate.ssd import SSD
    from unlearners.class_removal.linear_filtration import LinearFiltration
    from unlearners.class_removal.unsir import UNSIR
    from unlearners.common.isolation import Unsupported
    from unlearners.decoys import (
        ControlsLeakingRetrain,
        ExactInputMask,
        LabelFlip,
        LastLayerMask,
        LogitNoise,
        NearestNeighbourRefusal,
        NoOp,
        TemperatureFlattening,
    )
    from unlearners.exact.certified_newton import CertifiedNewton
    from unlearners.exact.descent_to_delete import DescentToDelete
    from unlearners.exact.gaussian_nb_downdate import GaussianNBDowndate
    from unlearners.exact.retrain import Retrain
    from unlearners.exact.ridge_downdate import RidgeDowndate
    from unlearners.exact.sisa import SISA
    from unlearners.influence.influence_function import InfluenceFunction
    from unlearners.influence.puma import PUMA
    from unlearners.influence.warnecke_first_order import WarneckeFirstOrder
    from unlearners.influence.warnecke_second_order import WarneckeSecondOrder
    from unlearners.neurips2023.conv_transpose import ConvolutionTranspose
    from unlearners.neurips2023.fanchuan import Fanchuan
    from unlearners.neurips2023.kde import KnowledgeDistillationEntropy
    from unlearners.neurips2023.msg import MaskedSmallGradients
    from unlearners.neurips2023.prmq import PRMQ
    from unlearners.neurips2023.repeated_noise import RepeatedNoise
    from unlearners.neurips2023.seif import Seif

_HOMES = {home.rpartition(".")[2]: home.rpartition(".")[0] for home in HOMES.values()}
_HOMES |= {"Unsupported": "common.isolation", "from_loaders": "adapters", "to_loaders": "adapters"}

__all__ = [
    "LFSSD",
    "PRMQ",
    "PUMA",
    "SCRUB",
    "SISA",
    "SSD",
    "UNLEARNERS",
    "UNSIR",
    "Amnesiac",
    "BoundaryExpand",
    "BoundaryShrink",
    "CFk",
    "CertifiedNewton",
    "ControlsLeakingRetrain",
    "ConvolutionTranspose",
    "DescentToDelete",
    "EUk",
    "ExactInputMask",
    "Fanchuan",
    "FineTune",
    "FisherForgetting",
    "GaussianNBDowndate",
    "GradientAscent",
    "IncompetentTeacher",
    "InfluenceFunction",
    "KnowledgeDistillationEntropy",
    "L1Sparse",
    "L2AnchoredFineTune",
    "LabelFlip",
    "LastLayerMask",
    "LinearFiltration",
    "LogitNoise",
    "MaskedSmallGradients",
    "NearestNeighbourRefusal",
    "NegGradPlus",
    "NoOp",
    "RandomLabels",
    "RepeatedNoise",
    "Retrain",
    "RidgeDowndate",
    "SCRUBRewind",
    "SalUn",
    "Seif",
    "TemperatureFlattening",
    "Unsupported",
    "WarneckeFirstOrder",
    "WarneckeSecondOrder",
    "from_loaders",
    "to_loaders",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
