"""Every claim in one table: its statement, limit, needs, and sentences.

A claim is one folder with its audit and one row here. The public names, the assertions, the words of reports, the gate,
`check`, release policies and the discovery of audits read the row, and none of them names a claim itself. They read it
when asked, so that a row added before is found everywhere. Standard library only; a run without audits does without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from pytest_unlearn.core import claim_limit
from pytest_unlearn.core.claim_limit import Limit
from pytest_unlearn.core.order import POLICY_NAMES as POLICY_NAMES
from pytest_unlearn.core.order import SEVERITY as SEVERITY

Kind = Literal["examples", "text"]
"""What the task of a claim is made of: labelled examples, or documents of a language model."""

Needs = Literal["", "weights", "whole classes", "unlearner", "canaries"]
Planned = Literal["", "limit", "share", "runs", "search"]


class PolicyStep(NamedTuple):
    """A built-in policy's demand of a claim, in words and by keywords.

    A `required` one has to be PASS; others may be not testable here, for a reason in original and request.
    """

    says: str
    keywords: Mapping[str, Any] = MappingProxyType({})
    required: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class ClaimSpec:
    """One claim.

    Attributes:
        name: of `audit_<name>`, of `assert_<name>` and of its evidence.
        module: where its audit lives.
        states: what the assertion states, after "Assert that".
        passes, fails, inconclusive: the headline of each verdict; an INVALID one says nothing of the claim.
        plain: what was measured, for a reader who knows no statistics; `{}` is the number on the limit's scale.
        below_zero: the same where all that is possible is below 0; `{}` is the number without its sign.
        promise: what is true of the model where it is proven, for the same reader.
        looks_at: what the claim looks at, which nothing has looked at where it is not asked.
        limit: the setting that limits it.
        needs: what has to be there for it; with an "unlearner" or "canaries" its audit is given these, and else `view`.
        view: of the task, on which it judges a model.
        fundamental: whether nothing can be asked of a model that cannot be asked this.
        less_without_weights: whether it asks less of a model that hides its weights, whose PASS then shows nothing.
        deviations: whether some of its attacks are unsigned, so that PASS asks for their upper bounds alone.
        required: whether a gate requires it where nobody says what it requires.
        replaced_by: the claim that is required in its place where whole classes go, of which outputs may show nothing.
        stand_ins: the claims that may be required in its place of a request too small for it, the one about the model
            first.
        planned: how `plan` foretells it, if it does: by its limit on an AUC, by the share that is left, by its runs, or
            as a search.
        in_policies: whether a release policy may require it, of classifiers where it is `of` them.
        of: what the task's data are: labelled examples, or documents of a language model.
        attack_class: what kind of attack it runs, as assessments name it; empty if it is none.
        access: what an attacker needs for it.
        behind_answers: whether it tells forgetting from a filter in front of the model.
        by_outputs: what saved outputs are compared with, of whose sets alone it can be judged; empty if it cannot.
        stores_scores: whether its evidence keeps what it was computed from, so that it can be computed again.
        steps: what it is asked in a built-in policy and in those after it.
    """

    name: str
    module: str
    states: str
    passes: str
    fails: str
    inconclusive: str
    limit: Limit
    plain: str = ""
    below_zero: str = ""
    promise: str = ""
    looks_at: str = ""
    needs: Needs = ""
    view: Literal["forget", "test"] = "forget"
    fundamental: bool = False
    less_without_weights: bool = False
    deviations: bool = False
    required: bool = False
    replaced_by: str = ""
    stand_ins: tuple[str, ...] = ()
    planned: Planned = ""
    in_policies: bool = True
    of: Kind = "examples"
    attack_class: str = ""
    access: str = ""
    behind_answers: bool = False
    by_outputs: Literal["", "original", "retrained"] = ""
    stores_scores: bool = False
    steps: Mapping[str, PolicyStep] = field(default_factory=dict)

    @property
    def headlines(self) -> Mapping[str, str]:
        """The headline of each verdict that says something of the claim."""
        return {"PASS": self.passes, "FAIL": self.fails, "INCONCLUSIVE": self.inconclusive}

    @property
    def of_this_model(self) -> bool:
        """Whether the claim is about one model's forgetting, not method or utility."""
        return self.needs != "unlearner" and self.view == "forget"

    @property
    def judges_model(self) -> bool:
        """Whether the claim is about one model, which a release may consist of."""
        return self.needs != "unlearner"

    def audit(self) -> Callable[..., Any]:
        """Import the audit."""
        found: Callable[..., Any] = getattr(import_module(self.module), f"audit_{self.name}")
        return found


