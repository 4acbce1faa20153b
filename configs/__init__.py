"""The YAML configurations that ship with isnad: label schemas, data maps, training and pretraining recipes."""
