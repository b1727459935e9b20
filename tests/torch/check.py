#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""check.py: every layer in a small training, against PyTorch in double precision.

A case is a function below that returns a Case: the layers of a config and the torch module that equals them.  Both
are trained for a few steps from PyTorch's parameters, which the config takes over by name.  Compared are theta_n
(to 1e-12 of its movement), and J x and J'y for random x and y (to 1e-11), where PyTorch's come from
differentiating through the whole training.

    check.py SPECTRAJ LIBSPECTRAJ.SO [CASE]...
"""
import ctypes
import inspect
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.stateless import functional_call

STEPS, BATCH, RATE, MOMENTUM = 3, 5, 0.1, 0.9
CLASSES = 3


class Case:
    """shape: of a sample, as a config says it; of several inputs by name {name: shape}, which the module has one by one in
    this order; `weights` names one that is none of them, of the samples in the loss.  layers: lines of YAML, before flatten and the last dense layer.
    module: the same for a batch, images channels first.  names: more of init.names.  tokens: of a vocabulary."""

    def __init__(self, shape, layers, module, names="", tokens=0, steps=STEPS):
        self.shape, self.layers, self.module = shape, layers, module
        self.names, self.tokens, self.steps = names, tokens, steps
        self.whole, self.classes, self.trainable, self.weights = False, CLASSES, "", None

    def files(self):
        if isinstance(self.shape, dict):
            return "inputs: {%s}" % ", ".join(f"{name}: {name}.npy" for name in self.shape)
        return "file: x.npy"

    def inputs(self):
        if isinstance(self.shape, dict):
            return "inputs: {%s}" % ", ".join(f"{name}: {shape}" for name, shape in self.shape.items())
        return f"input: {self.shape}"


class Whole(Case):
    """Layers and module as they are, read with `layout: pytorch`; of a module that ends in other numbers than classes,
    which come last, `classes` is 0: squares of differences.  trainable: patterns in YAML, of what requires grad."""

    def __init__(self, shape, layers, module, names="", tokens=0, classes=CLASSES, trainable="", weights=None):
        super().__init__(shape, layers, module, names, tokens)
        self.whole, self.classes, self.trainable, self.weights = True, classes, trainable, weights


class Transpose(nn.Module):
    """[batch][positions][channels] to channels first and back."""

    def forward(self, x):
        return x.transpose(1, 2)


class Function(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        return self.f(x)


def chain(**modules):
    """Modules in a row; those with parameters are named as the config's layers."""
    net = nn.Sequential()
    for name, module in modules.items():
        net.add_module(name, module)
    return net


# ---- convolutions ----

def conv(shape, options, **keywords):
    """A convolution of torch's keywords, which `options` says in YAML."""
    return Case(shape, [f"{{type: conv2d, name: conv, {options}}}", "tanh"],
                chain(conv=nn.Conv2d(shape[2], **keywords), act=nn.Tanh()))


def conv_stride_2_padding_1():
    return conv([6, 8, 2], "filters: 3, kernel: 3, stride: 2, padding: 1",
                out_channels=3, kernel_size=3, stride=2, padding=1)


def conv_paddings():
    return conv([5, 4, 2], "filters: 2, kernel: [3, 2], padding: [2, 1]",
                out_channels=2, kernel_size=(3, 2), padding=(2, 1))


def conv_one_sided():
    return Case([4, 5, 1], ["{type: conv2d, name: conv, filters: 2, kernel: 3, padding: [0, 2, 1, 3]}", "tanh"],
                chain(pad=nn.ZeroPad2d((1, 3, 0, 2)), conv=nn.Conv2d(1, 2, 3), act=nn.Tanh()))


def conv_dilated():
    return conv([7, 8, 2], "filters: 2, kernel: 3, dilation: [2, 3], stride: [1, 2], padding: [1, 3]",
                out_channels=2, kernel_size=3, dilation=(2, 3), stride=(1, 2), padding=(1, 3))


