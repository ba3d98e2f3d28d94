"""TransformersRecipe: classifiers of images and texts, trained by Trainer."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from pytest_unlearn.core.arguments import finite_number, whole_number
from pytest_unlearn.training.arrays import stack
from pytest_unlearn.training.global_state import RANDOM_STATES, restored
from pytest_unlearn.training.quiet import as_tensors, check_extra, trained, unheard
from pytest_unlearn.training.recipes import check_build, check_key
from pytest_unlearn.training.seeding import isolated
from pytest_unlearn.training.signatures import checked_device

if TYPE_CHECKING:
    from pytest_unlearn.core.evidence import Evidence

_NOTHING_IS_LEFT = "a training leaves no file and prints nothing"
_TAKEN = {
    **dict.fromkeys(("output_dir", "logging_dir", "report_to", "save_strategy", "push_to_hub"), _NOTHING_IS_LEFT),
    **dict.fromkeys(("disable_tqdm", "logging_strategy", "load_best_model_at_end"), _NOTHING_IS_LEFT),
    **dict.fromkeys(("eval_strategy", "do_eval"), "a recipe has nothing to evaluate on"),
    **dict.fromkeys(("seed", "data_seed", "full_determinism"), "each training is given a seed of its own"),
    "num_train_epochs": "use epochs=",
    "max_steps": "use epochs=",
    "per_device_train_batch_size": "use batch_size=",
    "learning_rate": "use learning_rate=",
    "use_cpu": "use device=",
}


class TransformersClassifier(nn.Module):
    """Wrap a classifier of transformers: a batch of inputs in, logits out.

    Args:
        model: for image or sequence classification, such as `ViTForImageClassification`. Images are `pixel_values`;
            of token ids those that are the configuration's `pad_token_id` are masked.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        if not hasattr(model, "main_input_name") or not hasattr(model, "config"):
            raise TypeError(
                f"a {type(model).__name__} is no model of transformers: any other module that gives logits is taken "
                "as it is"
            )
        self.model = model

    def inputs(self, x: Tensor) -> dict[str, Tensor]:
        """Name a batch, shape (examples, ...), as the model takes it."""
        name: str = self.model.main_input_name  # type: ignore[assignment]
        if name != "input_ids":
            return {name: x}
        padding = getattr(self.model.config, "pad_token_id", None)
        mask = torch.ones_like(x) if padding is None else (x != padding).to(x.dtype)
        return {name: x, "attention_mask": mask}

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (examples, classes)."""
        logits: Tensor = self.model(**self.inputs(x)).logits
        return logits


@dataclass(frozen=True)
class TransformersRecipe:
    """Train a classifier of transformers with its Trainer.

    That is AdamW with a rate that falls in a line. Nothing is logged, reported or saved, and one thread computes.

    Attributes:
        build: makes the untrained model for image or sequence classification, or loads a pretrained one that has not
            seen the request; called once a training, with the seed set. What it reads from disk is not in the digest of
            its code: give a `key` then, and change it with the files.
        epochs: passes over the data.
        batch_size: examples a step.
        learning_rate: at its highest.
        arguments: further TrainingArguments, such as `{"warmup_steps": 50, "lr_scheduler_type": "cosine"}`.
        device: where to train; by default where `build` puts the model.
        key: stands for the whole recipe in the cache, instead of a digest of its code.
    """

    build: Callable[[], nn.Module]
    epochs: int = 3
    batch_size: int = 16
    learning_rate: float = 5e-5
    _: KW_ONLY
    arguments: Mapping[str, Any] = field(default_factory=dict)
    device: str | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        """Refuse values that could only fail in the middle of a training."""
        check_build(self.build)
        whole_number(self.epochs, "epochs", 1)
        whole_number(self.batch_size, "batch_size", 1)
        finite_number(self.learning_rate, "learning_rate", 0)
        check_extra(self.arguments, _TAKEN, "arguments=")
        checked_device(self.device)
        check_key(self.key)

    def untrained(self) -> TransformersClassifier:
        """Make the classifier as it is before training; TypeError for another model."""
        return TransformersClassifier(self.build())

    def __call__(self, dataset: Any, *, seed: int) -> TransformersClassifier:
        """Train a classifier, the same for the same data and seed, changing no global state.

        Args:
            dataset: map-style, of (x, y): images, shape (channels, height, width), or token ids, padded to one length.
            seed: decides what `build` draws, the order of the examples and the dropout.

        Returns:
            The classifier, in eval mode.

        Raises:
            ImportError: transformers or accelerate is not installed.
            TypeError: `build` makes no model of transformers, or TrainingArguments takes no such argument.
            ValueError: the dataset is empty or ragged, or nothing was trained.
            FloatingPointError: the training diverged.
        """
        library = _transformers()
        inputs, labels = as_tensors(*stack(dataset))
        with isolated(seed), unheard("transformers", "accelerate"), tempfile.TemporaryDirectory() as folder:
            classifier = self.untrained()
            if self.device is not None:
                classifier.to(self.device)
            before = [parameter.detach().clone() for parameter in classifier.parameters()]
            home = before[0].device if before else torch.device("cpu")
            arguments = library.TrainingArguments(
                output_dir=folder,
                num_train_epochs=self.epochs,
                per_device_train_batch_size=self.batch_size,
                learning_rate=self.learning_rate,
                report_to="none",
                save_strategy="no",
                logging_strategy="no",
                eval_strategy="no",
                disable_tqdm=True,
                use_cpu=home.type == "cpu",
                seed=seed % 2**32,
                **{"dataloader_pin_memory": False, **self.arguments},
            )
            model: Any = classifier.model
            settings, attributes = copy.deepcopy(vars(model.config)), set(vars(model))
            trainer = library.Trainer(model=model, args=arguments, train_dataset=_Rows(classifier, inputs, labels))
            trainer.remove_callback(library.PrinterCallback)  # which prints where there is no progress bar
            with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
                trainer.train()
            # What trainer and loss have noted there, a model that is read back from the cache lacks.
            vars(model.config).clear()
            vars(model.config).update(settings)
            for name in set(vars(model)) - attributes:
                delattr(model, name)
            classifier.to(home)
            trained(classifier, before, "the learning_rate")
        return classifier


def _transformers() -> Any:
    """Import what trains; ImportError says how to install it."""
    try:
        import accelerate  # noqa: F401
        import transformers
    except ImportError as error:
        raise ImportError(
            "Trainer takes transformers and accelerate: `pip install 'pytest-unlearn[transformers]'`"
        ) from error
    return transformers


class _Rows:
    """Examples as Trainer takes them: a mapping each."""

    def __init__(self, classifier: TransformersClassifier, inputs: Tensor, labels: Tensor) -> None:
        self.columns = {**classifier.inputs(inputs), "labels": labels}

    def __len__(self) -> int:
        return len(self.columns["labels"])

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {name: column[index] for name, column in self.columns.items()}


class AuditedStep(NamedTuple):
    """What an audit found after so many steps."""

    step: int
    evidence: Evidence


def audit_every(steps: int, audit: Callable[[TransformersClassifier], Evidence]) -> Any:
    """Make a callback for Trainer that audits the model as it trains.

    The training goes on as it would without: no random number is drawn from it. The verdict on a release is that of the
    last audit alone: who stops at the first PASS has looked as often as there were audits, and kept the luckiest.

    Args:
        steps: between two audits; the trained model is audited as well.
        audit: asks a model, such as `lambda model: audit_forgotten(model, task.forget, max_mia_auc=0.6)`.

    Returns:
        A TrainerCallback; its `audits` lists an `AuditedStep` for each, in order.

    Raises:
        ImportError: transformers is not installed.
        ValueError: no whole number of steps.
    """
    whole_number(steps, "steps", 1)
    base: Any = _transformers().TrainerCallback

    class AuditCallback(base):  # type: ignore[misc]
        def __init__(self) -> None:
            self.audits: list[AuditedStep] = []

        def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:  # noqa: ARG002
            if state.global_step % steps == 0:
                self._audit(state.global_step, model)

        def on_train_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:  # noqa: ARG002
            if not self.audits or self.audits[-1].step != state.global_step:
                self._audit(state.global_step, model)

        def _audit(self, step: int, model: Any) -> None:
            with restored(RANDOM_STATES):
                self.audits.append(AuditedStep(step, audit(TransformersClassifier(model))))

    return AuditCallback()
