"""The graph is read, deletions are deletions, and audits see the difference."""

from __future__ import annotations

import copy
import gzip

import numpy as np
import pytest
import torch
from torch.utils.data import Subset, TensorDataset

from examples.graph.__main__ import LIMIT, methods
from examples.graph.methods import GNNDelete, GraphInfluence, OnWhatIsLeft
from examples.graph.network import GraphRecipe, LinkPredictor, SideClassifier
from examples.graph.polblogs import Blogs, polblogs, read
from examples.graph.requests import blogs_to_delete, links_to_delete, matched, neighbours
from pytest_unlearn import UnlearningTask, audit_forgotten
from unlearners import SISA, InfluenceFunction
from unlearners.exact.sisa import _digests

BRIEF = GraphRecipe(SideClassifier, epochs=3)


@pytest.fixture(scope="module")
def blogs() -> Blogs:
    try:
        return polblogs()
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def sides(blogs) -> TensorDataset:
    return TensorDataset(torch.arange(700)[:, None], torch.as_tensor(blogs.sides[:700]))


def parts(dataset, count=20):
    return Subset(dataset, range(count, len(dataset))), Subset(dataset, range(count))


def test_the_graph_is_the_published_one(blogs):
    assert (len(blogs), blogs.links.shape) == (1224, (2, 16715))
    assert sorted(np.bincount(blogs.sides)) == [588, 636]  # Adamic and Glance; largest parts of each side
    assert blogs.degrees.max() == 351
    assert (blogs.sides[blogs.links[0]] == blogs.sides[blogs.links[1]]).mean() > 0.9


def test_another_file_is_refused(tmp_path):
    (tmp_path / "other.gz").write_bytes(gzip.compress(b"not a graph at all"))
    with pytest.raises(ValueError, match="graph-tool's binary format"):
        read(tmp_path / "other.gz")


def test_who_was_not_trained_on_speaks_to_nobody(sides):
    network = BRIEF(sides, seed=0)
    asked = torch.arange(700)[:, None]
    before = network(asked)
    with torch.no_grad():
        network.embedding[700:] += 1
    assert torch.equal(network(asked), before)


@pytest.mark.parametrize("kind", [SideClassifier, LinkPredictor])
def test_cut_out_links_are_heard_no_more_and_others_stay(blogs, kind):
    pairs = torch.as_tensor(blogs.links.T[:200])
    x = pairs if kind is LinkPredictor else torch.arange(200)[:, None]
    network = kind(blogs)
    network.hear(x)
    dataset = TensorDataset(x, torch.ones(len(x), dtype=torch.int64))
    cut = OnWhatIsLeft()(network, *parts(dataset), seed=0)
    again = kind(blogs)
    again.hear(x[20:])
    assert torch.equal(cut.heard, again.heard)
    assert torch.equal(cut.embedding, network.embedding)
    assert network.heard.sum() > cut.heard.sum() > 0


def test_partitions_are_those_that_training_without_the_deleted_gives_bit_for_bit(sides):
    method = SISA(BRIEF, shards=4)
    whole = method.train(sides, seed=0)
    left = method(whole, *parts(sides, 2), seed=9)
    order = {key: i for i, key in enumerate(_digests(sides))}
    touched = 0
    for name, shard in left.shards.items():
        gone = set(whole.shards[name].slices[0]) - set(shard.slices[0])
        kept = [order[key] for key in whole.shards[name].slices[0] if key not in gone]
        again = BRIEF(Subset(sides, kept), seed=shard.seeds[0])
        touched += bool(gone)
        assert not {0, 1} & set(shard.model.edges[0, shard.model.heard].tolist())
        for key, value in shard.model.state_dict().items():
            assert torch.equal(value, again.state_dict()[key]), key
    assert 1 <= touched <= 2


def test_the_influence_step_is_the_plain_one_where_no_neighbour_is_touched(blogs, sides):
    network = BRIEF(sides, seed=0)
    network.heard[:] = False
    step = GraphInfluence(damping=1.0)(network, *parts(sides), seed=0)
    plain = InfluenceFunction(damping=1.0)(network, *parts(sides), seed=0)
    for ours, theirs in zip(step.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)
    assert not torch.equal(step.embedding, network.embedding)


