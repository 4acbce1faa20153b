"""Evaluation of annotated documents: metrics, their uncertainty, and comparisons of models.

Everything starts with gold documents and predictions of the same texts, in the same order:

    from isnad.eval import bootstrap, compare, evaluate

    old = evaluate(gold, predictions_of_old, schema)
    old.entities.micro.f1, old.entities["PERS"].recall, old.relations["strict"].micro.f1, old.conll
    bootstrap(old).entities.micro.f1                          # a 95% interval over documents
    compare(old, evaluate(gold, predictions_of_new, schema))  # which labels got better or worse, with significance

    extractor = GivenEntityExtractor.from_pretrained("isnad-small")  # shown the gold entities
    evaluate(gold, predicted, schema, given=list(extractor.pipe(gold))).relations["given"].micro.f1

- Counts: `evaluate` gives an `Evaluation`, which keeps the counts of each document (`DocumentScores`), adds up, and
  survives JSON. `project` says what is compared (characters or whole words, nested or outermost), `classify_errors`
  what went wrong, `match_relations` and `score_clusters` are the parts for relations and coreference.
- Other conventions: `score_flat` and `seqeval_view` (IOB2, as seqeval), `nervaluate_view` (strict, exact, partial,
  type).
- Uncertainty: `bootstrap` over documents, `compare` of two models, `seed_summary` over training seeds.
- Parts of the data: `slice_counts`; with noise: `robustness`; with less training data: `learning_curve`.
- Probabilities: `judge_spans`, `judge_relations`, `measure_calibration`.
- Results: `save_result` and `load_result`; tables in `isnad.eval.report`; several models on several data sets in
  `isnad.eval.benchmark`.
"""

from .bootstrap import Interval, Intervals, PrfIntervals, Resamples, TableIntervals, bootstrap
from .calibration import Judged, Reliability, judge_relations, judge_spans
from .calibration_scores import CalibrationScores, measure_calibration
from .coreference import ClusterCounts, conll_average, score_clusters
from .counts import Accuracy, Counts, CountsTable, Prf
from .curves import NamedCurve, curve_scores, read_curves, write_curves
from .evaluate import evaluate
from .evaluation import DocumentScores, Evaluation
from .flat import FlatScores, flat_tags, score_flat
from .given_entities import GivenEntityExtractor
from .learning_curve import CurvePoint, LearningCurve, learning_curve
from .loo import LeaveOneOut, leave_one_out
from .nerviews import NervaluateView, iob2, nervaluate_view, seqeval_view
from .perturb import Perturbation, perturbations
from .proclitics import proclitic_accuracy
from .relations import match_relations
from .robustness import RobustnessResult, robustness
from .scores import development_scores
from .significance import Comparison, Difference, compare
from .slice_result import SliceIntervals, SliceResult
from .slices import SLICES, add_slices, slice_counts, training_names
from .spans import ErrorClass, Span, SpanError, classify_errors, project
from .spread import Spread, seed_summary, spread
from .stored import data_hash, load_result, save_result

__all__ = [
    "SLICES",
    "Accuracy",
    "CalibrationScores",
    "ClusterCounts",
    "Comparison",
    "Counts",
    "CountsTable",
    "CurvePoint",
    "Difference",
    "DocumentScores",
    "ErrorClass",
    "Evaluation",
    "FlatScores",
    "GivenEntityExtractor",
    "Interval",
    "Intervals",
    "Judged",
    "LearningCurve",
    "LeaveOneOut",
    "NamedCurve",
    "NervaluateView",
    "Perturbation",
    "Prf",
    "PrfIntervals",
    "Reliability",
    "Resamples",
    "RobustnessResult",
    "SliceIntervals",
    "SliceResult",
    "Span",
    "SpanError",
    "Spread",
    "TableIntervals",
    "add_slices",
    "bootstrap",
    "classify_errors",
    "compare",
    "conll_average",
    "curve_scores",
    "data_hash",
    "development_scores",
    "evaluate",
    "flat_tags",
    "iob2",
    "judge_relations",
    "judge_spans",
    "learning_curve",
    "leave_one_out",
    "load_result",
    "match_relations",
    "measure_calibration",
    "nervaluate_view",
    "perturbations",
    "proclitic_accuracy",
    "project",
    "read_curves",
    "robustness",
    "save_result",
    "score_clusters",
    "score_flat",
    "seed_summary",
    "seqeval_view",
    "slice_counts",
    "spread",
    "training_names",
    "write_curves",
]
