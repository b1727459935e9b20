# SPDX-License-Identifier: GPL-3.0-or-later
"""A module of PyTorch as the layers of a config (docs/from-pytorch.md), or the name of what has none.

The module is traced with torch.fx, submodules of torch.nn whole, and run once for the shapes.  A value is
known by the layer that makes it and by its form: which of PyTorch's axes are which of ours, where
channels are always last.
"""
from __future__ import annotations

import contextlib
import copy
import dis
import functools
import sys
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import torch
import torch.fx
import torch.nn as nn
import torch.nn.functional as F

from . import _c


class Unsupported(_c.Error):
    """What has no layer here."""

    def __init__(self, what: str, where: str = ""):
        super().__init__(f"{where + ': ' if where else ''}{what} has no equal in spectraj, and such a training is not "
                         "recorded (docs/python-pytorch.md)", "STJ_EUNSUPPORTED")


@dataclass(frozen=True)
class Value:
    """What a layer makes.  form: vec [N, F]; seq [N, L, E]; ncl [N, C, L]; img [N, C, H, W]; nhwc [N, H, W, C]; tokens
    [N, L] of whole numbers.  Ours is [F], [L, E], [L, C], [H, W, C] twice, [L]."""
    layer: str
    form: str


@dataclass(frozen=True)
class Parameter:
    """A parameter by itself, or a table of positions: its name in the state_dict."""
    name: str
    shape: Tuple[int, ...]


@dataclass(frozen=True)
class LastState(Value):
    """The last state of a recurrent layer, [1, N, H]: the last position of what it makes."""


def channels_last(array: Any, form: str) -> Any:
    """Numbers of PyTorch's axes in ours."""
    axes = {"img": (0, 2, 3, 1), "ncl": (0, 2, 1)}.get(form)
    return array.transpose(axes) if axes else array


def _pair(x: Any) -> Any:
    """A size as a config has it: one number, or the two."""
    x = list(x) if isinstance(x, (tuple, list)) else [x]
    return x[0] if len(set(x)) == 1 else x


_PLAIN = {"ReLU": "relu", "ReLU6": "relu6", "SELU": "selu", "SiLU": "silu", "Mish": "mish", "Hardswish": "hardswish",
          "Hardsigmoid": "hardsigmoid", "Tanh": "tanh", "Sigmoid": "sigmoid"}
_FUNCTIONS: Dict[Any, str] = {F.relu: "relu", torch.relu: "relu", F.relu6: "relu6", F.selu: "selu", F.silu: "silu",
                              F.mish: "mish", F.hardswish: "hardswish", F.hardsigmoid: "hardsigmoid",
                              torch.tanh: "tanh", F.tanh: "tanh", torch.sigmoid: "sigmoid", F.sigmoid: "sigmoid",
                              torch.exp: "exp", torch.sin: "sin", torch.abs: "abs", torch.square: "square"}
_METHODS = {"relu": "relu", "tanh": "tanh", "sigmoid": "sigmoid", "exp": "exp", "sin": "sin", "abs": "abs",
            "square": "square"}
# What PyTorch calls a tensor of a module, and what the layer does.
_TENSORS = {"kernel": {"weight": "kernel", "bias": "bias"}, "scale": {"weight": "scale", "bias": "bias"},
            "table": {"weight": "table"}, "slope": {"weight": "slope"},
            "fixed": {"weight": "scale", "bias": "bias", "running_mean": "mean", "running_var": "variance"},
            "attention": {"in_proj_weight": "qkv.kernel", "in_proj_bias": "qkv.bias", "out_proj.weight": "out.kernel",
                          "out_proj.bias": "out.bias"},
            "recurrent": {"weight_ih_l0": "input_kernel", "weight_hh_l0": "hidden_kernel",
                          "bias_ih_l0": "input_bias", "bias_hh_l0": "hidden_bias"}}


def _proxies(x: Any) -> List[torch.fx.Proxy]:
    return [y for y in (x if isinstance(x, (tuple, list)) else [x]) if isinstance(y, torch.fx.Proxy)]


def _traced(make: Callable) -> Callable:
    """torch.arange and its like, for sizes that are traced."""

    @functools.wraps(make)
    def made(*arguments: Any, **named: Any) -> Any:
        found = [y for x in (*arguments, *named.values()) for y in _proxies(x)]
        if not found:
            return make(*arguments, **named)
        return found[0].tracer.create_proxy("call_function", make, arguments, named)

    return made


@contextlib.contextmanager
def _tracing() -> Iterator[None]:
    """What torch.fx cannot trace by itself: `a, b = x` in PyTorch 1 with the bytecode of Python 3.11 and later, and
    tensors of traced sizes."""
    proxy: Any = torch.fx.Proxy
    old, makers = proxy.__iter__, {name: getattr(torch, name) for name in ("arange", "full", "ones", "zeros")}

    def unpack(self: torch.fx.Proxy) -> Any:
        frame = sys._getframe(1)
        here = [i for i in dis.get_instructions(frame.f_code) if i.offset == frame.f_lasti]
        if here and here[0].opname == "UNPACK_SEQUENCE":
            return (self[i] for i in range(here[0].argval))
        return self.tracer.iter(self)

    if sys.version_info >= (3, 11) and torch.__version__.startswith("1."):
        proxy.__iter__ = unpack
    try:
        for name, make in makers.items():
            setattr(torch, name, _traced(make))
        yield
    finally:
        proxy.__iter__ = old
        for name, make in makers.items():
            setattr(torch, name, make)


