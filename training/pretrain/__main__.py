"""`python -m isnad.training.pretrain CONFIG OUTPUT` runs a pretraining recipe."""

import argparse
import logging
import sys
from pathlib import Path

from ...model.errors import IsnadError
from ..config import load_config
from .prepare import prepare
from .recipe import pretrain
from .settings import PretrainConfig


def main(arguments: list[str]) -> int:
    """Run the recipe named on the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m isnad.training.pretrain", description=__doc__)
    parser.add_argument("config", help="recipe, for instance configs/pretrain/cpu.yaml")
    parser.add_argument("output", type=Path, help="working folder; the encoder is left in its encoder/")
    parser.add_argument(
        "--prepare",
        action="store_true",
        help="only write tokenizer, vectors and token shards, all that another machine needs for the training",
    )
    parser.add_argument(
        "--stop-after",
        type=float,
        default=0.0,
        metavar="MINUTES",
        help="end this sitting with a checkpoint; the same command goes on from it",
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        config = load_config(options.config, PretrainConfig)
        if options.prepare:
            prepared = prepare(config, options.output)
            print(f"{len(prepared.stream)} shards in {options.output}")
            return 0
        folder = pretrain(config, options.output, stop_after=options.stop_after)
    except IsnadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(
        f"encoder written to {folder}" if folder else "stopped with a checkpoint; run the same again to go on"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
