"""`python -m isnad.training.pretrain CONFIG OUTPUT` runs a pretraining recipe."""

import logging
import sys
from pathlib import Path

from ...model.errors import IsnadError
from ..config import load_config
from .recipe import PretrainConfig, pretrain


def main(arguments: list[str]) -> int:
    """Run the recipe named on the command line and return the exit code."""
    if len(arguments) != 2:
        print("usage: python -m isnad.training.pretrain CONFIG.yaml OUTPUT_FOLDER", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        folder = pretrain(load_config(arguments[0], PretrainConfig), Path(arguments[1]))
    except IsnadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"encoder written to {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
