"""`isnad average`: one model from several runs of one configuration."""

from pathlib import Path

from .support import console, quiet, require, say


def average_models(models: list[Path], output: Path) -> None:
    """Average the weights of trained models, then print the development scores of each and of the mean."""
    require("accelerate", task="isnad average")
    quiet()
    from ..eval.scores import development_scores
    from ..model.store import resolve
    from ..training.average import average, schema_of

    folders = [resolve(model) for model in models]
    metrics = average(folders, output, score=development_scores(schema_of(folders[0])))
    for record in (*metrics["averaged"], {"seed": "mean", "dev": metrics["dev"]}):
        scores = ", ".join(f"{name} {100 * value:.1f}" for name, value in record["dev"].items())
        console().print(f"seed {record['seed']}: {scores}", soft_wrap=True)
    say(f"model written to {output / 'model'}")
