"""The benchmark of model versions: several models on several data sets, cached, stored and compared.

`data` and `labels` bring any model and any corpus to common ground, `adapters` opens models of every kind, `run`
predicts and measures, `speed` times models side by side, `registry` keeps results, `compare` says what changed.
"""
