"""Writes the encoder of a folder (config.json, model.safetensors) as ONNX, for runtimes that cannot read the official files.

    pip install onnx numpy safetensors
    python make_onnx.py FOLDER OUT.onnx

Input `ids`: int64 [1, tokens]. Output `embedding`: float [1, hidden], the mean over tokens, of unit length.
"""

import json
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

folder, out = sys.argv[1:3]
config = json.load(open(f"{folder}/config.json"))
weights = load_file(f"{folder}/model.safetensors")
hidden, heads, layers = config["hidden_size"], config["num_attention_heads"], config["num_hidden_layers"]
nodes, tensors = [], {}


def constant(name, value):
    tensors[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
    return name


def node(kind, *inputs, name, **attributes):
    nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
    return name


def floats(value):
    return constant(f"c{len(tensors)}", np.array(value, np.float32))


def ints(*value):
    return constant(f"i{len(tensors)}", np.array(value, np.int64))


def normalised(x, path):
    return node("LayerNormalization", x, constant(f"{path}.weight", weights[f"{path}.weight"]), constant(f"{path}.bias", weights[f"{path}.bias"]),
                name=f"{path}.out", axis=-1, epsilon=config["layer_norm_eps"])


def linear(x, path):
    product = node("MatMul", x, constant(f"{path}.weight", weights[f"{path}.weight"].T), name=f"{path}.product")
    return node("Add", product, constant(f"{path}.bias", weights[f"{path}.bias"]), name=f"{path}.out")


words = node("Gather", constant("words", weights["embeddings.word_embeddings.weight"]), "ids", name="embedded", axis=0)
length = node("Shape", "ids", name="length", start=1, end=2)
places = node("Slice", constant("places", weights["embeddings.position_embeddings.weight"]), ints(0), length, ints(0), name="placed")
x = node("Add", words, places, name="with_places")
x = node("Add", x, constant("type", weights["embeddings.token_type_embeddings.weight"][0]), name="with_type")
x = normalised(x, "embeddings.LayerNorm")
for layer in range(layers):
    path = f"encoder.layer.{layer}"
    parts = []
    for part in ("query", "key", "value"):
        y = linear(x, f"{path}.attention.self.{part}")
        y = node("Reshape", y, ints(1, -1, heads, hidden // heads), name=f"{path}.{part}.heads")
        parts.append(node("Transpose", y, name=f"{path}.{part}", perm=[0, 2, 3, 1] if part == "key" else [0, 2, 1, 3]))
    scores = node("MatMul", parts[0], parts[1], name=f"{path}.scores")
    scores = node("Mul", scores, floats((hidden / heads) ** -0.5), name=f"{path}.scaled")
    shares = node("Softmax", scores, name=f"{path}.shares", axis=-1)
    y = node("MatMul", shares, parts[2], name=f"{path}.context")
    y = node("Transpose", y, name=f"{path}.joined", perm=[0, 2, 1, 3])
    y = node("Reshape", y, ints(1, -1, hidden), name=f"{path}.flat")
    y = linear(y, f"{path}.attention.output.dense")
    x = normalised(node("Add", x, y, name=f"{path}.attended"), f"{path}.attention.output.LayerNorm")
    y = linear(x, f"{path}.intermediate.dense")
    e = node("Erf", node("Div", y, floats(2**0.5), name=f"{path}.e1"), name=f"{path}.e2")
    e = node("Add", e, floats(1), name=f"{path}.e3")
    y = node("Mul", node("Mul", y, e, name=f"{path}.g1"), floats(0.5), name=f"{path}.g2")
    y = linear(y, f"{path}.output.dense")
    x = normalised(node("Add", x, y, name=f"{path}.fed"), f"{path}.output.LayerNorm")
mean = node("ReduceMean", x, ints(1), name="mean", keepdims=0)
square = node("ReduceSum", node("Mul", mean, mean, name="squared"), ints(1), name="square", keepdims=1)
node("Div", mean, node("Sqrt", square, name="norm"), name="embedding")
graph = helper.make_graph(
    nodes, "encoder",
    [helper.make_tensor_value_info("ids", TensorProto.INT64, [1, "tokens"])],
    [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, hidden])],
    list(tensors.values()),
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
onnx.checker.check_model(model)
onnx.save(model, out)
