"""List the methods by the names that a command line or a parametrised test uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unlearners._core.isolation import Unlearner

HOMES = {  # name -> where the method is defined, below `unlearners`
    "retrain": "exact.retrain.Retrain",
    "sisa": "exact.sisa.SISA",
    "ridge-downdate": "exact.ridge_downdate.RidgeDowndate",
    "gaussian-nb-downdate": "exact.gaussian_nb_downdate.GaussianNBDowndate",
    "certified-newton": "exact.certified_newton.CertifiedNewton",
    "descent-to-delete": "exact.descent_to_delete.DescentToDelete",
    "langevin": "exact.langevin.LangevinUnlearning",
    "noisy-fine-tune": "exact.noisy_fine_tune.NoisyFineTune",
    "dare": "exact.dare.DaRE",
    "unlearnable-extra-trees": "exact.extra_trees.UnlearnableExtraTrees",
    "influence-function": "influence.influence_function.InfluenceFunction",
    "puma": "influence.puma.PUMA",
    "wood-fisher": "influence.wood_fisher.WoodFisher",
    "warnecke-first-order": "influence.warnecke_first_order.WarneckeFirstOrder",
    "warnecke-second-order": "influence.warnecke_second_order.WarneckeSecondOrder",
    "amnesiac": "approximate.amnesiac.Amnesiac",
    "fine-tune": "approximate.fine_tune.FineTune",
    "l2-anchored-fine-tune": "approximate.l2_anchor.L2AnchoredFineTune",
    "l1-sparse": "approximate.l1_sparse.L1Sparse",
    "cf-k": "approximate.cf_k.CFk",
    "eu-k": "approximate.eu_k.EUk",
    "gradient-ascent": "approximate.gradient_ascent.GradientAscent",
    "neggrad-plus": "approximate.neggrad_plus.NegGradPlus",
    "random-labels": "approximate.random_labels.RandomLabels",
    "salun": "approximate.salun.SalUn",
    "fisher-forgetting": "approximate.fisher_forgetting.FisherForgetting",
    "scrub": "approximate.scrub.SCRUB",
    "scrub-rewind": "approximate.scrub_rewind.SCRUBRewind",
    "incompetent-teacher": "approximate.incompetent_teacher.IncompetentTeacher",
    "ssd": "approximate.ssd.SSD",
    "lfssd": "approximate.lfssd.LFSSD",
    "assd": "approximate.assd.ASSD",
    "jit": "approximate.jit.JiT",
    "lotus": "approximate.lotus.LoTUS",
    "rum": "approximate.rum.RUM",
    "projected-gradient": "approximate.projected_gradient.ProjectedGradient",
    "projected-ascent": "approximate.projected_ascent.ProjectedAscent",
    "in-sequence": "approximate.in_sequence.InSequence",
    "boundary-shrink": "approximate.boundary_shrink.BoundaryShrink",
    "boundary-expand": "approximate.boundary_expand.BoundaryExpand",
    "unsir": "class_removal.unsir.UNSIR",
    "linear-filtration": "class_removal.linear_filtration.LinearFiltration",
    "subspace-removal": "class_removal.subspace_removal.SubspaceRemoval",
    "fanchuan": "neurips2023.fanchuan.Fanchuan",
    "msg": "neurips2023.msg.MaskedSmallGradients",
    "seif": "neurips2023.seif.Seif",
    "prmq": "neurips2023.prmq.PRMQ",
    "conv-transpose": "neurips2023.conv_transpose.ConvolutionTranspose",
    "kde": "neurips2023.kde.KnowledgeDistillationEntropy",
    "repeated-noise": "neurips2023.repeated_noise.RepeatedNoise",
    "no-op": "decoys.NoOp",
    "exact-input-mask": "decoys.ExactInputMask",
    "nearest-neighbour-refusal": "decoys.NearestNeighbourRefusal",
    "last-layer-mask": "decoys.LastLayerMask",
    "logit-noise": "decoys.LogitNoise",
    "temperature-flattening": "decoys.TemperatureFlattening",
    "label-flip": "decoys.LabelFlip",
    "controls-leaking-retrain": "decoys.ControlsLeakingRetrain",
}


TEXT_HOMES = {  # those that unlearn documents, from causal language models
    "grad-ascent": "text.grad_ascent.GradAscent",
    "grad-diff": "text.grad_diff.GradDiff",
    "kl-minimisation": "text.kl_minimisation.KLMinimisation",
    "npo": "text.npo.NPO",
    "simnpo": "text.simnpo.SimNPO",
    "dpo-refusal": "text.dpo_refusal.DPORefusal",
    "rmu": "text.rmu.RMU",
    "task-vector-negation": "text.task_vector.TaskVectorNegation",
    "label-replacement": "text.label_replacement.LabelReplacement",
    "uld": "text.uld.ULD",
}


class Table(Mapping[str, "Callable[..., Unlearner]"]):
    """Map names to factories, which take hyper-parameters; import on first use."""

    def __init__(self, homes: Mapping[str, str]) -> None:
        self._homes = homes

    def __getitem__(self, name: str) -> Callable[..., Unlearner]:
        module, _, method = self._homes[name].rpartition(".")
        found: Callable[..., Unlearner] = getattr(import_module(f"unlearners.{module}"), method)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._homes)

    def __len__(self) -> int:
        return len(self._homes)


UNLEARNERS = Table(HOMES)
TEXT_UNLEARNERS = Table(TEXT_HOMES)
