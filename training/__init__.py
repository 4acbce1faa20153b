"""Everything that makes a model: data formats, pretraining, fine-tuning, baselines."""
