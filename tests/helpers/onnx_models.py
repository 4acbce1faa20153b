"""ONNX models that hold a tensor in a certain place, and changes to the JSON files of a model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from isnad.model.store import MANIFEST, write_manifest

onnx = pytest.importorskip("onnx")


def change(path: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    edit(data)
    path.write_text(json.dumps(data), encoding="utf-8")
    if path.name != MANIFEST:
        write_manifest(path.parent)


def tensor(**fields: Any) -> Any:
    return onnx.TensorProto(name="w", dims=[1], data_type=1, **fields)


def model_with(place: str, weight: Any) -> bytes:
    """A model that holds a tensor in one of the places where ONNX allows one."""
    make = onnx.helper
    node = make.make_node("Relu", ["x"], ["y"])
    graph = onnx.GraphProto(name="g", node=[node])
    model = onnx.ModelProto(ir_version=8, graph=graph)
    attribute = onnx.AttributeProto(name="a")
    if place == "initializer":
        model.graph.initializer.append(weight)
    elif place == "sparse initializer":
        model.graph.sparse_initializer.append(onnx.SparseTensorProto(values=weight))
    elif place == "indices of a sparse tensor":
        model.graph.sparse_initializer.append(onnx.SparseTensorProto(values=tensor(), indices=weight))
    elif place == "training":
        model.training_info.add().initialization.initializer.append(weight)
    elif place == "default of a function":
        function = model.functions.add()
        attribute.t.CopyFrom(weight)
        function.attribute_proto.append(attribute)
    else:
        {
            "attribute": lambda: attribute.t.CopyFrom(weight),
            "attributes": lambda: attribute.tensors.append(weight),
            "branch": lambda: attribute.g.initializer.append(weight),
            "branches": lambda: attribute.graphs.add().initializer.append(weight),
            "sparse attribute": lambda: attribute.sparse_tensor.values.CopyFrom(weight),
            "sparse attributes": lambda: attribute.sparse_tensors.add().values.CopyFrom(weight),
            "function": lambda: attribute.t.CopyFrom(weight),
        }[place]()
        holder = model.functions.add().node.add() if place == "function" else model.graph.node[0]
        holder.attribute.append(attribute)
    return bytes(model.SerializeToString())


PLACES = (
    "initializer|sparse initializer|indices of a sparse tensor|training|default of a function|attribute|attributes|"
    "branch|branches|sparse attribute|sparse attributes|function"
).split("|")