def conv_grouped():
    return conv([5, 5, 4], "filters: 6, kernel: 3, groups: 2, padding: 1",
                out_channels=6, kernel_size=3, groups=2, padding=1)


def conv_depthwise():
    return conv([6, 6, 4], "filters: 4, kernel: 3, groups: 4, stride: 2, padding: 1",
                out_channels=4, kernel_size=3, groups=4, stride=2, padding=1)


def conv_depthwise_multiplied():
    return conv([5, 4, 2], "filters: 4, kernel: 3, groups: 2, padding: 1, bias: false",
                out_channels=4, kernel_size=3, groups=2, padding=1, bias=False)


def conv_depthwise_dilated():
    return conv([6, 5, 3], "filters: 3, kernel: [3, 2], groups: 3, dilation: 2, padding: 2, bias: false",
                out_channels=3, kernel_size=(3, 2), groups=3, dilation=2, padding=2, bias=False)


def conv_1d():
    return Case([7, 4], ["{type: conv1d, name: conv, filters: 6, kernel: 3, stride: 2, padding: 2, dilation: 2, "
                         "groups: 2}", "tanh"],
                chain(first=Transpose(), conv=nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2),
                      last=Transpose(), act=nn.Tanh()))


def conv_1d_causal():
    return Case([6, 2], ["{type: conv1d, name: conv, filters: 3, kernel: 3, padding: causal}", "tanh"],
                chain(first=Transpose(), pad=nn.ConstantPad1d((2, 0), 0), conv=nn.Conv1d(2, 3, 3), last=Transpose(),
                      act=nn.Tanh()))


def transposed(shape, options, *arguments, **keywords):
    return Case(shape, [f"{{type: conv2d_transpose, name: conv, {options}}}", "tanh"],
                chain(conv=nn.ConvTranspose2d(shape[2], *arguments, **keywords), act=nn.Tanh()))


def conv_transpose():
    return transposed([3, 4, 2], "filters: 3, kernel: 3, stride: 2, padding: 1, output_padding: 1", 3, 3, 2, 1, 1)


def conv_transpose_grouped():
    return transposed([3, 4, 4], "filters: 6, kernel: 3, stride: 2, padding: 1, groups: 2", 6, 3, 2, 1, groups=2)


def conv_transpose_depthwise():
    return transposed([4, 3, 3], "filters: 3, kernel: 2, stride: 2, groups: 3, bias: false", 3, 2, 2, groups=3, bias=False)


def conv_transpose_dilated():
    return transposed([3, 2, 3], "filters: 2, kernel: [2, 3], stride: [1, 2], padding: [1, 0], dilation: 2, "
                      "output_padding: [0, 1], bias: false",
                      2, (2, 3), (1, 2), (1, 0), (0, 1), dilation=2, bias=False)


def pads():
    return Case([4, 4, 1], ["{type: conv2d, name: conv, filters: 2, kernel: 3, padding: 1}",
                            "{type: pad, padding: [1, 2, 3, 0], mode: reflect}", "{type: average_pool, window: 2}",
                            "{type: pad, padding: [2, 1], mode: replicate}", "{type: average_pool, window: 2}",
                            "{type: pad, padding: 1}", "tanh"],
                chain(conv=nn.Conv2d(1, 2, 3, padding=1), a=nn.ReflectionPad2d((3, 0, 1, 2)), b=nn.AvgPool2d(2),
                      c=nn.ReplicationPad2d((1, 1, 2, 2)), d=nn.AvgPool2d(2), e=nn.ZeroPad2d(1), act=nn.Tanh()))


def pad_circular():
    return Case([4, 3, 1], ["{type: pad, padding: [1, 2], mode: circular}",
                            "{type: conv2d, name: conv, filters: 2, kernel: 3}", "tanh"],
                chain(pad=Function(lambda x: F.pad(x, (2, 2, 1, 1), mode="circular")), conv=nn.Conv2d(1, 2, 3),
                      act=nn.Tanh()))


