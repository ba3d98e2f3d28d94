"""Plan what a suite's audit can certify and will cost, before any training."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_unlearn.cli.console import BLOCKED, FINE, one_line, plural, say
from pytest_unlearn.core import settings
from pytest_unlearn.core.settings import Setting

if TYPE_CHECKING:
    from pytest_unlearn.cli.plan.algorithm import Runs
    from pytest_unlearn.cli.plan.asked import Asked
    from pytest_unlearn.cli.plan.collect import Inputs
    from pytest_unlearn.cli.plan.power import Design
    from pytest_unlearn.cli.plan.timing import Pace
    from pytest_unlearn.training import Job, StoredModel

LIMITS = ("max_mia_auc", "confidence")


@dataclass(frozen=True)
class Trainings:
    """Hold the models a task and its methods' runs need, and which are in the cache.

    `runs` are by the position of the claim that asks for them, `shadows` those that online attacks learn of.
    """

    original: tuple[Job, ...]
    references: tuple[Job, ...]
    runs: dict[int, tuple[Runs, list[Job]]]
    shadows: tuple[Job, ...]
    cached: dict[str, StoredModel]
    missing: frozenset[str]
    deterministic: bool


def add(commands: Any) -> None:
    """Add `plan` to the command line."""
    command = commands.add_parser(
        "plan",
        help="say what a suite can certify and what it will cost, before anything is trained",
        usage="%(prog)s [-h] [--no-probe] [--ask-original] [--strict] [--max-mia-auc X] [--confidence X] "
        "[pytest arguments ...]",
        description="Collect a suite, evaluate only its inputs (unlearn_split and unlearn_recipe), and say which limit "
        "this forget set can certify, how many references will be trained and roughly how long it takes. Everything "
        "that is not an option of plan goes to pytest: paths, -k, --rootdir, --unlearn-jobs.",
        epilog="Exit status: 0 every limit can be certified; 1 one is hopeless, a test needs a method that nobody "
        "defines, or with --strict one is unlikely; 2 the suite cannot be planned.",
        allow_abbrev=False,
    )
    command.add_argument("--no-probe", action="store_true", help="do not run the recipe on small samples to time it")
    command.add_argument(
        "--ask-original",
        action="store_true",
        help="ask the original, where it is handed over or in the cache, and say which lines can pass with it",
    )
    command.add_argument(
        "--strict", action="store_true", help="exit with 1 also where a perfect method is not likely to pass"
    )
    for name in LIMITS:
        spec = settings.TABLE[name]
        text = f"plan for this {name} (default: what tests pass as a constant, are marked or configured with)"
        command.add_argument(f"--{name.replace('_', '-')}", type=settings.argument(spec), metavar="X", help=text)
    command.set_defaults(run=run, passes_arguments=True)


def run(options: argparse.Namespace) -> int:
    """Plan every set of inputs that the collected tests see."""
    from pytest_unlearn.cli.plan.collect import collect

    lines: list[str] = []
    reachable: list[bool] = []
    collect(
        options.pytest_arguments,
        lambda inputs: reachable.append(_plan(inputs, options, lines)),
        models=options.ask_original,
    )
    for line in lines:
        say(line)
    return FINE if all(reachable) else BLOCKED


def _plan(inputs: Inputs, options: argparse.Namespace, lines: list[str]) -> bool:
    """Add the plan of one set of inputs, and tell if all limits can be reached."""
    from pytest_unlearn.cli.plan import algorithm, outlook, timing
    from pytest_unlearn.cli.plan.original import asked_original
    from pytest_unlearn.cli.plan.power import design

    planned = design(inputs.task)
    wanted = _wanted(inputs, options)
    lines.append(f"plan for {inputs.place}")
    lines += [f"  {line}" for line in comparison(planned)]
    original, said = asked_original(inputs) if options.ask_original else (None, "")
    lines += [f"  {said}"] if said else []
    needed = trainings(inputs, wanted)
    pace = measured(inputs, needed, probing=not options.no_probe)
    training = pace.seconds(len(inputs.task.split.train)) if isinstance(pace, timing.Pace) else None
    simulable = inputs.task.recipe is not None
    known: dict[str, Any] = {"simulable": simulable, "training": training, "original": original}
    known["runs_limit"] = inputs.max_mia_auc if options.max_mia_auc is None else options.max_mia_auc
    found = [outlook.of(one, planned, **known) for one in wanted]
    for asked, (runs, jobs) in needed.runs.items():
        missing = sum(job.key in needed.missing for job in jobs)
        seen = None if original is None else algorithm.SeenOriginals(original)
        if options.ask_original:
            seen = algorithm.seen_in(inputs, runs, jobs) or seen
        found[asked] = algorithm.outlook(runs, wanted[asked], planned.request, missing, seen)
    lines += [f"  {line}" for one in found for line in one.lines]
    lines += [f"  {line}" for line in cost(inputs, needed, pace)]
    lines += [f"  warning: {text}" for text in inputs.warnings]
    lines += [f"  missing: {text}" for text in inputs.missing]
    return not inputs.missing and not any(one.hopeless or (options.strict and not one.likely) for one in found)


def _wanted(inputs: Inputs, options: argparse.Namespace) -> list[Asked]:
    """List what to plan for; an option of plan stands for all."""
    given = {n: Setting(getattr(options, n), "command line") for n in LIMITS if getattr(options, n) is not None}
    found = [one.with_settings(given) for one in inputs.asked]
    return list({one.values: one for one in found}.values())


def comparison(planned: Design) -> Iterator[str]:
    """Yield who is compared with whom."""
    size = planned.request
    classes = f"{planned.classes:,} class{'' if planned.classes == 1 else 'es'}"
    one = "document" if size.documents else "example"
    among = "" if size.documents else f", {classes}"
    yield f"forget set: {size.n_forget:,} of {planned.n_train:,} training {one}s{among}"
    if planned.grouped:
        yield f"units of deletion: {plural(size.units, 'group')}"
    elif size.units < size.n_forget:
        yield f"units of deletion: {plural(size.units, f'distinct {one}')}; exact copies count once"
    else:
        yield f"units of deletion: {plural(size.units, one)}"
    controls = f"{size.n_controls:,} never-trained {one}s"
    if size.control_units < size.n_controls:
        controls += f" of {plural(size.control_units, 'group')}"
    if size.documents:
        yield f"controls: {controls}"
    elif planned.scarcest is None:
        yield f"controls: {controls}, compared across classes"
    else:
        label, fewest = planned.scarcest
        yield f"controls: {controls}, compared class by class (fewest: {fewest} of class {label})"


def cost(inputs: Inputs, needed: Trainings, pace: Pace | str) -> Iterator[str]:
    """Yield which models are trained, and roughly how long that takes."""
    task = inputs.task
    if inputs.own_original:
        yield "original: handed over"
    elif needed.original:
        yield f"original: {'to train' if needed.original[0].key in needed.missing else 'in the cache'}"
    elif task.has_original:
        yield "original: handed over"
    else:
        yield "original: none, so that nothing shows that an attack works here"
    if inputs.own_references:
        yield "references: handed over"
    else:
        to_train = sum(job.key in needed.missing for job in needed.references)
        tried = sum(job.key in needed.missing for job in needed.references[:2])
        more = f", or {tried + len(needed.references)} if every seed gives the same model"
        yield (
            f"references: {len(needed.references)}, {len(needed.references) - to_train} in the cache, "
            f"up to {to_train} to train{more if tried == 2 and not needed.deterministic else ''}"
        )
        if len(needed.references) < 2:
            yield "a negative control takes at least 2 references: without them forgotten is INCONCLUSIVE at best"
    if needed.shadows:
        to_train = sum(job.key in needed.missing for job in needed.shadows)
        yield (
            f"shadow models: {len(needed.shadows)}, trained with halves of the request for online attacks, "
            f"{len(needed.shadows) - to_train} in the cache, {to_train} to train"
        )
    if not needed.missing:
        yield "time: nothing is to be trained"
        return
    yield f"time: {pace if isinstance(pace, str) else _time(inputs, needed, pace)}"


def trainings(inputs: Inputs, wanted: Sequence[Asked]) -> Trainings:
    """Look up what the task needs and what the cache has of it."""
    from pytest_unlearn.claims.common.shadows import shadow_jobs
    from pytest_unlearn.cli.plan import algorithm
    from pytest_unlearn.cli.plan.power import compared
    from pytest_unlearn.training import check_recipe

    task = inputs.task
    about = {} if task.recipe is None else {k: one for k, one in enumerate(wanted) if one.planned == "runs"}
    asked = {k: algorithm.runs_of(one) for k, one in about.items()}
    runs = {k: (one, algorithm.jobs(task, one)) for k, one in asked.items()}
    online = task.recipe is not None and any(one.online for one in wanted)
    shadows = tuple(shadow_jobs(compared(task))) if online else ()
    begun = [*(job for _, jobs in runs.values() for job in jobs), *shadows]
    everything = task.jobs()
    original = tuple(job for job in everything if job.dataset.name == "train" and not inputs.own_original)
    references = tuple(job for job in everything if job.dataset.name != "train")
    cached = {job.key: entry for job in (*original, *references, *begun) if (entry := task.store.find(job.key))}
    deterministic = False
    waiting = any(job.key not in cached for job in (*original, *references))
    if references and all(job.key in cached for job in references[:2]) and waiting:
        # Two equal models may have been followed by bootstraps, which then stand for the rest.
        again = tuple(job for job in task.jobs(bootstrapped=True) if job.dataset.name != "train")
        found = {job.key: entry for job in again if (entry := task.store.find(job.key))}
        if found:
            deterministic, references, cached = True, again, cached | found
    keys = {job.key for job in (*original, *references, *begun)}
    missing = keys if task.fresh else keys - set(cached)
    if missing:
        check_recipe(task.recipe)
    return Trainings(original, references, runs, shadows, cached, frozenset(missing), deterministic)


def measured(inputs: Inputs, needed: Trainings, *, probing: bool) -> Pace | str:
    """Find how long a training takes, or say why that is not known."""
    from pytest_unlearn.cli.plan import timing

    task = inputs.task
    begun = {job.key: job for jobs in (*(jobs for _, jobs in needed.runs.values()), needed.shadows) for job in jobs}
    jobs = (*needed.original, *needed.references, *begun.values())
    pace: Pace | None = timing.noted([(job, needed.cached[job.key]) for job in jobs if job.key in needed.cached])
    if pace is not None or not needed.missing:
        return pace or "nothing is to be trained"
    if not probing:
        return "unknown (--no-probe)"
    try:
        return timing.probe(task.recipe, task.retain, task.seed)
    except Exception as error:
        return f"unknown: the recipe cannot be timed on small samples ({type(error).__name__}: {one_line(error)})"


def _time(inputs: Inputs, needed: Trainings, pace: Pace) -> str:
    from pytest_unlearn.cli.plan import timing

    task = inputs.task
    begun = {job.key for jobs in (*(jobs for _, jobs in needed.runs.values()), needed.shadows) for job in jobs}
    at_once = task.n_jobs if task.n_jobs > 0 else os.cpu_count() or 1
    original = [job for job in needed.original if job.key in needed.missing]
    batches = (needed.references[:2], needed.references[2:])
    turns = sum(timing.rounds(sum(job.key in needed.missing for job in batch), at_once) for batch in batches)
    starts = len(original) + timing.rounds(sum(key in needed.missing for key in begun), at_once)
    seconds = starts * pace.seconds(len(task.split.train)) + turns * pace.seconds(len(task.retain))
    together = f", {at_once} references at once" if at_once > 1 else ""
    return f"{timing.duration(seconds)} of training, roughly{together} ({pace.source}); the unlearner is not included"