def test_the_influence_step_takes_a_trained_network_nearer_to_the_optimum_that_is_left(sides):
    network = GraphRecipe(SideClassifier, epochs=200)(sides, seed=0)
    retain, forget = parts(sides, 100)
    cut = OnWhatIsLeft()(network, retain, forget, seed=0)
    step = GraphInfluence()(network, retain, forget, seed=0)
    assert slope(step, retain) < slope(cut, retain)


def slope(network, dataset):
    x, y = (torch.stack(list(part)) for part in zip(*(dataset[i] for i in range(len(dataset))), strict=True))
    loss = torch.nn.functional.cross_entropy(network(x), y)
    return sum(float(g.square().sum()) for g in torch.autograd.grad(loss, list(network.parameters())))


def test_gnn_delete_changes_the_answers_near_the_deletion_only_and_no_weight(sides):
    network = BRIEF(sides, seed=0)
    retain, forget = parts(sides, 1)
    deleted = GNNDelete(epochs=20)(network, retain, forget, seed=0)
    assert torch.equal(deleted.embedding, network.embedding)
    cut = OnWhatIsLeft()(network, retain, forget, seed=0)
    first, second = (operator.near for operator in deleted.after)
    assert first.sum() < second.sum() < len(second)
    assert torch.equal(deleted.layers()[0][~first], cut.layers()[0][~first])
    assert not torch.equal(deleted.layers()[0][first], cut.layers()[0][first])


def test_gnn_delete_lets_the_ends_of_deleted_links_look_like_any_blogs(sides):
    network = GraphRecipe(SideClassifier, epochs=50)(sides, seed=0)
    retain, forget = parts(sides, 50)

    def gap(epochs):
        deleted = GNNDelete(epochs=epochs, balance=0.99)(network, retain, forget, seed=0)
        found = deleted.layers()[1][:50]
        return float((found.mean(0) - network.layers()[1].mean(0)).detach().abs().sum())

    assert gap(100) < gap(1)


def test_matched_controls_have_as_many_links(blogs):
    split = blogs_to_delete(0, by_degree=True)
    degree = blogs.degrees
    went, controls, unseen = (
        np.array([int(x[0]) for x in view])
        for view in (
            [split.train[i][0] for i in split.forget_indices],
            [split.held_out[i][0] for i in range(len(split.held_out))],
            [split.test[i][0] for i in range(len(split.test))],
        )
    )
    assert len(set(controls)) == len(controls)
    assert set(controls) <= set(unseen)
    distance = [abs(np.median(degree[part]) - np.median(degree[went])) for part in (controls, unseen)]
    assert distance[0] < distance[1]
    assert sorted(matched([1.0, 5.0], np.array([0.9, 5.5, 3.0, 1.2]), each=1)) == [0, 1]


def test_neighbours_are_retained_and_linked_to_the_deleted(blogs):
    split = blogs_to_delete(1)
    near = neighbours(split, least=5)
    assert 0 < len(near) < len(neighbours(split)) < len(split.retain_indices)
    assert set(near) <= set(split.retain_indices)


@pytest.mark.slow
@pytest.mark.parametrize("draw", range(2))
@pytest.mark.parametrize("request_", [blogs_to_delete, links_to_delete], ids=["blogs", "links"])
def test_the_original_and_a_fine_tuned_network_fail_and_a_retrained_one_passes(blogs, request_, draw, tmp_path):
    recipe = GraphRecipe(SideClassifier if request_ is blogs_to_delete else LinkPredictor)
    task = UnlearningTask(request_(draw), recipe, cache_dir=tmp_path)
    tried = methods(recipe)
    fine_tuned, retrained = (
        tried[name](copy.deepcopy(task.original), task.retain, task.forget, seed=1000)
        for name in ("fine-tuned", "retrained")
    )
    verdicts = [audit_forgotten(m, task.forget, max_mia_auc=LIMIT) for m in (task.original, fine_tuned, retrained)]
    assert [found.verdict.value for found in verdicts] == ["FAIL", "FAIL", "PASS"], verdicts
