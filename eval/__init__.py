"""Evaluation: metrics of spans, relations and coreference, reports, benchmarks."""

from .counts import Accuracy, Counts, CountsTable, Prf
from .evaluate import evaluate
from .evaluation import DocumentScores, Evaluation

__all__ = ["Accuracy", "Counts", "CountsTable", "DocumentScores", "Evaluation", "Prf", "evaluate"]
