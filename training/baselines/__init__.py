"""Flat baselines that the joint model has to beat: a CRF and a token classifier.

Both have the plain face of evaluations: `fit(train, dev)` and `predict(documents)`, constructed with a
schema and keyword options. They find outermost entities only, no relations and no clusters.
"""