def upsample():
    return Case([3, 2, 2], ["{type: conv2d, name: conv, filters: 2, kernel: 1}", "{type: upsample, factor: [2, 3]}",
                            "{type: conv2d, name: after, filters: 1, kernel: 3}", "tanh"],
                chain(conv=nn.Conv2d(2, 2, 1), up=nn.Upsample(scale_factor=(2, 3)), after=nn.Conv2d(2, 1, 3),
                      act=nn.Tanh()))


# ---- pools ----

def pooled(shape, layer, module):
    return Case(shape, ["{type: conv2d, name: conv, filters: 2, kernel: 3, padding: 1}", layer, "tanh"],
                chain(conv=nn.Conv2d(shape[2], 2, 3, padding=1), pool=module, act=nn.Tanh()))


def max_pool_padded():
    return pooled([7, 6, 1], "{type: max_pool, window: 3, stride: 2, padding: 1}", nn.MaxPool2d(3, 2, 1))


def max_pool_ceil():
    return pooled([6, 7, 1], "{type: max_pool, window: [2, 3], stride: 2, padding: [0, 1], ceil: true}",
                  nn.MaxPool2d((2, 3), 2, (0, 1), ceil_mode=True))


def max_pool_dilated():
    return pooled([7, 7, 1], "{type: max_pool, window: 3, stride: 2, padding: 1, dilation: 2}",
                  nn.MaxPool2d(3, 2, 1, dilation=2))


def average_pool_padded():
    return pooled([7, 6, 1], "{type: average_pool, window: 3, stride: 2, padding: 1}", nn.AvgPool2d(3, 2, 1))


def average_pool_ceil():
    return pooled([6, 6, 1], "{type: average_pool, window: 3, stride: 2, padding: 1, ceil: true}",
                  nn.AvgPool2d(3, 2, 1, ceil_mode=True))


def average_pool_without_padding():
    return pooled([6, 6, 1], "{type: average_pool, window: 3, stride: 2, padding: 1, ceil: true, "
                  "count_include_pad: false}",
                  nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False))


def adaptive_average_pool():
    return pooled([7, 5, 1], "{type: adaptive_average_pool, output: [3, 2]}", nn.AdaptiveAvgPool2d((3, 2)))


def pool_1d():
    return Case([9, 3], ["{type: conv1d, name: conv, filters: 2, kernel: 2}",
                         "{type: max_pool, window: 3, stride: 2, padding: 1}",
                         "{type: average_pool, window: 2, stride: 1}", "tanh"],
                chain(first=Transpose(), conv=nn.Conv1d(3, 2, 2), pool=nn.MaxPool1d(3, 2, 1), mean=nn.AvgPool1d(2, 1),
                      last=Transpose(), act=nn.Tanh()))


# ---- activations ----

def activated(layer, module):
    return Case([6], ["{type: dense, name: first, units: 8}", layer, "{type: dense, name: second, units: 4}", "tanh"],
                chain(first=nn.Linear(6, 8), f=module, second=nn.Linear(8, 4),
                      act=nn.Tanh()))


def relu():
    return activated("relu", nn.ReLU())


def leaky_relu():
    return activated("{type: leaky_relu, slope: 0.2}", nn.LeakyReLU(0.2))


def prelu():
    case = activated("{type: prelu, name: f}", nn.PReLU())
    case.names = "slope: weight"
    return case


def prelu_per_channel():
    case = activated("{type: prelu, name: f, per_channel: true}", nn.PReLU(8))
    case.names = "slope: weight"
    return case


def relu6():
    return activated("relu6", nn.ReLU6())


def elu():
    return activated("{type: elu, alpha: 0.7}", nn.ELU(0.7))


def selu():
    return activated("selu", nn.SELU())


def hardswish():
    return activated("hardswish", nn.Hardswish())


def hardsigmoid():
    return activated("hardsigmoid", Function(lambda x: F.relu6(x + 3) / 6))  # no second derivative there


def mish():
    return activated("mish", nn.Mish())


def gelu():
    return activated("{type: gelu, form: erf}", nn.GELU())


def gelu_tanh():
    return activated("gelu", nn.GELU(approximate="tanh"))