def _reference(x: torch.Tensor, qkv: nn.Linear, out: nn.Linear, heads: int, causal: bool) -> torch.Tensor:
    """Self-attention with queries, keys and values packed in this order: [N, L, E] -> [N, L, E]."""
    n, length, e = x.shape
    q, k, v = (part.view(n, length, heads, e // heads).transpose(1, 2) for part in qkv(x).split(e, dim=2))
    score = q @ k.transpose(-2, -1) / (e // heads) ** 0.5
    if causal:
        score = score.masked_fill(torch.ones(length, length, dtype=torch.bool).triu(1), float("-inf"))
    return out((torch.softmax(score, -1) @ v).transpose(1, 2).reshape(n, length, e))


def recognised_attention(m: nn.Module, length: int = 5) -> Optional[dict]:
    """Is a module of one's own with two linear modules, E to 3 E and E to E, the attention of some heads?  Then
    {qkv, out: their names, heads, causal}.  It is asked by numbers: the module and the attention are compared on random
    sequences of two lengths up to `length`, in double precision."""
    linear = {name: part for name, part in m.named_modules() if isinstance(part, nn.Linear)}
    if len(linear) != 2 or type(m).__module__.startswith("torch.nn") or \
            sum(p.numel() for p in m.parameters()) != sum(p.numel() for part in linear.values() for p in part.parameters()):
        return None
    (a, qkv), (b, out) = sorted(linear.items(), key=lambda item: -item[1].out_features)
    e = out.in_features
    if (qkv.in_features, qkv.out_features, out.out_features) != (e, 3 * e, e) or \
            (qkv.bias is None) != (out.bias is None):
        return None
    if any(isinstance(part, nn.Dropout) and part.training and part.p > 0 for part in m.modules()):
        return None  # it is looked into, and the dropout is named
    copied = copy.deepcopy(m).cpu().double()
    for p in copied.parameters():  # so large that the scores are far from uniform
        p.data.normal_(std=2 / e ** 0.5, generator=torch.Generator().manual_seed(p.numel()))
    qkv, out = copied.get_submodule(a), copied.get_submodule(b)
    xs = [torch.randn(2, n, e, dtype=torch.double, generator=torch.Generator().manual_seed(n))
          for n in (max(1, length - 1), length)]
    try:
        with torch.no_grad():
            made = [copied(x) for x in xs]
            for heads in (h for h in range(1, e + 1) if e % h == 0):
                for causal in (True, False):
                    if all(isinstance(y, torch.Tensor) and y.shape == x.shape and torch.allclose(
                            y, _reference(x, qkv, out, heads, causal), rtol=1e-10, atol=1e-12)
                           for x, y in zip(xs, made)):
                        return {"qkv": a, "out": b, "heads": heads, "causal": causal}
    except Exception:  # pylint: disable=broad-except  # whatever it takes, it is no attention of one sequence
        return None
    return None


def _separate_attention(module: nn.Module) -> Optional[str]:
    """The name of a module of one's own whose queries, keys and values are linear modules each."""
    for name, m in module.named_modules():
        linear = {part.lower() for part, child in m.named_children() if isinstance(child, nn.Linear)}
        if any(linear.issuperset(names) for names in (("q_proj", "k_proj", "v_proj"), ("query", "key", "value"),
                                                      ("q", "k", "v"), ("wq", "wk", "wv"), ("to_q", "to_k", "to_v"))):
            return name or type(m).__name__
    return None


class _EncoderLayer(nn.Module):
    """nn.TransformerEncoderLayer with its own modules, in a forward that torch.fx can trace."""

    def __init__(self, m: nn.Module) -> None:
        super().__init__()
        self.__dict__.update(m.__dict__)

    def forward(self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False) -> Any:
        def attend(x: Any) -> Any:
            return self.dropout1(self.self_attn(x, x, x, src_key_padding_mask, False, src_mask)[0])

        def feed(x: Any) -> Any:
            return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))

        if self.norm_first:
            x = src + attend(self.norm1(src))
            return x + feed(self.norm2(x))
        x = self.norm1(src + attend(src))
        return self.norm2(x + feed(x))


class _Encoder(nn.Module):
    """The same of nn.TransformerEncoder."""

    def __init__(self, m: nn.Module) -> None:
        super().__init__()
        self.__dict__.update(m.__dict__)

    def forward(self, src: Any, mask: Any = None, src_key_padding_mask: Any = None, is_causal: Any = None) -> Any:
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask)
        return self.norm(src) if self.norm is not None else src


def _plain(m: nn.Module) -> nn.Module:
    """The module with the encoders of torch.nn in it as modules that can be traced; names stay."""
    for name, part in m.named_children():
        setattr(m, name, _plain(part))
    made = {nn.TransformerEncoderLayer: _EncoderLayer, nn.TransformerEncoder: _Encoder}.get(type(m))
    return made(m) if made else m


class _Tracer(torch.fx.Tracer):
    """torch.nn's modules are whole, and so are attentions of one's own that are recognised."""

    def __init__(self, module: nn.Module, length: int) -> None:
        super().__init__()  # calls of modules mean something else while it traces: they are asked before
        found = {name: recognised_attention(m, length) for name, m in module.named_modules() if name}
        self.attentions = {name: about for name, about in found.items() if about}

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return super().is_leaf_module(m, module_qualified_name) or module_qualified_name in self.attentions


class _Shapes(torch.fx.Interpreter):
    """Runs a graph and keeps what each node makes."""

    def run_node(self, n: torch.fx.Node) -> Any:
        made = super().run_node(n)
        self.made = getattr(self, "made", {})
        self.made[n] = made
        return made


