"""The mean of models: weights by hand, and what does not fit together is refused."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from isnad.model.errors import ModelError
from isnad.model.modeling import IsnadModel
from isnad.model.schema import LabelSchema
from isnad.training.average import average, average_weights
from typer.testing import Result


def test_weights_are_the_mean_of_all(tiny_model: Path) -> None:
    models = [IsnadModel.from_pretrained(tiny_model) for _ in range(3)]
    with torch.no_grad():
        for shift, model in enumerate(models):
            for parameter in model.parameters():
                parameter.add_(float(shift))
    before = copy.deepcopy(models[0].state_dict())
    mean = average_weights(models).state_dict()
    for name, value in mean.items():
        if value.is_floating_point() and name in dict(models[1].named_parameters()):
            torch.testing.assert_close(value, before[name] + 1.0)
        else:
            assert torch.equal(value, before[name])


def test_models_of_other_labels_are_refused(tiny_model: Path, schema: LabelSchema) -> None:
    one, other = IsnadModel.from_pretrained(tiny_model), IsnadModel.from_pretrained(tiny_model)
    other.config.labels = replace(schema, name="mine").to_dict()
    with pytest.raises(ModelError, match="differ in schema or encoder"):
        average_weights([one, other])
    with pytest.raises(ModelError, match="found 1 model folder"):
        average([tiny_model], tiny_model, score=lambda gold, found: {})


def test_the_command_says_what_is_missing(
    isnad: Callable[..., Result], tiny_model: Path, tmp_path: Path
) -> None:
    result = isnad("average", tiny_model, "-o", tmp_path / "mean")
    assert result.exit_code == 2 and "accepted: two or more" in result.output
