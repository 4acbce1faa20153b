"""A model on a flat, word-level corpus: `python -m isnad.eval.word_level MODEL CORPUS/PART [-o FILE]`.

The convention of ANERcorp and its kind: words keep their proclitics, names do not nest, scores are those of
seqeval (`mode="strict", scheme=IOB2`). A model of the corpus's own tags is compared as it is; the entities of any
other are given the tags that `configs/data` maps to them, and gold of tags without a label counts as missed.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..model.errors import ConfigError, IsnadError
from ..model.inference import Extractor
from ..training.compute import machine, versions
from ..training.data.corpora import Corpus, load_corpus
from ..training.data.files import write_text
from .flat import FlatScores, flat_tags, label_map, score_flat
from .stored import data_hash, revision


def tags_of(corpus: Corpus, labels: Sequence[str]) -> dict[str, str]:
    """Return the tag of the corpus for each label of a model.

    Raises:
        ConfigError: the corpus is nested, or the two have no label in common.
    """
    if corpus.config.nested:
        name = corpus.config.name
        raise ConfigError(f"{name} is nested; accepted: a flat corpus, or isnad eval with corpus:{name}/dev")
    if set(corpus.config.labels) <= set(labels):
        return {tag: tag for tag in corpus.config.labels}
    mapped = {label: tag for label, tag in label_map(corpus.config.labels).items() if label in labels}
    if not mapped:
        raise ConfigError(
            f"no label of the model ({', '.join(labels)}) stands for a tag of {corpus.config.name}"
        )
    return mapped


def score_corpus(extractor: Extractor, corpus: Corpus, label_of: Mapping[str, str]) -> FlatScores:
    """Predict a corpus and compare the tags of its own tokens, sentence by sentence."""
    found = extractor.pipe((d.id, d.text) for d in corpus.documents)
    predicted: list[list[str]] = []
    for document, sentences in zip(found, corpus.tokens, strict=True):
        for tokens in sentences:
            lo, hi = tokens[0][0], tokens[-1][1]
            inside = [e for e in document.entities if lo <= e.start < hi]
            predicted.append(flat_tags(tokens, inside, label_of))
    gold = [[cell[0] for cell in cells] for _, cells in corpus.tagged()]
    return score_flat(gold, predicted)


def evaluate_corpus(model: str, name: str) -> dict[str, Any]:
    """Return the stored result of a model on `CORPUS/PART`."""
    corpus_name, _, part = name.partition("/")
    corpus = load_corpus(corpus_name, part or "dev")
    extractor = Extractor.from_pretrained(model)
    label_of = tags_of(corpus, extractor.schema.entity_labels)
    scores = score_corpus(extractor, corpus, label_of)
    return {
        "system": extractor.name,
        "data": f"{corpus.config.name}/{corpus.part}",
        "data_hash": data_hash(corpus.documents),
        "label_map": label_of,
        "unmapped": sorted(set(corpus.config.labels) - set(label_of.values())),
        "revision": revision(),
        "machine": machine(),
        "versions": versions(),
        "scores": scores.to_dict(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Score the model named on the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m isnad.eval.word_level", description=__doc__)
    parser.add_argument("model", help="embedded model or folder")
    parser.add_argument("corpus", help="name in configs/data and part, such as anercorp/dev")
    parser.add_argument("-o", "--output", type=Path, help="JSON file to write")
    options = parser.parse_args(arguments)
    try:
        result = evaluate_corpus(options.model, options.corpus)
    except IsnadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    typed = [options.model, options.corpus, *(["-o", str(options.output)] if options.output else [])]
    result = {"command": shlex.join(["python", "-m", "isnad.eval.word_level", *typed])} | result
    if options.output:
        write_text(options.output, json.dumps(result, ensure_ascii=False, indent=1) + "\n")
    scores = result["scores"]
    print(f"{result['system']} on {result['data']}: micro F1 {100 * scores['micro']['f1']:.1f}")
    for label, (tp, fp, fn) in scores["labels"].items():
        print(
            f"  {label}: F1 {200 * tp / max(1, 2 * tp + fp + fn):.1f} ({tp} right, {fp} wrong, {fn} missed)"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
