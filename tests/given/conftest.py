"""Models that are given the entities."""

from pathlib import Path
from typing import Any

import pytest
import torch
from given_documents import Head
from isnad.eval.given_entities import GivenEntityExtractor
from isnad.model.backends.given_spans import CERTAIN
from isnad.model.inference import load_torch


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> GivenEntityExtractor:
    return GivenEntityExtractor.from_pretrained(tiny_model)


@pytest.fixture
def certain(tiny_model: Path) -> Head:
    """Makes an extractor that relates every pair which a signature allows by the named relations, and by no other."""

    def make(*labels: str, **settings: Any) -> GivenEntityExtractor:
        model, tokenizer = load_torch(tiny_model)
        with torch.no_grad():
            model.relation_head.output.weight.zero_()
            model.relation_head.output.bias.fill_(-CERTAIN)
            for label in labels:
                model.relation_head.output.bias[model.schema.relation_index[label]] = CERTAIN
        # No clusters, so that each relation is written.
        for name, value in ({"coreference_threshold": 1.1, "calibration": None} | settings).items():
            setattr(model.config, name, value)
        return GivenEntityExtractor(model, tokenizer)

    return make
