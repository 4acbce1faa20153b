"""isnad: nested entities, relations and coreference from Arabic text, with exact character offsets."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .model.document import Document, Entity, Relation
    from .model.errors import IsnadError
    from .model.inference import Extractor, extract
    from .model.predictor import Predictor
    from .model.schema import LabelSchema

__all__ = [
    "Document",
    "Entity",
    "Extractor",
    "IsnadError",
    "LabelSchema",
    "Predictor",
    "Relation",
    "__version__",
    "extract",
]

_HOME = {
    "Document": "document",
    "Entity": "document",
    "Relation": "document",
    "IsnadError": "errors",
    "LabelSchema": "schema",
    "Extractor": "inference",
    "Predictor": "predictor",
    "extract": "inference",
}


def __getattr__(name: str) -> Any:
    # Loaded at first use: `import isnad` costs nothing, and the schema works where torch is absent.
    if name not in _HOME:
        raise AttributeError(f"module 'isnad' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".model.{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
