"""torchvision's data, transforms and ResNet-18 go through audits as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from examples.fashion_mnist import FASHION_MNIST, fashion_mnist
from pytest_unlearn import UnlearningTask, audit_release
from pytest_unlearn.models.layers import find_layers

pytest.importorskip("examples.cifar10.images", exc_type=ImportError)  # without torchvision

from examples.cifar10.images import cifar10, tv
from examples.cifar10.requests import RECIPE, REQUESTS, build, flipped, world
from examples.torchvision_import import OPERATORS, torchvision

pytestmark = pytest.mark.skipif(not FASHION_MNIST.exists(), reason="install Debian's dataset-fashion-mnist")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return cifar10(tmp_path_factory.mktemp("cifar10"), size=1200)


@pytest.fixture(scope="module")
def small(images: Any) -> Any:
    return world(images, 0, train=160, unseen=600)


def test_torchvision_is_there_with_every_operator_it_speaks_of_however_often_it_is_asked_for():
    assert torchvision() is torchvision() is tv
    assert [name for name in OPERATORS if not hasattr(torch.ops.torchvision, name)] == []


def test_the_stand_in_is_fashion_mnist_to_the_pixel_and_torchvision_reads_it(images):
    assert isinstance(images.train, tv.datasets.CIFAR10)
    assert (len(images.train), len(images.test)) == (1200, 1200)
    image, label = images.test[7]
    _, _, x_test, y_test = fashion_mnist()
    assert image.shape == (3, 32, 32)
    assert label == y_test[7]
    np.testing.assert_allclose((image[:, 2:-2, 2:-2] + 1) / 2, np.repeat(x_test[7], 3, axis=0), atol=1e-6)
    assert images.names[images.asked] == "shirt"


def test_where_the_archive_is_absent_it_is_said_what_to_download(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    cifar10(tmp_path, size=50)
    assert "cifar-10-python.tar.gz" in capsys.readouterr().out


def test_an_unpacked_archive_is_held_to_its_published_digests(tmp_path: Path):
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py/data_batch_1").write_bytes(b"half a download")
    with pytest.raises(RuntimeError, match="not found or corrupted"):
        cifar10(tmp_path)


def test_what_is_unseen_was_not_trained_on(small):
    trained = {image.numpy().tobytes() for image in small.train.tensors[0]}
    unseen = {image.numpy().tobytes() for image in small.unseen.tensors[0]}
    assert len(trained) == len(small.train) == 160
    assert not trained & unseen


def test_a_fifth_of_the_labels_is_wrong_and_that_is_a_request(small, images):
    split = REQUESTS["mislabelled"](small, 0)
    assert len(split.forget_indices) == small.wrong.sum() == 32
    right = small.unseen.tensors[1].numpy()
    given = [int(split.held_out[i][1]) for i in range(len(split.held_out))]
    assert not (right[: len(given)] == given).any()


def test_a_class_is_compared_with_images_of_that_class(small):
    split = REQUESTS["class"](small, 0)
    assert {int(split.held_out[i][1]) for i in range(len(split.held_out))} == {small.asked}
    assert {int(split.train[i][1]) for i in split.forget_indices} == {small.asked}
    assert len(split.forget_indices) > 25


def test_each_image_or_its_mirror_image_is_trained_on_and_nobody_elses_draws_change():
    batch = torch.arange(64 * 3 * 4, dtype=torch.float32).reshape(64, 3, 1, 4)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    once, again = (flipped(batch, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(once, again)
    assert torch.equal(torch.get_rng_state(), before)
    mirrored = (once == batch.flip(-1)).all(dim=(1, 2, 3))
    assert ((once == batch).all(dim=(1, 2, 3)) ^ mirrored).all()
    assert 16 < mirrored.sum() < 48


def test_layers_of_a_resnet_are_found_without_names(small):
    task = UnlearningTask(REQUESTS["random"](small, 0), RECIPE, original=build(), references=[build()], cache_dir=None)
    found = find_layers(task.original.eval(), task.forget)
    assert len(found) == 4
    assert found[-1] == "into fc"
    assert all("layer" in name for name in found[:-1])


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("device", [None, "cpu"])
def test_a_resnet_is_audited_under_standard_with_and_without_a_device(small, device, tmp_path):
    recipe = replace(RECIPE, epochs=3, device=device)
    task = UnlearningTask(REQUESTS["random"](small, 0), recipe, references=2, cache_dir=tmp_path)
    claims = audit_release(task.original, task, "standard", max_mia_auc=0.65)
    assert {"forgotten", "features_forgotten", "utility"} <= set(claims)
    assert not [name for name, claim in claims.items() if claim.verdict.value == "INVALID"]
    assert claims["forgotten"].verdict.value != "PASS"