def silu():
    return activated("silu", nn.SiLU())


def softplus():
    return activated("softplus", nn.Softplus())


def sigmoid():
    return activated("sigmoid", nn.Sigmoid())


def exp():
    return activated("exp", Function(torch.exp))


def sine():
    return activated("sin", Function(torch.sin))


def modulus():
    return activated("abs", Function(torch.abs))


def square():
    return activated("square", Function(torch.square))


def identity():
    return activated("identity", nn.Identity())


def softmax():
    return activated("softmax", nn.Softmax(-1))


def log_softmax():
    return activated("log_softmax", nn.LogSoftmax(-1))


# ---- normalisations ----

def normalized(shape, layer, module, names="scale: weight"):
    """Behind a convolution of images, or a dense layer of sequences."""
    if len(shape) == 3:
        return Case(shape, ["{type: conv2d, name: first, filters: 4, kernel: 2}", layer, "tanh"],
                    chain(first=nn.Conv2d(shape[2], 4, 2), norm=module, act=nn.Tanh()), names=names)
    return Case(shape, ["{type: dense, name: first, units: 6}", layer, "tanh"],
                chain(first=nn.Linear(shape[-1], 6), norm=module, act=nn.Tanh()), names=names)


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return self.weight * x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-5)


def layer_norm():
    return normalized([3, 4], "{type: layer_norm, name: norm}", nn.LayerNorm(6))


def layer_norm_without_parameters():
    return normalized([3, 4], "{type: layer_norm, affine: false}", nn.LayerNorm(6, elementwise_affine=False), "")


def layer_norm_without_bias():
    class Norm(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(6))

        def forward(self, x):
            return F.layer_norm(x, [6], self.weight)
    return normalized([3, 4], "{type: layer_norm, name: norm, bias: false}", Norm())


def rms_norm():
    return normalized([3, 4], "{type: rms_norm, name: norm}", RMSNorm(6))


def group_norm():
    return normalized([4, 3, 2], "{type: group_norm, name: norm, groups: 2}", nn.GroupNorm(2, 4))


def instance_norm():
    return normalized([4, 3, 2], "{type: instance_norm, name: norm}", nn.InstanceNorm2d(4, affine=True))


def instance_norm_without_parameters():
    return normalized([4, 3, 2], "{type: instance_norm, affine: false}", nn.InstanceNorm2d(4), "")


def batch_norm():
    return normalized([4, 3, 2], "{type: batch_norm, name: norm}", nn.BatchNorm2d(4, track_running_stats=False))


def batch_norm_without_parameters():
    return normalized([4, 3, 2], "{type: batch_norm, affine: false}",
                      nn.BatchNorm2d(4, affine=False, track_running_stats=False), "")


# ---- attention ----