class Network:
    """The translation: layers, names for init.names, and by name in the state_dict the tensor of ours."""

    def __init__(self, module: nn.Module, example: torch.Tensor):
        try:
            module = _plain(copy.deepcopy(module).cpu())
        except RuntimeError as why:
            raise Unsupported(f"{type(module).__name__} cannot be copied ({why}); it") from why
        self.layers: List[dict] = []
        self.names: Dict[str, str] = {}
        self.tensor_of: Dict[str, str] = {}
        self._owner: Dict[int, str] = {}  # of a parameter, by its identity
        self._values: Dict[torch.fx.Node, Any] = {}
        sequence = example.dim() == 3 or (example.dim() == 2 and not example.is_floating_point())
        tracer = _Tracer(module, example.shape[1] if sequence else 5)
        try:
            with _tracing():
                graph = torch.fx.GraphModule(module, tracer.trace(module))
        except Exception as why:
            raise Unsupported(f"{type(module).__name__} cannot be traced by torch.fx ({why}); it") from why
        self._attentions = tracer.attentions
        graph.graph.eliminate_dead_code()
        self._modules = dict(graph.named_modules())
        self._state = module.state_dict(keep_vars=True)
        shapes = _Shapes(graph)
        with torch.no_grad():
            shapes.run(example.cpu())
        self._made = shapes.made
        self.input_form = self._form_of_input(graph, example)
        self.input_shape = list(channels_last(example.numpy(), self.input_form).shape[1:]) or [1]
        try:
            for node in graph.graph.nodes:
                self._values[node] = self._translate(node)
        except Unsupported as why:
            apart = _separate_attention(module)
            if not apart:
                raise
            raise Unsupported("an attention of one's own with a linear module each for queries, keys and values (have "
                              "one nn.Linear(E, 3 * E) for them, or take nn.MultiheadAttention)", apart) from why
        self.output: Value = self._values[next(n for n in graph.graph.nodes if n.op == "output")]

    # ---- names and layers ----

    def _where(self, node: torch.fx.Node) -> str:
        return str(node.target) if node.op == "call_module" else node.name

    def _form_of_input(self, graph: Any, example: torch.Tensor) -> str:
        dims = example.dim()
        if not example.is_floating_point():
            return "tokens"
        if dims == 3:
            first = next(iter(next(n for n in graph.graph.nodes if n.op == "placeholder").users), None)
            module = self._modules.get(str(first.target)) if first is not None and first.op == "call_module" else None
            return "ncl" if isinstance(module, (nn.Conv1d, nn.BatchNorm1d, nn.MaxPool1d, nn.AvgPool1d)) else "seq"
        if dims not in (2, 4):
            raise Unsupported(f"an input with {dims} axes")
        return "vec" if dims == 2 else "img"

    def _emit(self, node: torch.fx.Node, layer: dict, inputs: Sequence[Value], form: str, tensors: str = "") -> Value:
        """A layer, and what it makes."""
        base = self._where(node).replace(".", "_")
        name, n = base, 2
        while name == "data" or any(name == other["name"] for other in self.layers):
            name, n = f"{base}_{n}", n + 1
        layer = {"type": layer["type"], "name": name, **layer}
        layer.update({"inputs": [v.layer for v in inputs]} if len(inputs) > 1 else {"input": inputs[0].layer})
        if tensors:
            self._name_tensors(node, layer, tensors)
        self.layers.append(layer)
        return Value(name, form)

    def _name_tensors(self, node: torch.fx.Node, layer: dict, kind: str, suffix: str = "") -> None:
        target, share = str(node.target), {}
        if not suffix:
            self.names[layer["name"]] = target
        for theirs, ours in _TENSORS[kind].items():
            full = f"{target}.{theirs[:-len('_l0')] + suffix if suffix else theirs}"
            if suffix and full in self._state:
                self.names[f"{layer['name']}.{ours}"] = full
            tensor = self._state.get(full)
            if tensor is None:
                continue
            owner = self._owner.setdefault(id(tensor), f"{layer['name']}.{ours}")
            if owner == f"{layer['name']}.{ours}":
                self.tensor_of[full] = owner
            else:
                share[ours] = owner
        if share:
            layer["share"] = share

    def _own_tensor(self, node: torch.fx.Node, layer: dict, parameter: Parameter, ours: str, value: Value) -> Value:
        """A layer of a parameter that has no module of its own."""
        made = self._emit(node, layer, [value], value.form)
        owner = self._owner.setdefault(id(self._state[parameter.name]), f"{made.layer}.{ours}")
        if owner != f"{made.layer}.{ours}":
            self.layers[-1]["share"] = {ours: owner}
        else:
            self.names[owner] = parameter.name
            self.tensor_of[parameter.name] = owner
        return made

    def _value(self, x: Any, node: torch.fx.Node) -> Value:
        value = self._values.get(x) if isinstance(x, torch.fx.Node) else None
        if not isinstance(value, Value) or isinstance(value, LastState):
            raise Unsupported(f"{self._what(node)} of what is no layer's output", self._where(node))
        return value

    def _what(self, node: torch.fx.Node) -> str:
        if node.op == "call_module":
            return f"nn.{type(self._modules[str(node.target)]).__name__}"
        if node.op == "call_method":
            return f"Tensor.{node.target}"
        return getattr(node.target, "__name__", str(node.target))

    def _need(self, good: bool, node: torch.fx.Node, what: str) -> None:
        if not good:
            raise Unsupported(f"{self._what(node)} {what}".strip(), self._where(node))

    def _last(self, node: torch.fx.Node, value: Value) -> Value:
        """The value with PyTorch's last axis as our last."""
        if value.form == "ncl":
            return self._emit(node, {"type": "transpose"}, [value], "seq")
        self._need(value.form in ("vec", "seq", "nhwc"), node, f"along the last axis of a value {value.form}")
        return value

    def _first(self, node: torch.fx.Node, value: Value, form: str) -> Value:
        """The value with PyTorch's first axis as our last."""
        if form == "ncl" and value.form == "seq":
            return self._emit(node, {"type": "transpose"}, [value], "ncl")
        self._need(value.form == form, node, f"of a value {value.form}")
        return value

    def _alike(self, node: torch.fx.Node, value: Value, other: Value) -> Value:
        """The other with our axes as the value has them, where PyTorch's are the same."""
        if other.form == value.form:
            return other
        self._need({other.form, value.form} == {"seq", "ncl"}, node, f"of values {value.form} and {other.form}")
        return self._emit(node, {"type": "transpose"}, [other], value.form)

    # ---- nodes ----

    def _translate(self, node: torch.fx.Node) -> Any:
        if node.op == "placeholder":
            if any(isinstance(v, Value) for v in self._values.values()):
                self._need(not node.users, node, "(a second input of the module)")
                return None
            return Value("data", self.input_form)
        if node.op == "output":
            return self._output(node)
        if node.op == "get_attr":
            made = self._made[node]
            return Parameter(str(node.target), tuple(made.shape)) if isinstance(made, nn.Parameter) else None
        if not self._depends(node):
            return self._constant(node)
        if node.op == "call_module":
            return self._module(node)
        return self._function(node)

    def _depends(self, node: torch.fx.Node) -> bool:
        return any(isinstance(self._values.get(n), (Value, Parameter, tuple)) for n in node.all_input_nodes) \
            and self._is_tensor(self._made[node])

    @staticmethod
    def _is_tensor(made: Any) -> bool:
        return isinstance(made, torch.Tensor) or (isinstance(made, tuple) and any(
            isinstance(x, torch.Tensor) for x in made) and not isinstance(made, torch.Size))

    def _constant(self, node: torch.fx.Node) -> Any:
        """Sizes, and what is made of them; an embedding of the positions is a table."""
        module = self._modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, nn.Embedding):
            positions = self._made[node.args[0]].flatten()
            whole = torch.equal(positions, torch.arange(module.num_embeddings))
            self._need(whole, node, f"of positions that are not 0 to {module.num_embeddings - 1}, all that it has,")
            return Parameter(f"{node.target}.weight", tuple(self._made[node].shape))
        if self._is_tensor(self._made[node]) and module is not None and any(True for _ in module.parameters()):
            raise Unsupported(f"{self._what(node)} of what is no layer's output", self._where(node))
        return None

    def _output(self, node: torch.fx.Node) -> Value:
        value = self._value(node.args[0], node)
        if value.layer == "data" or value.layer != self.layers[-1]["name"]:
            value = self._emit(node, {"type": "identity"}, [value], value.form)
        return value

    # ---- modules ----

    def _module(self, node: torch.fx.Node) -> Any:
        m = self._modules[str(node.target)]
        kind = type(m).__name__
        value = self._value(node.args[0], node) if node.args else None
        self._need(value is not None, node, "called with keywords")
        if str(node.target) in self._attentions:
            return self._own_attention(node, self._attentions[str(node.target)], value)
        if kind in _PLAIN:
            return self._emit(node, {"type": _PLAIN[kind]}, [value], value.form)
        made = getattr(self, f"_nn_{kind.lower()}", None)
        if made is None or not type(m).__module__.startswith("torch.nn"):
            raise Unsupported(self._what(node), self._where(node))
        return made(node, m, value)

    def _nn_linear(self, node: torch.fx.Node, m: nn.Linear, value: Value) -> Value:
        value = self._last(node, value)
        return self._emit(node, {"type": "dense", "units": m.out_features, "bias": m.bias is not None}, [value],
                          value.form, "kernel")

    def _convolution(self, node: torch.fx.Node, m: Any, value: Value, kind: str, form: str) -> Value:
        self._need(m.padding_mode == "zeros", node, f"with padding_mode '{m.padding_mode}'")
        layer = {"type": kind, "filters": m.out_channels, "kernel": _pair(m.kernel_size), "stride": _pair(m.stride),
                 "padding": m.padding if isinstance(m.padding, str) else _pair(m.padding),
                 "dilation": _pair(m.dilation), "groups": m.groups, "bias": m.bias is not None}
        if hasattr(m, "transposed") and m.transposed:
            layer["output_padding"] = _pair(m.output_padding)
        return self._emit(node, layer, [self._first(node, value, form)], form, "kernel")

    def _nn_conv2d(self, node: torch.fx.Node, m: Any, value: Value) -> Value:
        return self._convolution(node, m, value, "conv2d", "img")

    def _nn_conv1d(self, node: torch.fx.Node, m: Any, value: Value) -> Value:
        return self._convolution(node, m, value, "conv1d", "ncl")

    def _nn_convtranspose2d(self, node: torch.fx.Node, m: Any, value: Value) -> Value:
        self._need(len(node.args) == 1 and not node.kwargs, node, "with an output_size")
        return self._convolution(node, m, value, "conv2d_transpose", "img")

    def _pool(self, node: torch.fx.Node, value: Value, kind: str, window: Any, stride: Any, padding: Any,
              ceil: bool, more: dict) -> Value:
        self._need(value.form in ("img", "ncl"), node, f"of a value {value.form}")
        return self._emit(node, {"type": kind, "window": _pair(window), "stride": _pair(window if stride is None else
                                 stride), "padding": _pair(padding), "ceil": bool(ceil), **more}, [value], value.form)

    def _nn_maxpool2d(self, node: torch.fx.Node, m: Any, value: Value) -> Value:
        self._need(not m.return_indices, node, "with return_indices")
        return self._pool(node, value, "max_pool", m.kernel_size, m.stride, m.padding, m.ceil_mode,
                          {} if _pair(m.dilation) == 1 else {"dilation": _pair(m.dilation)})

    _nn_maxpool1d = _nn_maxpool2d

    def _nn_avgpool2d(self, node: torch.fx.Node, m: Any, value: Value) -> Value:
        self._need(getattr(m, "divisor_override", None) is None, node, "with a divisor_override")
        return self._pool(node, value, "average_pool", m.kernel_size, m.stride, m.padding, m.ceil_mode,
                          {"count_include_pad": bool(m.count_include_pad)})

    _nn_avgpool1d = _nn_avgpool2d

    def _adaptive(self, node: torch.fx.Node, value: Value, size: Any) -> Value:
        self._need(value.form in ("img", "ncl"), node, f"of a value {value.form}")
        made = self._made[node].shape[2:]
        return self._emit(node, {"type": "adaptive_average_pool", "output": _pair(tuple(made))}, [value], value.form)

    def _nn_adaptiveavgpool2d(self, node: torch.fx.Node, m: Any, value: Value) -> Value:
        return self._adaptive(node, value, m.output_size)

    _nn_adaptiveavgpool1d = _nn_adaptiveavgpool2d

    def _flatten(self, node: torch.fx.Node, value: Value) -> Value:
        """All axes of a sample as one, in PyTorch's order: of images init.layout says that it is channels first."""
        if value.form == "vec":
            return value
        if value.form in ("ncl", "nhwc"):
            self._need(value.form == "ncl", node, "of images with their channels last")
            value = self._last(node, value)
        return self._emit(node, {"type": "flatten"}, [value], "vec")

    def _nn_flatten(self, node: torch.fx.Node, m: nn.Flatten, value: Value) -> Value:
        return self._flatten_axes(node, value, m.start_dim, m.end_dim)

    def _flatten_axes(self, node: torch.fx.Node, value: Value, start: int, end: int) -> Value:
        dims = self._made[node.args[0]].dim()
        start, end = start % dims, end % dims
        if (start, end) == (1, dims - 1):
            return self._flatten(node, value)
        self._need((start, end) == (2, 3) and value.form == "img", node, f"of the axes {start} to {end}")
        channels, positions = self._made[node].shape[1:]
        return self._emit(node, {"type": "reshape", "shape": [positions, channels]}, [value], "ncl")

    def _nn_identity(self, node: torch.fx.Node, m: Any, value: Value) -> Value:
        return value

    def _nn_dropout(self, node: torch.fx.Node, m: Any, value: Value) -> Value:
        self._need(not m.training or m.p == 0, node, f"with p = {m.p} in training, whose masks nobody recorded,")
        return value

    _nn_dropout1d = _nn_dropout2d = _nn_dropout

    def _nn_gelu(self, node: torch.fx.Node, m: Any, value: Value) -> Value:
        return self._gelu(node, value, m.approximate)

    def _gelu(self, node: torch.fx.Node, value: Value, how: str) -> Value:
        return self._emit(node, {"type": "gelu", "form": "erf" if how == "none" else how}, [value], value.form)

    def _nn_leakyrelu(self, node: torch.fx.Node, m: Any, value: Value) -> Value:
        return self._emit(node, {"type": "leaky_relu", "slope": m.negative_slope}, [value], value.form)

    def _nn_elu(self, node: torch.fx.Node, m: Any, value: Value) -> Value:
        return self._emit(node, {"type": "elu", "alpha": m.alpha}, [value], value.form)

    def _nn_softplus(self, node: torch.fx.Node, m: Any, value: Value) -> Value:
        self._need(m.beta == 1 and m.threshold >= 20, node, f"with beta {m.beta} and threshold {m.threshold}")
        return self._emit(node, {"type": "softplus"}, [value], value.form)

    def _nn_prelu(self, node: torch.fx.Node, m: Any, value: Value) -> Value:
        many = m.num_parameters > 1
        self._need(not many or value.form in ("vec", "img", "ncl"), node, f"of each channel of a value {value.form}")
        return self._emit(node, {"type": "prelu", "per_channel": many}, [value], value.form, "slope")

    def _softmax(self, node: torch.fx.Node, value: Value, kind: str, dim: Optional[int]) -> Value:
        dims = self._made[node].dim()
        channel = 1 if value.form in ("img", "ncl") else dims - 1
        self._need(dim is not None and dim % dims == channel, node, f"along the axis {dim} of a value {value.form}")
        return self._emit(node, {"type": kind}, [value], value.form)

    def _nn_softmax(self, node: torch.fx.Node, m: Any, value: Value) -> Value:
        return self._softmax(node, value, "softmax", m.dim)

    def _nn_logsoftmax(self, node: torch.fx.Node, m: Any, value: Value) -> Value:
        return self._softmax(node, value, "log_softmax", m.dim)

    def _nn_layernorm(self, node: torch.fx.Node, m: nn.LayerNorm, value: Value) -> Value:
        self._need(len(m.normalized_shape) == 1, node, f"of {len(m.normalized_shape)} axes")
        value = self._last(node, value)
        affine = m.weight is not None
        layer = {"type": "layer_norm", "eps": m.eps, "affine": affine}
        if affine:
            layer["bias"] = m.bias is not None
        return self._emit(node, layer, [value], value.form, "scale")

    def _nn_groupnorm(self, node: torch.fx.Node, m: Any, value: Value) -> Value:
        self._need(value.form in ("vec", "img", "ncl"), node, f"of a value {value.form}")
        return self._emit(node, {"type": "group_norm", "groups": m.num_groups, "eps": m.eps, "affine": m.affine},
                          [value], value.form, "scale")

    def _batch_norm(self, node: torch.fx.Node, m: Any, value: Value) -> Value:
        self._need(value.form in ("vec", "img", "ncl"), node, f"of a value {value.form}")
        fixed = not m.training and m.track_running_stats
        return self._emit(node, {"type": "batch_norm", "eps": m.eps, "affine": m.affine,
                                 "statistics": "fixed" if fixed else "batch"}, [value], value.form,
                          "fixed" if fixed else "scale")

    _nn_batchnorm1d = _nn_batchnorm2d = _batch_norm

    def _nn_instancenorm2d(self, node: torch.fx.Node, m: Any, value: Value) -> Value:
        self._need(not m.track_running_stats and value.form == "img", node, "with running statistics")
        return self._emit(node, {"type": "instance_norm", "eps": m.eps, "affine": m.affine}, [value], "img", "scale")

    def _pad(self, node: torch.fx.Node, m: Any, value: Value, mode: str) -> Value:
        self._need(value.form == "img" and min(m.padding) >= 0, node, f"of a value {value.form}")
        left, right, top, bottom = m.padding
        return self._emit(node, {"type": "pad", "padding": [top, bottom, left, right], "mode": mode}, [value], "img")

    def _nn_zeropad2d(self, node: torch.fx.Node, m: Any, value: Value) -> Value:
        return self._pad(node, m, value, "zeros")

    def _nn_reflectionpad2d(self, node: torch.fx.Node, m: Any, value: Value) -> Value:
        return self._pad(node, m, value, "reflect")

    def _nn_replicationpad2d(self, node: torch.fx.Node, m: Any, value: Value) -> Value:
        return self._pad(node, m, value, "replicate")

    def _nn_upsample(self, node: torch.fx.Node, m: Any, value: Value) -> Value:
        factor = m.scale_factor if isinstance(m.scale_factor, tuple) else (m.scale_factor, m.scale_factor)
        whole = None not in factor and all(f == int(f) for f in factor)
        self._need(value.form == "img" and m.mode == "nearest" and whole, node, f"with mode '{m.mode}'")
        return self._emit(node, {"type": "upsample", "factor": _pair([int(f) for f in factor])}, [value], "img")

    def _nn_embedding(self, node: torch.fx.Node, m: nn.Embedding, value: Value) -> Value:
        self._need(value.form == "tokens", node, "of what are no whole numbers")
        for name in ("padding_idx", "max_norm"):
            self._need(getattr(m, name) is None, node, f"with {name}")
        self._need(not m.scale_grad_by_freq, node, "with scale_grad_by_freq")
        made = self._emit(node, {"type": "embedding", "vocabulary": m.num_embeddings, "width": m.embedding_dim},
                          [value], "seq", "table")
        return made if self._made[node].dim() == 3 else self._emit(node, {"type": "flatten"}, [made], "vec")

    def _nn_multiheadattention(self, node: torch.fx.Node, m: nn.MultiheadAttention, value: Value) -> Any:
        same = len(node.args) >= 3 and all(x is node.args[0] for x in node.args[:3])
        self._need(same and m._qkv_same_embed_dim, node, "of different queries, keys and values")
        self._need(m.batch_first, node, "without batch_first")
        self._need(not m.training or m.dropout == 0, node, f"with dropout {m.dropout}, whose masks nobody recorded,")
        self._need(m.bias_k is None and not m.add_zero_attn, node, "with add_bias_kv or add_zero_attn")
        given = dict(zip(("key_padding_mask", "need_weights", "attn_mask", "average_attn_weights"), node.args[3:]),
                     **node.kwargs)
        self._need(given.get("key_padding_mask") is None, node, "with a key_padding_mask")
        causal = self._is_causal(node, given.get("attn_mask"))
        value = self._last(node, value)
        bias = m.in_proj_bias is not None
        return (self._emit(node, {"type": "attention", "heads": m.num_heads, "causal": causal, "bias": bias}, [value],
                           "seq", "attention"), None)

    def _own_attention(self, node: torch.fx.Node, found: dict, value: Value) -> Value:
        self._need(len(node.args) == 1 and not node.kwargs, node, "called with more than the sequence")
        value = self._last(node, value)
        bias = f"{node.target}.{found['qkv']}.bias" in self._state
        made = self._emit(node, {"type": "attention", "heads": found["heads"], "causal": found["causal"],
                                 "bias": bias}, [value], "seq")
        for part in ("qkv", "out"):
            target = f"{node.target}.{found[part]}"
            for theirs, ours in (("weight", "kernel"), ("bias", "bias")):
                tensor = self._state.get(f"{target}.{theirs}")
                if tensor is None:
                    continue
                full = f"{made.layer}.{part}.{ours}"
                self._need(self._owner.setdefault(id(tensor), full) == full, node, "that shares its tensors")
                self.names[full] = f"{target}.{theirs}"
                self.tensor_of[f"{target}.{theirs}"] = full
        return made

    def _is_causal(self, node: torch.fx.Node, mask: Any) -> bool:
        if mask is None:
            return False
        made = self._made.get(mask, mask) if isinstance(mask, torch.fx.Node) else mask
        n = made.shape[-1]
        above = torch.ones(n, n, dtype=torch.bool).triu(1)
        masked = made if made.dtype == torch.bool else made == float("-inf")
        rest = made.dtype == torch.bool or bool((made[~above] == 0).all()) if made.shape == above.shape else False
        self._need(made.shape == above.shape and torch.equal(masked, above) and rest, node,
                   "with an attn_mask that is not the causal one")
        return True

    def _recurrent(self, node: torch.fx.Node, m: Any, value: Value, kind: str) -> Any:
        self._need(m.batch_first, node, "without batch_first")
        self._need(m.dropout == 0 or not m.training or m.num_layers == 1, node,
                   f"with dropout {m.dropout}, whose masks nobody recorded,")
        self._need(len(node.args) == 1 and not node.kwargs, node, "with an initial state")
        self._need(not getattr(m, "proj_size", 0), node, "with proj_size")
        layer = {"type": kind, "units": m.hidden_size, "bias": m.bias}
        if kind == "rnn":
            layer["nonlinearity"] = m.nonlinearity
        value = self._last(node, value)
        for k in range(m.num_layers):
            ways = []
            for suffix in ("", "_reverse")[:1 + m.bidirectional]:
                more = {"reverse": True} if suffix else {}
                ways.append(self._emit(node, {**layer, **more}, [value], "seq"))
                plain = not k and not suffix
                self._name_tensors(node, self.layers[-1], "recurrent", "" if plain else f"_l{k}{suffix}")
            value = ways[0] if len(ways) == 1 else self._emit(node, {"type": "concat"}, ways, "seq")
        state = None if m.bidirectional else LastState(value.layer, "seq")
        return (value, (state, None) if kind == "lstm" else state)

    def _nn_lstm(self, node: torch.fx.Node, m: Any, value: Value) -> Any:
        return self._recurrent(node, m, value, "lstm")

    def _nn_gru(self, node: torch.fx.Node, m: Any, value: Value) -> Any:
        return self._recurrent(node, m, value, "gru")

    def _nn_rnn(self, node: torch.fx.Node, m: Any, value: Value) -> Any:
        return self._recurrent(node, m, value, "rnn")

    # ---- functions and methods ----

    def _function(self, node: torch.fx.Node) -> Any:
        method = node.op == "call_method"
        plain = _METHODS.get(str(node.target)) if method else _FUNCTIONS.get(node.target)
        if plain:
            value = self._value(node.args[0], node)
            return self._emit(node, {"type": plain}, [value], value.form)
        name = str(node.target) if method else getattr(node.target, "__name__", "")
        known: Dict[str, Callable] = {
            "add": self._sum, "iadd": self._sum, "mul": self._product, "imul": self._product, "cat": self._cat,
            "concat": self._cat, "flatten": self._f_flatten, "view": self._view, "reshape": self._view,
            "getitem": self._getitem, "transpose": self._transpose, "permute": self._permute, "mean": self._mean,
            "gelu": self._f_gelu, "leaky_relu": self._f_leaky_relu, "elu": self._f_elu, "softmax": self._f_softmax,
            "log_softmax": self._f_softmax, "dropout": self._f_dropout, "contiguous": self._same, "float": self._same,
            "double": self._same, "max_pool2d": self._f_pool, "boolean_dispatch": self._f_pool, "fn": self._f_pool,
            "avg_pool2d": self._f_pool, "adaptive_avg_pool2d": self._f_adaptive, "truediv": self._product,
            "div": self._product, "sub": self._difference, "neg": self._negative, "pow": self._power,
            "squeeze": self._squeeze}
        if name not in known:
            raise Unsupported(self._what(node), self._where(node))
        return known[name](node)

    def _same(self, node: torch.fx.Node) -> Value:
        return self._value(node.args[0], node)

    def _arguments(self, node: torch.fx.Node, names: str, **defaults: Any) -> dict:
        """The arguments behind the first, by name."""
        given = dict(zip(names.split(), node.args[1:]), **node.kwargs)
        return {**defaults, **given}

    def _two(self, node: torch.fx.Node) -> Tuple[Value, Any]:
        self._need(not node.kwargs and len(node.args) == 2, node, "with other arguments")
        a, b = node.args
        if not isinstance(self._values.get(a) if isinstance(a, torch.fx.Node) else None, Value):
            self._need("div" not in str(node.target), node, "by a layer's output")
            a, b = b, a
        value = self._value(a, node)
        return value, self._values.get(b) if isinstance(b, torch.fx.Node) else b

    def _sum(self, node: torch.fx.Node) -> Value:
        value, other = self._two(node)
        if isinstance(other, Value):
            shapes = {tuple(self._made[n].shape) for n in node.all_input_nodes}
            self._need(len(shapes) == 1, node, f"of shapes {sorted(shapes)}")
            return self._emit(node, {"type": "add"}, [value, self._alike(node, value, other)], value.form)
        self._need(isinstance(other, Parameter), node, "of what is neither a layer's output nor a parameter")
        shape = list(self._made[node].shape[1:])
        given = [n for n in other.shape]
        while len(given) > len(shape) and given[0] == 1:
            given = given[1:]
        if value.form == "seq" and given == shape:
            return self._own_tensor(node, {"type": "positions"}, other, "table", value)
        self._need(value.form in ("vec", "seq", "nhwc") and given[-1] == shape[-1] and
                   all(n == 1 for n in given[:-1]), node, f"of a parameter {list(other.shape)} and a value {shape}")
        return self._own_tensor(node, {"type": "bias"}, other, "bias", value)

    def _product(self, node: torch.fx.Node) -> Value:
        value, other = self._two(node)
        if isinstance(other, (int, float)):
            factor = 1 / other if "div" in str(getattr(node.target, "__name__", node.target)) else other
            return self._emit(node, {"type": "scale", "factor": float(factor)}, [value], value.form)
        self._need("div" not in str(getattr(node.target, "__name__", node.target)), node, "by what is no number")
        if isinstance(other, Value):
            shapes = {tuple(self._made[n].shape) for n in node.all_input_nodes}
            wide, gate = (tuple(self._made[n].shape) for n in node.args)
            if gate[2:] != (1, 1):
                wide, gate, value, other = (gate, wide, other, value) if wide[2:] == (1, 1) else (wide, gate, value, other)
            gates = value.form == other.form == "img" and wide[:2] == gate[:2] and gate[2:] == (1, 1)
            self._need(len(shapes) == 1 or gates, node, f"of shapes {sorted(shapes)}")
            return self._emit(node, {"type": "multiply"}, [value, self._alike(node, value, other)], value.form)
        self._need(isinstance(other, Parameter) and value.form in ("vec", "seq", "nhwc") and
                   other.shape[-1] == self._made[node].shape[-1] and all(n == 1 for n in other.shape[:-1]), node,
                   "of what is neither a number nor a parameter of the channels")
        return self._own_tensor(node, {"type": "scale", "learn": "channels"}, other, "scale", value)

    def _negative(self, node: torch.fx.Node) -> Value:
        value = self._value(node.args[0], node)
        return self._emit(node, {"type": "scale", "factor": -1.0}, [value], value.form)

    def _difference(self, node: torch.fx.Node) -> Value:
        self._need(len(node.args) == 2 and not node.kwargs, node, "with other arguments")
        value, other = (self._value(x, node) for x in node.args)
        shapes = {tuple(self._made[n].shape) for n in node.all_input_nodes}
        self._need(len(shapes) == 1, node, f"of shapes {sorted(shapes)}")
        other = self._emit(node, {"type": "scale", "factor": -1.0}, [self._alike(node, value, other)], value.form)
        return self._emit(node, {"type": "add"}, [value, other], value.form)

    def _power(self, node: torch.fx.Node) -> Value:
        value = self._value(node.args[0], node)
        self._need(node.args[1] == 2, node, f"to {node.args[1]}")
        return self._emit(node, {"type": "square"}, [value], value.form)

    def _squeeze(self, node: torch.fx.Node) -> Value:
        state = self._values.get(node.args[0])
        self._need(isinstance(state, LastState) and tuple(node.args[1:]) == (0,), node, "of a layer's output")
        return self._emit(node, {"type": "select", "position": 0, "last": True}, [Value(state.layer, "seq")], "vec")

    def _cat(self, node: torch.fx.Node) -> Value:
        values = [self._value(x, node) for x in node.args[0]]
        dims = self._made[node].dim()
        dim = self._arguments(node, "dim", dim=0)["dim"] % dims
        form = values[0].form
        self._need(all(v.form == form for v in values), node, "of values of several forms")
        channel = 1 if form in ("img", "ncl") else dims - 1
        if dim == channel:
            return self._emit(node, {"type": "concat"}, values, form)
        self._need(form == "seq" and dim == 1, node, f"along the axis {dim} of values {form}")
        return self._emit(node, {"type": "concat", "axis": "positions"}, values, form)

    def _f_flatten(self, node: torch.fx.Node) -> Value:
        given = self._arguments(node, "start_dim end_dim", start_dim=0, end_dim=-1)
        return self._flatten_axes(node, self._value(node.args[0], node), given["start_dim"], given["end_dim"])

    def _view(self, node: torch.fx.Node) -> Value:
        value = self._value(node.args[0], node)
        before, after = self._made[node.args[0]].shape, self._made[node].shape
        if before == after:
            return value
        self._need(len(after) == 2 and after[0] == before[0], node, f"of {list(before)} as {list(after)}")
        return self._flatten(node, value)

    def _getitem(self, node: torch.fx.Node) -> Any:
        what, index = node.args
        value = self._values.get(what)
        if isinstance(value, tuple):
            part = value[index] if index in (0, 1) and len(value) > index else None
            self._need(part is not None or not node.users, node, f"{index} of a module's outputs")
            return part
        if isinstance(value, LastState):
            self._need(index == -1 or (index == 0 and len(self._made[what]) == 1), node, f"{index} of several states")
            return self._emit(node, {"type": "select", "position": 0, "last": True}, [value], "vec")
        value = self._value(what, node)
        one = isinstance(index, tuple) and len(index) >= 2 and index[0] == slice(None) and isinstance(index[1], int) \
            and all(i == slice(None) or i is Ellipsis for i in index[2:])
        self._need(value.form == "seq" and one, node, f"[{index}] of a value {value.form}")
        position = {"position": index[1]} if index[1] >= 0 else {"position": -1 - index[1], "last": True}
        return self._emit(node, {"type": "select", **position}, [value], "vec")

    def _permuted(self, node: torch.fx.Node, axes: Tuple[int, ...]) -> Value:
        """Which axes are which is all that changes."""
        value = self._value(node.args[0], node)
        forms = {("seq", (0, 2, 1)): "ncl", ("ncl", (0, 2, 1)): "seq", ("img", (0, 2, 3, 1)): "nhwc",
                 ("nhwc", (0, 3, 1, 2)): "img"}
        self._need((value.form, axes) in forms, node, f"to the axes {axes} of a value {value.form}")
        return Value(value.layer, forms[value.form, axes])

    def _transpose(self, node: torch.fx.Node) -> Value:
        dims = self._made[node].dim()
        a, b = (int(k) % dims for k in node.args[1:3])
        axes = list(range(dims))
        axes[a], axes[b] = b, a
        return self._permuted(node, tuple(axes))

    def _permute(self, node: torch.fx.Node) -> Value:
        axes = node.args[1] if isinstance(node.args[1], (tuple, list)) else node.args[1:]
        dims = self._made[node].dim()
        return self._permuted(node, tuple(int(k) % dims for k in axes))

    def _mean(self, node: torch.fx.Node) -> Value:
        value = self._value(node.args[0], node)
        given = self._arguments(node, "dim keepdim", dim=None, keepdim=False)
        dims = self._made[node.args[0]].dim()
        dim = given["dim"] if isinstance(given["dim"], (tuple, list)) else [given["dim"]]
        positions = {"img": [2, 3], "ncl": [2], "seq": [1], "nhwc": [1, 2]}.get(value.form)
        self._need(None not in dim and sorted(k % dims for k in dim) == positions and not given["keepdim"], node,
                   f"over the axes {given['dim']} of a value {value.form}")
        return self._emit(node, {"type": "global_average_pool"}, [value], "vec")

    def _f_gelu(self, node: torch.fx.Node) -> Value:
        return self._gelu(node, self._value(node.args[0], node),
                          self._arguments(node, "approximate", approximate="none")["approximate"])

    def _f_leaky_relu(self, node: torch.fx.Node) -> Value:
        value = self._value(node.args[0], node)
        slope = self._arguments(node, "negative_slope inplace", negative_slope=0.01)["negative_slope"]
        return self._emit(node, {"type": "leaky_relu", "slope": slope}, [value], value.form)

    def _f_elu(self, node: torch.fx.Node) -> Value:
        value = self._value(node.args[0], node)
        alpha = self._arguments(node, "alpha inplace", alpha=1.0)["alpha"]
        return self._emit(node, {"type": "elu", "alpha": alpha}, [value], value.form)

    def _f_softmax(self, node: torch.fx.Node) -> Value:
        kind = "log_softmax" if "log" in str(getattr(node.target, "__name__", node.target)) else "softmax"
        return self._softmax(node, self._value(node.args[0], node), kind,
                             self._arguments(node, "dim", dim=None)["dim"])

    def _f_dropout(self, node: torch.fx.Node) -> Value:
        given = self._arguments(node, "p training inplace", p=0.5, training=True)
        self._need(not given["training"] or given["p"] == 0, node, f"with p = {given['p']} in training")
        return self._value(node.args[0], node)

    def _f_pool(self, node: torch.fx.Node) -> Value:
        value = self._value(node.args[0], node)
        if node.target is F.avg_pool2d:
            g = self._arguments(node, "kernel_size stride padding ceil_mode count_include_pad divisor_override",
                                stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None)
            self._need(g["divisor_override"] is None, node, "with a divisor_override")
            return self._pool(node, value, "average_pool", g["kernel_size"], g["stride"] or None, g["padding"],
                              g["ceil_mode"], {"count_include_pad": bool(g["count_include_pad"])})
        self._need(node.target in (F.max_pool2d, torch.max_pool2d), node, "")
        g = self._arguments(node, "kernel_size stride padding dilation ceil_mode return_indices", stride=None,
                            padding=0, dilation=1, ceil_mode=False, return_indices=False)
        self._need(not g["return_indices"], node, "with return_indices")
        return self._pool(node, value, "max_pool", g["kernel_size"], g["stride"] or None, g["padding"], g["ceil_mode"],
                          {} if _pair(g["dilation"]) == 1 else {"dilation": _pair(g["dilation"])})

    def _f_adaptive(self, node: torch.fx.Node) -> Value:
        return self._adaptive(node, self._value(node.args[0], node), None)