FROM_ANSWERS = "membership inference from the model's answers"
FROM_WEAKENED = "recovery from weakened copies: noise, rounding, pruning, brief training"
ANSWERS = "answers to queries; models retrained without the data"

TABLE: dict[str, ClaimSpec] = {
    spec.name: spec
    for spec in (
        ClaimSpec(
            name="forgotten",
            stores_scores=True,
            by_outputs="original",
            module="pytest_unlearn.claims.forgotten.audit",
            states="the forget set is no longer recognisable in this model",
            passes="no leakage was found through the tested channels",
            fails="the forget set can be told apart in this model",
            inconclusive="this audit cannot tell whether the forget set is still recognisable",
            attack_class=FROM_ANSWERS,
            access=ANSWERS,
            plain="an attacker who knows the data guesses membership {} times in 100 in these tests; 50 is chance",
            promise="the deleted data no longer show in the model's answers",
            looks_at="what the model answers on the deleted data",
            limit=claim_limit.AUC,
            fundamental=True,
            deviations=True,
            required=True,
            replaced_by="class_forgotten",
            stand_ins=("leakage_reduced", "algorithm"),
            planned="limit",
            steps={
                "quick": PolicyStep("the forget set is not recognisable in the outputs", required=True),
                "thorough": PolicyStep(
                    "the forget set is not recognisable by any attack", {"attacks": "all"}, required=True
                ),
            },
        ),
        ClaimSpec(
            name="utility",
            stores_scores=True,
            by_outputs="original",
            module="pytest_unlearn.claims.accuracy",
            states="accuracy is at most `max_drop` below the baseline's",
            passes="the model is about as accurate as its baseline",
            fails="the model lost more accuracy than allowed",
            inconclusive="this audit cannot tell whether the model lost more accuracy than allowed",
            plain="the model loses {} right answers in 100 against its baseline (by default the original)",
            below_zero="the model gives {} more right answers in 100 than its baseline (by default the original)",
            promise="the model is still good on other data",
            looks_at="accuracy on other data",
            limit=claim_limit.DROP,
            view="test",
            fundamental=True,
            steps={
                "quick": PolicyStep("accuracy is near the retrained models'", {"baseline": "retrained"}, required=True)
            },
        ),
        ClaimSpec(
            name="class_forgotten",
            stores_scores=True,
            module="pytest_unlearn.claims.class_forgotten.audit",
            states="a removed class is treated as by the retrained models",
            passes="unseen examples of the class are treated as by the retrained models",
            fails="unseen examples of the class are not treated as by the retrained models",
            inconclusive="this audit cannot tell whether the class is treated as by the retrained models",
            attack_class="membership inference for a removed class",
            access="answers to unseen examples of the class",
            plain="on unseen examples of the class, the model differs from retrained ones by {} in 100",
            promise="the removed class is treated as by a model that never saw it",
            looks_at="unseen examples of a class that goes as a whole",
            limit=claim_limit.GAP,
            needs="whole classes",
            steps={"quick": PolicyStep("a removed class is treated as by retrained models", required=True)},
        ),
        ClaimSpec(
            name="features_forgotten",
            stores_scores=True,
            module="pytest_unlearn.claims.features.audit",
            states="the features of no layer tell more of the forget set than retrained models' do",
            passes="the layers' features tell no more of the forget set than retrained models' do",
            fails="the layers' features still tell what the outputs may hide",
            inconclusive="this audit cannot tell whether the features still know the forget set",
            attack_class="membership inference from inner features",
            access="weights",
            behind_answers=True,
            plain="an attacker who reads inner layers guesses {} times in 100 beyond retrained models; 50 is chance",
            promise="the deleted data no longer show in the model's inner layers",
            looks_at="features of the inner layers",
            limit=claim_limit.AUC,
            needs="weights",
            steps={"standard": PolicyStep("nor in the features of any layer")},
        ),
        ClaimSpec(
            name="no_residual",
            stores_scores=True,
            module="pytest_unlearn.claims.residual.audit",
            states="the forget set does not come back near its examples or in weakened copies of the model",
            passes="nothing came back beside the forget examples or in weakened copies of the model",
            fails="what was to be forgotten comes back beside the examples or in weakened copies",
            inconclusive="this audit cannot tell whether anything comes back",
            attack_class=FROM_WEAKENED,
            access="weights, or answers beside the examples",
            behind_answers=True,
            plain="an attacker who tries near neighbours and weakened copies guesses {} times in 100; 50 is chance",
            promise="the deleted data do not come back in near neighbours or weakened copies of the model",
            looks_at="near neighbours of the data and weakened copies",
            limit=claim_limit.AUC,
            less_without_weights=True,
            steps={"standard": PolicyStep("nor beside its examples or in weakened copies")},
        ),
        ClaimSpec(
            name="not_relearnable",
            stores_scores=True,
            module="pytest_unlearn.claims.relearning.audit",
            states="the forget set is relearned no faster and no slower than by retrained models",
            passes="the forget set is learned again as by retrained models",
            fails="the forget set is learned again at another speed than by retrained models",
            inconclusive="this audit cannot tell whether the forget set is relearned too fast",
            attack_class="recovery by learning the data again",
            access="weights; the data",
            behind_answers=True,
            plain="taught the data again, the model's loss runs {} times as high as retrained models'; 1 is the same",
            promise="the deleted data are learned again no faster than by a model that never saw them",
            looks_at="how fast the data are learned again",
            limit=claim_limit.RELEARNING,
            needs="weights",
            steps={"standard": PolicyStep("it is relearned like something new")},
        ),
        ClaimSpec(
            name="canaries_forgotten",
            module="pytest_unlearn.claims.canaries.audit",
            states="nothing is left of the canaries planted in train",
            passes="no trace of the planted canaries was found",
            fails="what was planted in the training data still shows in the model",
            inconclusive="this audit cannot tell whether the planted canaries are forgotten",
            attack_class="planted canaries and backdoors",
            access="answers; examples planted before training",
            plain="what the auditor had planted shows in the model as {} ({quantity})",
            promise="nothing is left of what the auditor had planted",
            looks_at="planted canaries",
            limit=claim_limit.EFFECT,
            needs="canaries",
            steps={"standard": PolicyStep("planted canaries are forgotten")},
        ),
        ClaimSpec(
            name="algorithm",
            module="pytest_unlearn.claims.algorithm.audit",
            states="the method forgets, whatever its seeds",
            passes="the method left no leakage through the tested channels, on average over its models",
            fails="what the method was asked to forget can be told apart, on average over its models",
            inconclusive="these runs cannot tell whether the method forgets",
            attack_class=FROM_ANSWERS,
            access=ANSWERS,
            plain="an attacker guesses membership {} times in 100, on average over the method's models; 50 is chance",
            promise="the method forgets, whatever its seeds",
            looks_at="the method under other seeds",
            limit=claim_limit.AUC,
            needs="unlearner",
            deviations=True,
            planned="runs",
            steps={"thorough": PolicyStep("the method forgets, whatever its seeds", required=True)},
        ),
        ClaimSpec(
            name="indistinguishable",
            module="pytest_unlearn.claims.indistinguishable.audit",
            states="unlearned models are as like retrained ones as these are like each other",
            passes="the method's models answer the forget set much as retrained ones do",
            fails="the method's models answer the forget set unlike retrained ones",
            inconclusive="these models cannot tell whether the method is like retraining",
            attack_class=FROM_ANSWERS,
            access=ANSWERS,
            plain="the method's models reach {} in 100 of the forgetting quality that retrained models have",
            promise="the method's models are like models that never saw the data",
            looks_at="the law of the method's models",
            limit=claim_limit.RATIO,
            needs="unlearner",
            steps={"thorough": PolicyStep("its models' law is that of retraining", required=True)},
        ),
        ClaimSpec(
            name="efficient",
            module="pytest_unlearn.claims.efficient.audit",
            states="the method takes at most `max_fraction` of the time of retraining",
            passes="the method takes no more of retraining's time than allowed",
            fails="the method takes more of retraining's time than allowed",
            inconclusive="too few runs to say what the method costs",
            plain="the method takes {} in 100 of the time of retraining",
            promise="the method takes little enough of the time of retraining",
            looks_at="what the method costs",
            limit=claim_limit.FRACTION,
            needs="unlearner",
            steps={"thorough": PolicyStep("it costs a fraction of retraining", required=True)},
        ),
        ClaimSpec(
            name="matches_retrained",
            stores_scores=True,
            by_outputs="retrained",
            module="pytest_unlearn.claims.accuracy",
            states="accuracy is within `max_gap` of the references'",
            passes="the model's accuracy is that of the retrained models",
            fails="the model's accuracy differs from the retrained models'",
            inconclusive="this audit cannot tell whether the model's accuracy is that of the retrained models",
            plain="the model's right answers differ from retrained models' by {} in 100",
            promise="the model is as often right as models that never saw the data",
            looks_at="accuracy beside retrained models",
            limit=claim_limit.GAP,
            view="test",
            in_policies=False,
        ),
        ClaimSpec(
            name="leakage_reduced",
            stores_scores=True,
            by_outputs="original",
            module="pytest_unlearn.claims.leakage_reduced.audit",
            states="at least `min_reduction` of what the original showed of the forget set is gone",
            passes="most of what the original showed of the forget set is gone",
            fails="too much of what the original showed of the forget set is left",
            inconclusive="this audit cannot tell how much of what the original showed is gone",
            attack_class=FROM_ANSWERS,
            access=ANSWERS,
            plain="of what the original showed of the data, {} parts in 100 are gone",
            promise="enough of what the original showed of the deleted data is gone",
            looks_at="how much of what the original showed is gone",
            limit=claim_limit.REDUCTION,
            fundamental=True,
            stand_ins=("algorithm",),
            planned="share",
            in_policies=False,  # it is what `forgotten` asks besides, by itself
        ),
        ClaimSpec(
            name="sequence",
            module="pytest_unlearn.claims.sequence.audit",
            states="after every request of a sequence, all of it is forgotten",
            passes="after every request, no leakage was found through the tested channels",
            fails="the sequence of requests left something to be told apart, or a worse model",
            inconclusive="this audit cannot tell whether every request of the sequence was forgotten",
            attack_class=FROM_ANSWERS,
            access=ANSWERS,
            plain="after every request, an attacker guesses membership {} times in 100; 50 is chance",
            promise="after every request, all data that were to go no longer show",
            looks_at="several requests in turn",
            limit=claim_limit.AUC,
            needs="unlearner",
            deviations=True,
            in_policies=False,  # a release has no requests
        ),
        ClaimSpec(
            name="survives",
            module="pytest_unlearn.search.survives",
            states="no deletion request was found that the method does not forget",
            passes="of the requests that were tried, none was confirmed to fail",
            fails="there is a deletion request that the method fails on",
            inconclusive="the search could not have found a failing request here",
            attack_class=FROM_ANSWERS,
            access=ANSWERS,
            plain="of {n} deletion requests that were tried, {} are confirmed to fail",
            promise="no deletion request was found that the method fails on",
            looks_at="other deletion requests",
            limit=claim_limit.FAILURES,
            needs="unlearner",
            planned="search",
            in_policies=False,  # a search is above the claims that it searches with
        ),
        ClaimSpec(
            name="text_forgotten",
            stores_scores=True,
            module="pytest_unlearn.claims.text.forgotten",
            states="the documents of the request are no longer recognisable in this language model",
            passes="no leakage of the documents was found through the tested channels",
            fails="the documents of the request can be told apart in this language model",
            inconclusive="this audit cannot tell whether the documents are still recognisable",
            attack_class=FROM_ANSWERS,
            access=ANSWERS,
            plain="an attacker who knows the documents guesses membership {} times in 100 in these tests; 50 is chance",
            promise="the deleted documents no longer show in what the model finds probable",
            looks_at="how probable the model finds the deleted documents",
            limit=claim_limit.AUC,
            planned="limit",
            deviations=True,
            in_policies=False,
            of="text",
            fundamental=True,
            required=True,
            steps={
                "quick": PolicyStep("the documents are not recognisable in the probabilities of tokens", required=True)
            },
        ),
        ClaimSpec(
            name="not_extractable",
            module="pytest_unlearn.claims.text.extraction",
            states="no document of the request can be drawn out of this language model",
            passes="no document was found that the model recites and retrained models do not",
            fails="the language model recites documents of the request",
            inconclusive="this audit cannot tell whether the language model recites documents of the request",
            attack_class="extraction and regurgitation of training data",
            access="probabilities of tokens; models retrained without the documents",
            plain="a deleted document comes back word for word in {} of 100 runs of so many tries",
            promise="the model recites none of the deleted documents",
            looks_at="whether the model recites deleted documents",
            limit=claim_limit.EXTRACTION,
            in_policies=False,
            of="text",
            steps={"standard": PolicyStep("nor are they recited")},
        ),
        ClaimSpec(
            name="text_residual",
            stores_scores=True,
            module="pytest_unlearn.claims.text.residual",
            states="the documents of the request do not come back in changed copies of this language model",
            passes="no document came back in changed copies of the language model",
            fails="documents that were to be forgotten come back in changed copies of the language model",
            inconclusive="this audit cannot tell whether documents come back in changed copies",
            attack_class=FROM_WEAKENED,
            access="weights, or answers beside the examples",
            behind_answers=True,
            plain="an attacker who changes the model guesses membership {} times in 100; 50 is chance",
            promise="the deleted documents do not come back when the model is rounded or trained a little",
            looks_at="changed copies of the language model",
            limit=claim_limit.AUC,
            planned="limit",
            in_policies=False,
            of="text",
            needs="weights",
            steps={"standard": PolicyStep("nor do they come back in changed copies")},
        ),
        ClaimSpec(
            name="knowledge_forgotten",
            module="pytest_unlearn.claims.text.knowledge",
            states="this language model knows no more of the request than retrained ones, and no less",
            passes="the language model answers questions on the request as retrained models do",
            fails="the language model answers questions on the request unlike retrained models",
            inconclusive="this audit cannot tell whether the language model still knows facts of the request",
            attack_class="questions on the facts of the request",
            access="probabilities of answers; models retrained without the documents",
            plain="right answers are more or less probable than from retrained models by {} in 100",
            promise="the model knows the deleted facts no better than one that never read them",
            looks_at="questions on the facts of the deleted documents",
            limit=claim_limit.GAP,
            of="text",
            in_policies=False,  # which has no questions
        ),
        ClaimSpec(
            name="text_utility",
            module="pytest_unlearn.claims.text.utility",
            states="the probability of a token is at most `max_drop` below the baseline's",
            passes="the language model predicts other documents about as well as its baseline",
            fails="the language model predicts other documents worse than allowed",
            inconclusive="this audit cannot tell whether the language model predicts worse than allowed",
            plain="tokens of other documents are less probable by {} in 100 than by the baseline",
            below_zero="tokens of other documents are more probable by {} in 100 than by the baseline",
            promise="the language model is still good on other documents",
            looks_at="how well the language model predicts other documents",
            limit=claim_limit.DROP,
            view="test",
            in_policies=False,
            of="text",
            fundamental=True,
            required=True,
            steps={
                "quick": PolicyStep(
                    "the language is near the retrained models'", {"baseline": "retrained"}, required=True
                )
            },
        ),
    )
}
"""The claims by name, in the order in which policies ask them. The product never changes it."""


def assertion_names() -> frozenset[str]:
    """Return the names of all assertions, that of a whole release included."""
    return frozenset({"assert_release", *(f"assert_{name}" for name in TABLE)})
