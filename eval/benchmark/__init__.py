"""The benchmark of model versions: several models on several data sets, cached, stored and compared.

`data` and `labels` bring any model and any corpus to common ground, `adapters` opens models of every kind, `run`
predicts and measures, `config` reads what to run from a file, `speed` times models side by side, `registry` keeps
results, `compare` says what changed, `report` shows it, `store` writes the small files that are committed.
"""
