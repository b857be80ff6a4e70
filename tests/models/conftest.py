"""A tiny network."""

import pytest

from dpa.models.networks.config import NetworkConfig


@pytest.fixture
def tiny_config(tiny_sizes: NetworkConfig) -> NetworkConfig:
    """`tiny_sizes`, for a test alone."""
    return tiny_sizes
