"""Pretraining of the embedded encoder: tokenizer, skip-gram vectors, language modelling."""
