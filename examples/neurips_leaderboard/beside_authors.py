"""SCRUB and NegGrad+ beside their authors' code: `python -m examples.neurips_leaderboard.beside_authors CHECKOUT`.

CHECKOUT is a copy of github.com/meghdadk/SCRUB. Its training loops run as they are, on the draw of 2,600 images that no
audit uses, with the settings of `small_scale_unlearning.ipynb`, and so do the methods of this package: for each, the
accuracy on forget, retain and test, the mean over seeds and its range. NegGrad+ is that of `train_negrad`, in train
mode and without an anchor, on both sides.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from statistics import mean
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from examples.neurips_leaderboard.judging import accuracy
from examples.neurips_leaderboard.world import RECIPE, development
from pytest_unlearn import UnlearningTask
from unlearners import SCRUB, NegGradPlus

NEGGRAD = ((0.95, 0.0), (0.75, 0.0), (0.8, 0.9), (0.75, 0.9), (0.7, 0.9))  # alpha and momentum
EPOCHS, RETAIN_BATCH, FORGET_BATCH, NEGGRAD_BATCH = 10, 32, 64, 128
Method = Callable[[nn.Module, int], nn.Module]


def tensors(view: Any) -> TensorDataset:
    """A view as one dataset of tensors."""
    rows = [view[i] for i in range(len(view))]
    return TensorDataset(torch.stack([torch.as_tensor(x) for x, _ in rows]), torch.tensor([int(y) for _, y in rows]))


def their_scrub(loops: Any, kind: Any, retain: TensorDataset, forget: TensorDataset) -> Method:
    """The notebook's loop: a pass up the divergence in the first three epochs, a pass over the retain set in each."""

    def run(model: nn.Module, seed: int) -> nn.Module:
        torch.manual_seed(seed)
        student, teacher = deepcopy(model), deepcopy(model)
        pair, loss = nn.ModuleList([student, teacher]), nn.ModuleList([nn.CrossEntropyLoss(), kind(2), kind(2)])
        optimizer = torch.optim.Adam(student.parameters(), lr=5e-4, weight_decay=0.1)
        options = SimpleNamespace(distill="kd", gamma=1, alpha=0.5, beta=0, print_freq=1)
        for epoch in range(1, EPOCHS + 1):
            optimizer.param_groups[0]["lr"] = 5e-4 * 0.1 ** sum(epoch > last for last in (5, 8, 9))
            passes = [(retain, RETAIN_BATCH, "minimize")]
            if epoch <= 3:
                passes.insert(0, (forget, FORGET_BATCH, "maximize"))
            for data, size, split in passes:
                batches = DataLoader(data, batch_size=size, shuffle=True)
                loops.train_distill(epoch, batches, pair, None, loss, optimizer, options, split, quiet=True)
        return student.eval()

    return run


def their_neggrad(loops: Any, alpha: float, momentum: float, retain: TensorDataset, forget: TensorDataset) -> Method:
    """Ten epochs of `train_negrad`; the notebook's SGD has no momentum."""

    def run(model: nn.Module, seed: int) -> nn.Module:
        torch.manual_seed(seed)
        changed = deepcopy(model)
        optimizer, loss = torch.optim.SGD(changed.parameters(), lr=0.01, momentum=momentum), nn.CrossEntropyLoss()
        kept = DataLoader(retain, batch_size=NEGGRAD_BATCH, shuffle=True)
        gone = DataLoader(forget, batch_size=FORGET_BATCH, shuffle=True)
        for epoch in range(EPOCHS):
            loops.train_negrad(epoch, kept, gone, changed, loss, optimizer, alpha, SimpleNamespace(), quiet=True)
        return changed.eval()

    return run


def told(name: str, method: Method, task: UnlearningTask, seeds: Iterable[int]) -> str:
    """A line: each accuracy's mean and range over seeds; a model whose weights are not finite is named."""
    models = [method(task.original, seed) for seed in seeds]
    broken = sum(not all(bool(t.isfinite().all()) for t in model.state_dict().values()) for model in models)
    cells = []
    for view in (task.forget, task.retain, task.test):
        found = [accuracy(model, view) for model in models]
        cells.append(f"{mean(found):.3f} ({min(found):.3f} to {max(found):.3f})")
    return f"{name:36} {'  '.join(cells)}" + (f"  not finite: {broken} of {len(models)}" if broken else "")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m examples.neurips_leaderboard.beside_authors")
    parser.add_argument("checkout", type=Path, help="a copy of github.com/meghdadk/SCRUB")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="run the rows whose name has this in it")
    given = parser.parse_args()
    sys.path.insert(0, str(given.checkout))
    loops = import_module("thirdparty.repdistiller.helper.loops")
    kind = import_module("thirdparty.repdistiller.distiller_zoo.KD").DistillKL
    torch.set_num_threads(1)
    folder = Path(".unlearn/leaderboard/development")
    task = UnlearningTask(development().split, RECIPE, references=1, cache_dir=folder)
    retain, forget = tensors(task.retain), tensors(task.forget)

    def ours(method: Any) -> Method:
        return lambda model, seed: method(model, task.retain, task.forget, seed=seed)

    runs: list[tuple[str, Method]] = [
        ("original", lambda model, _: model),
        ("retrained", lambda *_: task.retrained[0]),
        ("SCRUB, theirs", their_scrub(loops, kind, retain, forget)),
        ("SCRUB, ours", ours(SCRUB())),
    ]
    for alpha, momentum in NEGGRAD:
        name = f"NegGrad+ {alpha}, momentum {momentum}"
        runs.append((f"{name}, theirs", their_neggrad(loops, alpha, momentum, retain, forget)))
        runs.append((f"{name}, ours", ours(NegGradPlus(alpha=alpha, momentum=momentum, anchor=0.0))))
    if given.only:
        runs = [(name, method) for name, method in runs if given.only in name]
    print(f"{'':36} {'forget':24}{'retain':24}test")
    for name, method in runs:
        print(told(name, method, task, range(given.seeds)), flush=True)


if __name__ == "__main__":
    main()
