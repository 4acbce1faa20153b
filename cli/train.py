"""`isnad train`: a configuration, settings from the command line, and the run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ..model.document import Document
from ..model.errors import ConfigError
from ..training.config import FinetuneConfig, load_config, override
from ..training.data.sources import find_config, load_corpora, load_schema, load_split
from .support import console, first_process, quiet, remarks_only, require, say


def configured(name: str, settings: Sequence[str] = ()) -> FinetuneConfig:
    """Return a training configuration with single keys set anew.

    Args:
        name: path of a YAML file, or its bare name in `configs/finetune`.
        settings: `key=value`, the key dotted for nested ones, the value as YAML: `encoder.path=runs/base/model`.

    Raises:
        ConfigError: an unknown key or a value of the wrong type, in the file or in a setting.
    """
    config = load_config(find_config(name, "finetune"), FinetuneConfig)
    for setting in settings:
        key, value = parsed_setting(setting)
        config = override(config, {key: value}, where=f"--set {setting}")
    return config


def parsed_setting(setting: str) -> tuple[str, Any]:
    """Return key and value of `key=value`, the value read as YAML; ConfigError if it is not of this form."""
    key, equals, value = setting.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {setting!r}; accepted: key=value, for example --set epochs=3")
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {setting!r}: {value!r} is not valid YAML") from error


def train_model(
    name: str, output: Path, settings: Sequence[str] = (), *, system: str = "joint", resume: bool = False
) -> None:
    """Train, then print the development scores of the finished model and where it is."""
    if system == "joint":
        require("accelerate", task="isnad train")
    config = configured(name, settings)
    if system != "joint":
        _train_baseline(system, config, output, resume=resume)
        return
    require(*({config.tracker} - {"none"}), task="isnad train")
    schema = load_schema(config.data.schema)
    train, dev = load_split(config.data.train, config.data.dev, schema)
    corpora = load_corpora(config.data.corpora, schema, dev)
    quiet()
    from ..eval.evaluate import evaluate
    from ..eval.report import to_rich
    from ..eval.scores import development_scores
    from ..training.finetune import finetune

    measure = development_scores(schema)
    latest: list[Document] = []

    def score(gold: Sequence[Document], predicted: Sequence[Document]) -> dict[str, float]:
        latest[:] = predicted
        return measure(gold, predicted)

    beside = "".join(f", {len(c.documents)} of {c.name} (x{c.weight:g})" for c in corpora)
    say(f"training {config.name!r} on {len(train)} documents{beside}, {len(dev)} for development")
    with remarks_only():
        result = finetune(config, schema, train, dev, output, score=score, corpora=corpora, resume=resume)
    if not first_process():
        return
    # The last thing that `finetune` measures is the finished model.
    title = f"{config.name} on the development documents"
    console().print(to_rich(evaluate(dev, latest, schema), title))
    say(f"model written to {result.folder}; try: isnad extract --model {result.folder} FILE")


def _train_baseline(system: str, config: FinetuneConfig, output: Path, *, resume: bool) -> None:
    """Fit a baseline and leave it in `output/model`, where `isnad benchmark` takes it."""
    if resume:
        raise ConfigError(f"--resume with --system {system}; accepted: a baseline is trained in one go")
    require("pycrfsuite" if system == "crf" else "accelerate", task=f"isnad train --system {system}")
    quiet()
    from ..eval.evaluate import evaluate
    from ..eval.report import to_rich
    from ..eval.scores import development_scores
    from ..training.systems import JointSystem, make_system

    schema = load_schema(config.data.schema)
    train, dev = load_split(config.data.train, config.data.dev, schema)
    tagger = make_system(system, config, schema, output, score=development_scores(schema))
    assert not isinstance(tagger, JointSystem)
    say(f"training {config.name!r} on {len(train)} documents, {len(dev)} for development")
    with remarks_only():
        tagger.fit(train, dev)
        folder = tagger.save(output / "model")
    console().print(
        to_rich(evaluate(dev, tagger.predict(dev), schema), f"{config.name} on the development documents")
    )
    say(f"model written to {folder}")