class Attention(nn.Module):
    """By its definition; rope: (base, fraction, whether neighbours turn together)."""

    def __init__(self, width, heads, kv_heads=None, bias=True, causal=False, rope=None, norm=None):
        super().__init__()
        self.heads, self.kv_heads, self.d = heads, kv_heads or heads, width // heads
        self.causal, self.rope = causal, rope
        self.qkv = nn.Linear(width, width + 2 * self.kv_heads * self.d, bias=bias)
        self.out = nn.Linear(width, width, bias=bias)
        self.norms = [norm(self.d), norm(self.d)] if norm else None
        if norm:
            self.qkv.q_scale = self.norms[0].weight
            self.qkv.k_scale = self.norms[1].weight

    def turn(self, x):
        base, fraction, neighbours = self.rope
        n = int(self.d * fraction)
        angle = torch.arange(x.shape[-2]).double()[:, None] / base ** (torch.arange(0, n, 2).double() / n)
        a, b = (x[..., 0:n:2], x[..., 1:n:2]) if neighbours else (x[..., :n // 2], x[..., n // 2:n])
        a, b = a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()
        turned = torch.stack([a, b], -1).flatten(-2) if neighbours else torch.cat([a, b], -1)
        return torch.cat([turned, x[..., n:]], -1)

    def norm(self, x, scale, module):
        x = x - x.mean(-1, keepdim=True) if isinstance(module, nn.LayerNorm) else x
        return scale * x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-5)

    def forward(self, x):
        n, t, width = x.shape
        q, k, v = self.qkv(x).split([width, self.kv_heads * self.d, self.kv_heads * self.d], -1)
        q, k, v = (u.reshape(n, t, -1, self.d).transpose(1, 2) for u in (q, k, v))
        if self.norms:
            q = self.norm(q, self.qkv.q_scale, self.norms[0])
            k = self.norm(k, self.qkv.k_scale, self.norms[1])
        if self.rope:
            q, k = self.turn(q), self.turn(k)
        k, v = (u.repeat_interleave(self.heads // self.kv_heads, 1) for u in (k, v))
        scores = q @ k.transpose(-1, -2) / self.d ** 0.5
        if self.causal:
            scores = scores.masked_fill(torch.ones(t, t).triu(1).bool(), -torch.inf)
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, width))


def attending(options, names="", **keywords):
    return Case([4, 4], ["{type: dense, name: first, units: 8}", f"{{type: attention, name: attn, {options}}}", "tanh"],
                chain(first=nn.Linear(4, 8), attn=Attention(8, **keywords), act=nn.Tanh()), names=names)


def attention():
    case = Case([4, 3], ["{type: dense, name: first, units: 6}", "{type: attention, name: attn, heads: 2}", "tanh"],
                chain(first=nn.Linear(3, 6), attn=nn.MultiheadAttention(6, 2, batch_first=True), act=nn.Tanh()),
                names="attn.qkv.kernel: attn.in_proj_weight, attn.qkv.bias: attn.in_proj_bias, attn.out: attn.out_proj")
    inner = case.module.attn.forward
    case.module.attn.forward = lambda x: inner(x, x, x, need_weights=False)[0]
    return case


def attention_grouped():
    return attending("heads: 4, kv_heads: 2, causal: true", heads=4, kv_heads=2, causal=True)


def attention_rope():
    return attending("heads: 2, kv_heads: 1, rope: {base: 100}, bias: false, causal: true",
                     heads=2, kv_heads=1, rope=(100, 1, False), bias=False, causal=True)


def attention_rope_neighbours():
    return attending("heads: 2, rope: {fraction: 0.5, pairs: neighbours}", heads=2, rope=(10000, 0.5, True))


def attention_normed():
    return attending("heads: 2, kv_heads: 1, qk_norm: rms_norm, rope: {}", heads=2, kv_heads=1, norm=RMSNorm,
                     rope=(10000, 1, False))


def attention_layer_normed():
    return attending("heads: 2, qk_norm: layer_norm, bias: false", heads=2, norm=nn.LayerNorm, bias=False)


# ---- recurrent layers ----

class First(nn.Module):
    """The outputs of a recurrent module, without its last state."""

    def __init__(self, module, reverse=False):
        super().__init__()
        self.cell, self.reverse = module, reverse

    def forward(self, x):
        # It computes with a list of its parameters, which functional_call does not replace.
        self.cell._flat_weights = [getattr(self.cell, name) for name in self.cell._flat_weights_names]
        if self.reverse:
            return self.cell(x.flip(1))[0].flip(1)
        return self.cell(x)[0]


def recurrent(options, module, reverse=False):
    tensors = [("input_kernel", "weight_ih"), ("hidden_kernel", "weight_hh")]
    if module.bias:
        tensors += [("input_bias", "bias_ih"), ("hidden_bias", "bias_hh")]
    return Case([5, 3], [f"{{name: cell, {options}}}"], chain(cell=First(module, reverse)),
                names=", ".join(f"cell.{ours}: cell.cell.{theirs}_l0" for ours, theirs in tensors))


def rnn():
    return recurrent("type: rnn, units: 4", nn.RNN(3, 4, batch_first=True))


def rnn_relu():
    return recurrent("type: rnn, units: 4, nonlinearity: relu, bias: false",
                     nn.RNN(3, 4, nonlinearity="relu", bias=False, batch_first=True))


def lstm():
    return recurrent("type: lstm, units: 4", nn.LSTM(3, 4, batch_first=True))


def lstm_reverse():
    return recurrent("type: lstm, units: 3, reverse: true, bias: false",
                     nn.LSTM(3, 3, bias=False, batch_first=True), reverse=True)


def gru():
    return recurrent("type: gru, units: 4", nn.GRU(3, 4, batch_first=True))


def gru_reverse():
    return recurrent("type: gru, units: 3, reverse: true", nn.GRU(3, 3, batch_first=True), reverse=True)


def lstm_stacked():
    case = recurrent("type: lstm, units: 3", nn.LSTM(3, 3, batch_first=True))
    case.layers.append("{type: gru, name: top, units: 2}")
    case.module.add_module("top", First(nn.GRU(3, 2, batch_first=True)))
    case.names += ", " + ", ".join(f"top.{ours}: top.cell.{theirs}_l0" for ours, theirs in
                                   [("input_kernel", "weight_ih"), ("hidden_kernel", "weight_hh"),
                                    ("input_bias", "bias_ih"), ("hidden_bias", "bias_hh")])
    return case


# ---- the comparison ----

class Spectraj:
    """The command, and what of the library is called here."""

    def __init__(self, program, library):
        self.program = program
        self.lib = ctypes.CDLL(library)
        self.error = ctypes.create_string_buffer(4096)

    def call(self, name, *arguments):
        ctypes.memset(self.error, 0, len(self.error))
        if getattr(self.lib, name)(*arguments, self.error) != 0:
            raise RuntimeError(self.error.raw[16:].split(b"\0")[0].decode())

    def train(self, config, folder):
        done = subprocess.run([self.program, "train", config, "-o", folder, "-q"], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        run = ctypes.c_void_p()
        self.call("stj_run_open", folder.encode(), ctypes.byref(run))
        return run

    def theta(self, run, t, n):
        theta = np.zeros(n)
        self.call("stj_run_theta", run, ctypes.c_size_t(t), theta.ctypes.data_as(ctypes.c_void_p))
        return theta

    def product(self, run, transposed, x):
        op = ctypes.c_void_p()
        y = np.zeros_like(x)
        n, size = len(x), ctypes.c_size_t
        self.call("stj_run_jacobian", run, size(0), size(0), size(0), ctypes.byref(op))
        self.call("stj_op_apply", op, int(transposed), size(1), x.ctypes.data_as(ctypes.c_void_p), size(n),
                  y.ctypes.data_as(ctypes.c_void_p), size(n))
        self.lib.stj_op_destroy(op)
        return y


def torch_training(net, loss, x, target, steps):
    """theta_0 (flat, in the order of state_dict) and theta_n as a function of it, to be differentiated."""
    trained = [(name, p) for name, p in net.named_parameters() if p.requires_grad]
    shapes = [p.shape for _, p in trained]
    theta = torch.cat([p.detach().reshape(-1) for _, p in trained]).requires_grad_()

    def value(flat, t):
        pieces = torch.split(flat, [int(np.prod(s)) for s in shapes])
        parameters = {name: p.reshape(s) for (name, _), p, s in zip(trained, pieces, shapes)}
        rows = slice(t * BATCH, (t + 1) * BATCH)
        return loss(functional_call(net, parameters, tuple(one[rows] for one in x)), target[rows])

    now, velocity = theta, torch.zeros_like(theta)
    for t in range(steps):
        gradient, = torch.autograd.grad(value(now, t), now, create_graph=True)
        velocity = MOMENTUM * velocity + gradient
        now = now - RATE * velocity
    return theta, now


CONFIG = """data:
  train: {{{files}, {target}}}
network:
  {shape}
  {trainable}
  layers:
{layers}
  loss: {loss}
init:
  file: {init}
  names: {{{names}}}
  {layout}
training:
  optimizer: {{type: sgd, momentum: 0.9}}
  learning_rate: {{schedule: constant, peak: {rate}}}
  batch_size: {batch}
  steps: {steps}
"""


def write_config(case, name, init, rate, steps):
    layers, names, layout = case.layers, case.names, "layout: pytorch"
    if not case.whole:
        layers = layers + ["flatten", f"{{type: dense, name: fc, units: {CLASSES}}}"]
        names = "kernel: weight" + (", " + names if names else "")
        layout = "conv_kernel: OIHW\n  dense_kernel: out_in\n  flatten: " + ("CHW" if len(case.shape) == 3 else "HWC")
    with open(name, "w", encoding="utf-8") as f:
        f.write(CONFIG.format(
            files=case.files(), shape=case.inputs(), layers="\n".join("    - " + line for line in layers), init=init, names=names, rate=rate,
            batch=BATCH, steps=steps, layout=layout,
            target="labels: target.npy" if case.classes else "targets: target.npy",
            loss="{type: %s%s}" % ("softmax_cross_entropy" if case.classes else "mean_squared_error",
                                  f", sample_weights: {case.weights}" if case.weights else ""),
            trainable=f"trainable: {case.trainable}" if case.trainable else ""))


def complete(case, x):
    """The case's modules with flatten and a dense layer behind them."""
    net = case.module.double()
    if case.whole:
        return net
    net.add_module("flatten", nn.Flatten())
    with torch.no_grad():
        width = net(*x).shape[1]
    net.add_module("fc", nn.Linear(width, CLASSES))
    return net.double()


def make_input(case, name, shape, rng):
    """One input as PyTorch has it, and the file of its name as the config reads it."""
    rows = case.steps * BATCH
    tokens = case.tokens[name] if isinstance(case.tokens, dict) else case.tokens
    data = rng.integers(0, tokens, [rows] + shape) if tokens else rng.standard_normal([rows] + shape)
    x = torch.tensor(data)
    if len(shape) == 3:
        x = x.permute(0, 3, 1, 2).contiguous()
    np.save(f"{name}.npy", x.numpy() if case.whole else data)
    return x


def make_data(case, rng):
    """All inputs of the module; the weights of the loss are no argument of it."""
    shapes = case.shape if isinstance(case.shape, dict) else {"x": case.shape}
    made = {name: make_input(case, name, shape, rng) for name, shape in shapes.items()}
    return [x for name, x in made.items() if name != case.weights], made.get(case.weights)


def weigh(target, weights, losses):
    """The target with the weights in its last columns, and the mean of what `losses` makes of each position."""
    n = weights.shape[1]
    both = torch.cat([target.reshape(len(target), -1).double(), weights], 1)
    return both, lambda z, t: (t[:, -n:] * losses(z, t[:, :-n]).reshape(len(z), n, -1).mean(2)).mean()


def make_target(case, net, x, weights, rng):
    """What the outputs are compared with, and the loss that does it."""
    with torch.no_grad():
        out = net(*x)
    x = x[0]
    if case.classes:
        target = rng.integers(0, case.classes, out.reshape(len(x), -1, case.classes).shape[:2])
        np.save("target.npy", target.astype(np.uint8))
        if weights is not None:
            return weigh(torch.tensor(target), weights, lambda z, t: F.cross_entropy(
                z.reshape(-1, case.classes), t.reshape(-1).long(), reduction="none"))
        return torch.tensor(target), lambda z, t: F.cross_entropy(z.reshape(-1, case.classes), t.reshape(-1))
    target = rng.standard_normal(out.shape)
    np.save("target.npy", target.reshape(len(x), -1))
    if weights is not None:
        return weigh(torch.tensor(target), weights, lambda z, t: (z.reshape(len(z), -1) - t) ** 2)
    return torch.tensor(target), F.mse_loss


def products(theta, last, x, y):
    """J x and J'y of the training from theta to last; J' is linear, and J its derivative."""
    u = torch.zeros_like(last, requires_grad=True)
    backward, = torch.autograd.grad(last, theta, torch.tensor(y), retain_graph=True)
    try:
        transposed, = torch.autograd.grad(last, theta, u, create_graph=True)
        forward, = torch.autograd.grad(transposed, u, torch.tensor(x))
    except RuntimeError:  # PyTorch 1.13 fails so far behind an output_padding: row by row
        rows = [torch.autograd.grad(last, theta, e, retain_graph=True)[0] for e in torch.eye(len(x)).double()]
        forward = torch.stack(rows) @ torch.tensor(x)
    return forward.numpy(), backward.numpy()


def relative(got, want):
    return float(np.linalg.norm(got - want) / np.linalg.norm(want))


def buffers(net):
    """Statistics of normalisations in evaluation mode."""
    return {name: b.numpy() for name, b in net.named_buffers()}


def find_order(spectraj, case, net):
    """Where our parameters are among PyTorch's: a training from their numbers that does not move."""
    numbers, n = {}, 0
    for name, p in net.named_parameters():
        if p.requires_grad:
            numbers[name] = np.arange(n + 1, n + p.numel() + 1).reshape(p.shape) * 1e-6
            n += p.numel()
        else:
            numbers[name] = p.detach().numpy()
    np.savez("numbers.npz", **numbers, **buffers(net))
    write_config(case, "order.yaml", "numbers.npz", "1e-300", 1)
    run = spectraj.train("order.yaml", "order")
    order = np.rint(spectraj.theta(run, 0, n) * 1e6).astype(int) - 1
    spectraj.lib.stj_run_destroy(run)
    if sorted(order) != list(range(n)):
        raise RuntimeError("not every parameter of the module is in the network")
    return order


def compare(spectraj, make):
    torch.manual_seed(5)
    rng = np.random.default_rng(7)
    case = make()
    x, weights = make_data(case, rng)
    net = complete(case, x)
    with torch.no_grad():
        for p in net.parameters():  # no parameter is zero or one
            p += 0.2 * torch.randn_like(p)
    target, loss = make_target(case, net, x, weights, rng)
    theta, last = torch_training(net, loss, x, target, case.steps)
    n = theta.numel()
    np.savez("init.npz", **{name: p.detach().numpy() for name, p in net.named_parameters()}, **buffers(net))
    order = find_order(spectraj, case, net)
    write_config(case, "case.yaml", "init.npz", RATE, case.steps)
    run = spectraj.train("case.yaml", "run")
    start, end = theta.detach().numpy()[order], last.detach().numpy()[order]
    errors = {"theta": np.linalg.norm(spectraj.theta(run, case.steps, n) - end) / np.linalg.norm(end - start)}
    v, own = rng.standard_normal(n), np.empty(n)
    own[order] = v  # the same vector in PyTorch's order
    forward, backward = (product[order] for product in products(theta, last, own, own))
    errors["Jx"] = relative(spectraj.product(run, False, v), forward)
    errors["J'y"] = relative(spectraj.product(run, True, v), backward)
    spectraj.lib.stj_run_destroy(run)
    return n, relative(forward, v), errors


def main(names):
    """names: of a module, the cases among them."""
    spectraj = Spectraj(*map(os.path.abspath, sys.argv[1:3]))
    torch.set_num_threads(1)
    cases = {name: f for name, f in names.items() if inspect.isfunction(f) and not inspect.signature(f).parameters}
    chosen = [name for name in cases if name in sys.argv[3:]] if sys.argv[3:] else list(cases)
    failed = 0
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                n, bend, errors = compare(spectraj, cases[name])
                good = errors["theta"] <= 1e-12 and errors["Jx"] <= 1e-11 and errors["J'y"] <= 1e-11
                text = f"N {n}, |Jx - x| {bend:.1e}, " + ", ".join(f"{k} {e:.1e}" for k, e in errors.items())
            except Exception as error:  # one case says nothing of the others
                good, text = False, f"{type(error).__name__}: {error}"
            os.chdir("/")
        print("PASS" if good else "FAIL", name, text, flush=True)
        failed += not good
    print(f"{len(chosen) - failed} of {len(chosen)} agree with PyTorch {torch.__version__}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(globals()))
