"""Every test draws the same numbers, whichever tests run before it."""

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _same_draws(request, monkeypatch):
    if hasattr(request.module, "RNG"):
        monkeypatch.setattr(request.module, "RNG", np.random.default_rng(0))
