"""Delete blogs and links with every method, and print what audits say: `python -m examples.graph [DRAWS]`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from examples.graph.methods import GNNDelete, GraphInfluence, OnWhatIsLeft
from examples.graph.network import GraphRecipe, LinkPredictor, SideClassifier
from examples.graph.requests import blogs_to_delete, links_to_delete, neighbours
from pytest_unlearn import Split, UnlearningTask, audit_forgotten, audit_matches_retrained, audit_utility
from pytest_unlearn.data.view import View
from unlearners import SISA, UNLEARNERS, Retrain

LIMIT = 0.6
FINE_TUNE = UNLEARNERS["fine-tune"](lr=0.5, batch_size=4096)
REQUESTS: dict[str, Callable[[int], Split]] = {
    "blogs": blogs_to_delete,
    "blogs of many links": lambda draw: blogs_to_delete(draw, by_degree=True),
    "links": links_to_delete,
}
HEAD = """
| request | draw | model | forgotten | AUC | utility | accuracy | neighbours | s |
|---|---|---|---|---|---|---|---|---|""".strip()


def methods(recipe: GraphRecipe) -> dict[str, Callable[..., Any]]:
    """List what is tried; the first is exact."""
    return {
        "retrained": Retrain(recipe),
        "fine-tuned": FINE_TUNE,
        "cut out, weights as they were": OnWhatIsLeft(),
        "cut out, then fine-tuned": OnWhatIsLeft(method=FINE_TUNE),
        "cut out, embeddings drawn again": OnWhatIsLeft(method=draw_again),  # of links this is the row above
        "graph influence": GraphInfluence(),
        "GNNDelete": GNNDelete(),
    }


def draw_again(model: Any, retain: Any, forget: Any, *, seed: int) -> Any:
    """Give deleted blogs new random embeddings, as if nobody had ever trained on them."""
    if isinstance(model, SideClassifier):
        gone = torch.tensor([int(forget[i][0][0]) for i in range(len(forget))])
        random = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            model.embedding[gone] = 0.1 * torch.randn(len(gone), model.embedding.shape[1], generator=random)
    return model


def row(request: str, draw: int, name: str, model: Any, task: UnlearningTask, seconds: float) -> str:
    """Audit one model."""
    forgotten = audit_forgotten(model, task.forget, max_mia_auc=LIMIT)
    utility = audit_utility(model, task.test, max_drop=0.05, baseline="retrained")
    near = "-"
    if request != "links":
        view = View("neighbours", task.split.train, neighbours(task.split), task)
        near = audit_matches_retrained(model, view, max_gap=0.05).verdict.value
    found, test = forgotten.estimate, utility.estimate
    cells = (
        f"{request} | {draw} | {name} | {forgotten.verdict.value}",
        f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]",
        f"{utility.verdict.value} | {-100 * test.value:+.1f} points | {near} | {seconds:.1f}",
    )
    return "| " + " | ".join(cells) + " |"


def main(draws: int) -> None:
    """Print a line for each model, request and draw."""
    torch.set_num_threads(1)
    start = time.time()
    print(HEAD, flush=True)
    for request, split in REQUESTS.items():
        recipe = GraphRecipe(LinkPredictor if request == "links" else SideClassifier)
        for draw in range(draws):
            task = UnlearningTask(split(draw), recipe, cache_dir=f".unlearn/graph/{request.replace(' ', '-')}-{draw}")
            print(row(request, draw, "original", task.original, task, 0.0), flush=True)
            for name, method in methods(recipe).items():
                began = time.time()
                model = method(task.original, task.retain, task.forget, seed=1000)
                print(row(request, draw, name, model, task, time.time() - began), flush=True)
    for draw in range(draws):
        partitions = SISA(GraphRecipe(SideClassifier), shards=4)
        task = UnlearningTask(blogs_to_delete(draw), partitions.train, cache_dir=None)
        print(row("blogs", draw, "original, 4 partitions", task.original, task, 0.0), flush=True)
        began = time.time()
        model = partitions(task.original, task.retain, task.forget, seed=0)
        print(row("blogs", draw, "partitions, exact", model, task, time.time() - began), flush=True)
    print(f"\n{time.time() - start:.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
