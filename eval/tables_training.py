"""Stored results of pretraining comparisons, ablations and new labels as Markdown; see `tables`."""

import json
from pathlib import Path
from typing import Any

from .ablation import difference_cell
from .new_labels import render as render_runs
from .report import markdown_table

PRETRAINING = "pretraining_comparison.json"
ABLATION = "ablation.json"
NEW_LABELS = "new_labels.json"


def render_pretraining(results: Path) -> str:
    """Return what a few minutes of each objective and start give, the best first, as Markdown."""
    content = _read(results / PRETRAINING)
    config = content["config"]
    rows = [["encoder", "tokens seen", "F1, mean of the seeds", "F1 of each seed"]]
    for name, found in sorted(content["variants"].items(), key=lambda item: -item[1]["probe"]["f1"]):
        each = ", ".join(f"{100 * seed['f1']:.1f}" for seed in found["probe"]["seeds"])
        rows.append([name, f"{found['tokens']:,}", f"{100 * found['probe']['f1']:.1f}", each])
    epochs = config["epochs"]
    text = (
        f"{config['core_minutes_each']:g} minutes of one core each on the same stream, then a probe: "
        f"{epochs} epoch{'s' if epochs > 1 else ''} of {config['corpus']} (training part), micro F1 on its "
        f"development part, seeds {', '.join(map(str, config['seeds']))}."
    )
    command = f"python -m isnad.training.pretrain.compare configs/pretrain/compare.yaml -o eval/results/{PRETRAINING}"
    return "\n\n".join([text, markdown_table(rows), f"```sh\n{command}\n```"])


def render_ablation(results: Path) -> str:
    """Return what single changes of the fine-tuning give, as Markdown."""
    content = _read(results / ABLATION)
    corpora = list(next(iter(content["runs"].values()))["corpora"])
    rows = [["run", "span F1", "difference", "relation F1", "difference", *corpora]]
    for name, run in content["runs"].items():
        changes = run.get("difference", {})
        cells = [
            cell
            for kind in ("spans", "relations")
            for cell in (f"{100 * run[kind]['f1']:.1f}", difference_cell(changes.get(kind)))
        ]
        rows.append([name, *cells, *(f"{100 * run['corpora'][corpus]:.1f}" for corpus in corpora)])
    base = content["base"]
    spread = ", ".join(
        f"{kind} {100 * found['mean']:.1f} ± {100 * found['deviation']:.1f}"
        for kind, found in base.items()
        if found["deviation"] is not None
    )
    config = content["config"]
    settings = ", ".join(f"{key} {value}" for key, value in config["settings"].items())
    text = (
        f"On {', '.join(content['data'])}, starting from `configs/finetune/{config['base']}.yaml`"
        f"{f' with {settings}' if settings else ''}; the number after a name is the seed. Differences are to the run "
        "that a change started from, with 95% intervals of a paired bootstrap over documents; "
        f"{', '.join(corpora)}: micro F1 with labels mapped. Base, mean and deviation over its seeds: {spread}."
    )
    command = f"python -m isnad.eval.ablation configs/ablation/authored.yaml -o eval/results/{ABLATION}"
    return "\n\n".join([text, markdown_table(rows), f"```sh\n{command}\n```"])


def render_new_labels(results: Path) -> str:
    """Return what trainings with new labels have reached, as Markdown."""
    return render_runs(_read(results / NEW_LABELS))


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))
