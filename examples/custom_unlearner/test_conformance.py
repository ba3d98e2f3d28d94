"""Does the method keep the promises of every unlearner? One test a promise."""

from examples.custom_unlearner.noisy_fine_tune import NoisyFineTune
from pytest_unlearn import parametrize_unlearners

KNOWN = {"frozen-layers-untouched": "it trains in train mode, where frozen BatchNorm layers go on averaging"}


@parametrize_unlearners([NoisyFineTune(), NoisyFineTune(noise=0, epochs=1)], expected_failures=KNOWN)
def test_conformance(unlearner, check):
    check()
