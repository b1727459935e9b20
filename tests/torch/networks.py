#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""networks.py: small networks of the kinds that people train, whole, against PyTorch as check.py has it.

Each case is a function that returns a Whole: the layers of a config, read with `layout: pytorch`, and the module whose
names its layers have.

    networks.py SPECTRAJ LIBSPECTRAJ.SO [CASE]...
"""
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

from check import Attention, First, RMSNorm, Whole, main


class Net(nn.Module):
    """Modules and parameters by name, and forward, a function of the module and the data."""

    def __init__(self, forward, **parts):
        super().__init__()
        self.function = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *x):
        return self.function(self, *x)


def parameter(*shape):
    return nn.Parameter(torch.randn(*shape))


def norm(channels):
    return nn.BatchNorm2d(channels, track_running_stats=False)


# ---- images ----

def lenet5():
    def forward(m, x):
        x = F.avg_pool2d(torch.tanh(m.conv1(x)), 2)
        x = torch.flatten(F.max_pool2d(F.relu(m.conv2(x)), 2), 1)
        return m.fc3(torch.tanh(m.fc2(torch.tanh(m.fc1(x)))))

    return Whole([12, 12, 1], [
        "{type: conv2d, name: conv1, filters: 2, kernel: 5, padding: 2}", "tanh", "{type: average_pool, window: 2}",
        "{type: conv2d, name: conv2, filters: 3, kernel: 3}", "relu", "{type: max_pool, window: 2}", "flatten",
        "{type: dense, name: fc1, units: 8}", "tanh", "{type: dense, name: fc2, units: 6}", "tanh",
        "{type: dense, name: fc3, units: 3}"],
        Net(forward, conv1=nn.Conv2d(1, 2, 5, padding=2), conv2=nn.Conv2d(2, 3, 3), fc1=nn.Linear(12, 8),
            fc2=nn.Linear(8, 6), fc3=nn.Linear(6, 3)))


def vgg():
    def forward(m, x):
        x = F.max_pool2d(F.relu(m.norm2(m.conv2(F.relu(m.norm1(m.conv1(x)))))), 2)
        x = F.max_pool2d(F.relu(m.conv4(F.relu(m.conv3(x)))), 2)
        return m.fc2(F.relu(m.fc1(torch.flatten(x, 1))))

    return Whole([8, 8, 2], [
        "{type: conv2d, name: conv1, filters: 3, kernel: 3, padding: 1}", "{type: batch_norm, name: norm1}", "relu",
        "{type: conv2d, name: conv2, filters: 3, kernel: 3, padding: 1}", "{type: batch_norm, name: norm2}", "relu",
        "{type: max_pool, window: 2}",
        "{type: conv2d, name: conv3, filters: 4, kernel: 3, padding: 1}", "relu",
        "{type: conv2d, name: conv4, filters: 4, kernel: 3, padding: 1}", "relu", "{type: max_pool, window: 2}",
        "flatten", "{type: dense, name: fc1, units: 8}", "relu", "{type: dense, name: fc2, units: 3}"],
        Net(forward, conv1=nn.Conv2d(2, 3, 3, padding=1), norm1=norm(3), conv2=nn.Conv2d(3, 3, 3, padding=1), norm2=norm(3),
            conv3=nn.Conv2d(3, 4, 3, padding=1), conv4=nn.Conv2d(4, 4, 3, padding=1), fc1=nn.Linear(16, 8),
            fc2=nn.Linear(8, 3)))


def resnet():
    """ResNet-20's blocks: one of one shape, and one of half the size with a projection."""
    def forward(m, x):
        x = F.relu(m.norm(m.conv(x)))
        x = F.relu(x + m.a_norm2(m.a_conv2(F.relu(m.a_norm1(m.a_conv1(x))))))
        x = F.relu(m.down_norm(m.down_conv(x)) + m.b_norm2(m.b_conv2(F.relu(m.b_norm1(m.b_conv1(x))))))
        return m.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))

    def conv(name, filters, stride=1):
        return f"{{type: conv2d, name: {name}, filters: {filters}, kernel: 3, stride: {stride}, padding: 1, bias: false}}"

    return Whole([8, 6, 2], [
        conv("conv", 3), "{type: batch_norm, name: norm}", "relu",
        f"{{type: residual, layers: [{conv('a_conv1', 3)}, {{type: batch_norm, name: a_norm1}}, relu, {conv('a_conv2', 3)}, "
        "{type: batch_norm, name: a_norm2}]}", "relu",
        f"{{type: residual, layers: [{conv('b_conv1', 4, 2)}, {{type: batch_norm, name: b_norm1}}, relu, "
        f"{conv('b_conv2', 4)}, {{type: batch_norm, name: b_norm2}}], shortcut: [{{type: conv2d, name: down_conv, "
        "filters: 4, kernel: 1, stride: 2, bias: false}, {type: batch_norm, name: down_norm}]}", "relu",
        "global_average_pool", "{type: dense, name: fc, units: 3}"],
        Net(forward, conv=nn.Conv2d(2, 3, 3, 1, 1, bias=False), norm=norm(3), a_conv1=nn.Conv2d(3, 3, 3, 1, 1, bias=False),
            a_norm1=norm(3), a_conv2=nn.Conv2d(3, 3, 3, 1, 1, bias=False), a_norm2=norm(3),
            b_conv1=nn.Conv2d(3, 4, 3, 2, 1, bias=False), b_norm1=norm(4), b_conv2=nn.Conv2d(4, 4, 3, 1, 1, bias=False),
            b_norm2=norm(4), down_conv=nn.Conv2d(3, 4, 1, 2, bias=False), down_norm=norm(4), fc=nn.Linear(4, 3)))


def resnet_by_padding():
    """The shortcut without parameters: every second number, and zeros for the new channels."""
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(2, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 1, 1)
            self.fc = nn.Linear(4, 3)

        def forward(self, x):
            y = self.conv2(F.relu(self.conv1(x)))
            short = x[:, :, ::2, ::2]
            return self.fc(F.relu(y + torch.cat([short, torch.zeros_like(short)], 1)).mean((2, 3)))

    return Whole([6, 6, 2], [
        "{type: conv2d, name: conv1, filters: 4, kernel: 3, stride: 2, padding: 1}", "relu",
        "{type: conv2d, name: conv2, filters: 4, kernel: 3, padding: 1}",
        "{type: max_pool, name: short, window: 1, stride: 2, input: data}", "{type: scale, name: nothing, factor: 0}",
        "{type: concat, name: wide, inputs: [short, nothing]}", "{type: add, inputs: [conv2, wide]}", "relu",
        "global_average_pool", "{type: dense, name: fc, units: 3}"], Block())


def mobilenet():
    """Inverted residuals: MobileNet v2's, and v3's with squeeze-excite."""
    def forward(m, x):
        y = F.relu6(m.norm1(m.expand(x)))
        x = x + m.norm3(m.project(F.relu6(m.norm2(m.depthwise(y)))))
        y = F.hardswish(m.depthwise2(x))
        gate = F.relu6(m.up(F.relu(m.down(y.mean((2, 3), keepdim=True)))) + 3) / 6
        return m.fc(F.hardswish(m.project2(y * gate)).mean((2, 3)))

    return Whole([6, 6, 2], [
        "{type: residual, layers: [{type: conv2d, name: expand, filters: 4, kernel: 1, bias: false}, {type: batch_norm, "
        "name: norm1}, relu6, {type: conv2d, name: depthwise, filters: 4, kernel: 3, padding: 1, groups: 4, bias: false}, "
        "{type: batch_norm, name: norm2}, relu6, {type: conv2d, name: project, filters: 2, kernel: 1, bias: false}, "
        "{type: batch_norm, name: norm3}]}",
        "{type: conv2d, name: depthwise2, filters: 4, kernel: 3, stride: 2, padding: 1, groups: 2}",
        "{type: hardswish, name: y}", "{type: adaptive_average_pool, output: 1}",
        "{type: conv2d, name: down, filters: 2, kernel: 1}", "relu", "{type: conv2d, name: up, filters: 4, kernel: 1}",
        "{type: hardsigmoid, name: gate}", "{type: multiply, inputs: [y, gate]}",
        "{type: conv2d, name: project2, filters: 3, kernel: 1}", "hardswish", "global_average_pool",
        "{type: dense, name: fc, units: 3}"],
        Net(forward, expand=nn.Conv2d(2, 4, 1, bias=False), norm1=norm(4),
            depthwise=nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False), norm2=norm(4),
            project=nn.Conv2d(4, 2, 1, bias=False), norm3=norm(2),
            depthwise2=nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2), down=nn.Conv2d(4, 2, 1), up=nn.Conv2d(2, 4, 1),
            project2=nn.Conv2d(4, 3, 1), fc=nn.Linear(3, 3)))


def squeeze_excite():
    def forward(m, x):
        y = F.silu(m.conv(x))
        gate = torch.sigmoid(m.up(F.silu(m.down(y.mean((2, 3))))))
        return m.fc(torch.flatten(y * gate[:, :, None, None], 1))

    return Whole([4, 5, 2], [
        "{type: conv2d, name: conv, filters: 4, kernel: 3}", "{type: silu, name: y}", "global_average_pool",
        "{type: dense, name: down, units: 2}", "silu", "{type: dense, name: up, units: 4}", "{type: sigmoid, name: gate}",
        "{type: multiply, inputs: [y, gate]}", "flatten", "{type: dense, name: fc, units: 3}"],
        Net(forward, conv=nn.Conv2d(2, 4, 3), down=nn.Linear(4, 2), up=nn.Linear(2, 4), fc=nn.Linear(24, 3)))


def densenet():
    def forward(m, x):
        y = torch.cat([x, m.conv1(F.relu(m.norm1(x)))], 1)
        y = torch.cat([y, m.conv2(F.relu(m.norm2(y)))], 1)
        y = F.avg_pool2d(m.transition(F.relu(m.norm3(y))), 2)
        return m.fc(torch.flatten(y, 1))

    return Whole([6, 4, 2], [
        "{type: batch_norm, name: norm1}", "relu", "{type: conv2d, name: conv1, filters: 2, kernel: 3, padding: 1}",
        "{type: concat, name: y1, inputs: [data, conv1]}",
        "{type: batch_norm, name: norm2}", "relu", "{type: conv2d, name: conv2, filters: 3, kernel: 3, padding: 1}",
        "{type: concat, inputs: [y1, conv2]}", "{type: batch_norm, name: norm3}", "relu",
        "{type: conv2d, name: transition, filters: 3, kernel: 1, bias: false}", "{type: average_pool, window: 2}", "flatten",
        "{type: dense, name: fc, units: 3}"],
        Net(forward, norm1=norm(2), conv1=nn.Conv2d(2, 2, 3, padding=1), norm2=norm(4),
            conv2=nn.Conv2d(4, 3, 3, padding=1), norm3=norm(7), transition=nn.Conv2d(7, 3, 1, bias=False),
            fc=nn.Linear(18, 3)))


def unet():
    """A class for each pixel; one way up by repetition, one by a transposed convolution."""
    def forward(m, x):
        a = F.relu(m.norm1(m.down1(x)))
        b = F.relu(m.norm2(m.down2(F.max_pool2d(a, 2))))
        c = F.relu(m.middle(F.max_pool2d(b, 2)))
        b = F.relu(m.up2(torch.cat([m.turn(c), b], 1)))
        a = F.relu(m.up1(torch.cat([F.interpolate(b, scale_factor=2), a], 1)))
        return m.out(a).permute(0, 2, 3, 1)

    return Whole([8, 4, 1], [
        "{type: conv2d, name: down1, filters: 2, kernel: 3, padding: 1}", "{type: group_norm, name: norm1, groups: 1}",
        "{type: relu, name: a}", "{type: max_pool, window: 2}",
        "{type: conv2d, name: down2, filters: 4, kernel: 3, padding: 1}", "{type: group_norm, name: norm2, groups: 2}",
        "{type: relu, name: b}", "{type: max_pool, window: 2}",
        "{type: conv2d, name: middle, filters: 4, kernel: 3, padding: 1}", "relu",
        "{type: conv2d_transpose, name: turn, filters: 3, kernel: 2, stride: 2}", "{type: concat, inputs: [turn, b]}",
        "{type: conv2d, name: up2, filters: 3, kernel: 3, padding: 1}", "relu", "{type: upsample, name: up, factor: 2}",
        "{type: concat, inputs: [up, a]}", "{type: conv2d, name: up1, filters: 2, kernel: 3, padding: 1}", "relu",
        "{type: conv2d, name: out, filters: 3, kernel: 1}"],
        Net(forward, down1=nn.Conv2d(1, 2, 3, padding=1), norm1=nn.GroupNorm(1, 2), down2=nn.Conv2d(2, 4, 3, padding=1),
            norm2=nn.GroupNorm(2, 4), middle=nn.Conv2d(4, 4, 3, padding=1), turn=nn.ConvTranspose2d(4, 3, 2, 2),
            up2=nn.Conv2d(7, 3, 3, padding=1), up1=nn.Conv2d(5, 2, 3, padding=1), out=nn.Conv2d(2, 3, 1)))


def autoencoder():
    """Convolutions to a code and back to the image, against squares."""
    def forward(m, x):
        code = m.code(F.elu(m.conv(x)))
        return m.out(F.elu(m.turn(F.elu(code)))).permute(0, 2, 3, 1)

    return Whole([6, 6, 1], [
        "{type: conv2d, name: conv, filters: 3, kernel: 3, stride: 2, padding: 1}", "elu",
        "{type: conv2d, name: code, filters: 2, kernel: 3}", "elu",
        "{type: conv2d_transpose, name: turn, filters: 3, kernel: 3, bias: false}", "elu",
        "{type: conv2d_transpose, name: out, filters: 1, kernel: 3, stride: 2, padding: 1, output_padding: 1}"],
        Net(forward, conv=nn.Conv2d(1, 3, 3, 2, 1), code=nn.Conv2d(3, 2, 3),
            turn=nn.ConvTranspose2d(2, 3, 3, bias=False), out=nn.ConvTranspose2d(3, 1, 3, 2, 1, 1)), classes=0)


def tied_autoencoder():
    """Dense, the decoder with the transpose of the encoder's kernel."""
    return Whole([7], [
        "{type: dense, name: encoder, units: 3}", "tanh",
        "{type: dense, units: 7, bias: false, share: {kernel: encoder.kernel}}", "{type: bias, name: back}"],
        Net(lambda m, x: F.linear(torch.tanh(m.encoder(x)), m.encoder.weight.T, m.back), encoder=nn.Linear(7, 3),
            back=parameter(7)), names="back.bias: back", classes=0)


def siamese():
    def forward(m, x):
        left, right = (m.two(torch.tanh(m.one(half))) for half in x.chunk(2, 1))
        return m.fc(torch.cat([torch.abs(left - right), left * right], 1))

    return Whole([8], [
        "{type: slice, to: 4}", "{type: dense, name: one, units: 5}", "tanh", "{type: dense, name: two, units: 3}",
        "{type: slice, input: data, from: 4}", "{type: dense, units: 5, share: {kernel: one.kernel, bias: one.bias}}", "tanh",
        "{type: dense, name: right, units: 3, share: {kernel: two.kernel, bias: two.bias}}",
        "{type: scale, name: minus, factor: -1}", "{type: add, inputs: [two, minus]}", "{type: abs, name: distance}",
        "{type: multiply, name: product, inputs: [two, right]}", "{type: concat, inputs: [distance, product]}",
        "{type: dense, name: fc, units: 3}"],
        Net(forward, one=nn.Linear(4, 5), two=nn.Linear(5, 3), fc=nn.Linear(6, 3)))


# ---- sequences ----

def vit():
    """Patches, a class token, learned positions; read from the token."""
    def forward(m, x):
        x = m.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([m.cls_token.expand(len(x), 1, 6), x], 1) + m.pos_embed
        y = m.norm1(x)
        x = x + m.attn(y, y, y, need_weights=False)[0]
        x = x + m.fc2(F.gelu(m.fc1(m.norm2(x))))
        return m.head(m.norm(x)[:, 0])

    return Whole([6, 4, 2], [
        "{type: conv2d, name: patch, filters: 6, kernel: 2, stride: 2}", "{type: reshape, shape: [6, 6]}",
        "{type: vector, name: token}", "{type: positions, name: pos}",
        "{type: residual, layers: [{type: layer_norm, name: norm1}, {type: attention, name: attn, heads: 2}]}",
        "{type: residual, layers: [{type: layer_norm, name: norm2}, {type: dense, name: fc1, units: 8}, "
        "{type: gelu, form: erf}, {type: dense, name: fc2, units: 6}]}",
        "{type: layer_norm, name: norm}", "{type: select, position: 0}", "{type: dense, name: head, units: 3}"],
        Net(forward, patch=nn.Conv2d(2, 6, 2, 2), cls_token=parameter(1, 1, 6), pos_embed=parameter(1, 7, 6),
            norm1=nn.LayerNorm(6), attn=nn.MultiheadAttention(6, 2, batch_first=True), norm2=nn.LayerNorm(6),
            fc1=nn.Linear(6, 8), fc2=nn.Linear(8, 6), norm=nn.LayerNorm(6), head=nn.Linear(6, 3)),
        names="token.vector: cls_token, pos.table: pos_embed")


def nanogpt():
    """Two blocks; the output layer is the table of the embedding."""
    def forward(m, x):
        x = m.wte(x) + m.wpe.weight
        for block in (m.h0, m.h1):
            x = x + block.attn(block.ln_1(x))
            x = x + block.c_proj(F.gelu(block.c_fc(block.ln_2(x)), approximate="tanh"))
        return F.linear(m.ln_f(x), m.wte.weight)

    def block(name):
        return [f"{{type: residual, layers: [{{type: layer_norm, name: {name}_ln_1}}, {{type: attention, name: {name}_attn, "
                "heads: 2, causal: true}]}",
                f"{{type: residual, layers: [{{type: layer_norm, name: {name}_ln_2}}, {{type: dense, name: {name}_fc, "
                f"units: 8}}, gelu, {{type: dense, name: {name}_proj, units: 4}}]}}"]

    parts = {name: nn.ModuleDict({"ln_1": nn.LayerNorm(4), "attn": Attention(4, 2, causal=True), "ln_2": nn.LayerNorm(4),
                                  "c_fc": nn.Linear(4, 8), "c_proj": nn.Linear(8, 4)}) for name in ("h0", "h1")}
    for part in parts.values():
        part.ln_1, part.attn, part.ln_2, part.c_fc, part.c_proj = part.values()
    names = ", ".join(f"{h}_ln_1: {h}.ln_1, {h}_ln_2: {h}.ln_2, {h}_attn.qkv: {h}.attn.qkv, {h}_attn.out: {h}.attn.out, "
                      f"{h}_fc: {h}.c_fc, {h}_proj: {h}.c_proj" for h in parts)
    return Whole([5], ["{type: embedding, name: wte, vocabulary: 7, width: 4}", "{type: positions, name: wpe}"] +
                 block("h0") + block("h1") +
                 ["{type: layer_norm, name: ln_f}",
                  "{type: dense, units: 7, bias: false, share: {kernel: wte.table}}"],
                 Net(forward, wte=nn.Embedding(7, 4), wpe=nn.Embedding(5, 4), ln_f=nn.LayerNorm(4), **parts),
                 names=names, tokens=7, classes=7)


class Projections(Attention):
    """The same with its projections apart, as Hugging Face's models have them."""

    def __init__(self, width, heads, kv_heads, **keywords):
        super().__init__(width, heads, kv_heads, bias=False, **keywords)
        del self.qkv, self.out
        for name, n in (("q_proj", heads), ("k_proj", kv_heads), ("v_proj", kv_heads)):
            setattr(self, name, nn.Linear(width, n * self.d, bias=False))
        self.o_proj = nn.Linear(width, width, bias=False)

    def qkv(self, x):
        return torch.cat([self.q_proj(x), self.k_proj(x), self.v_proj(x)], -1)

    def out(self, x):
        return self.o_proj(x)


def llama():
    """RMSNorm, rotary angles, grouped queries, SwiGLU."""
    def forward(m, x):
        x = m.embed(x)
        x = x + m.self_attn(m.norm1(x))
        y = m.norm2(x)
        x = x + m.down_proj(F.silu(m.gate_proj(y)) * m.up_proj(y))
        return m.lm_head(m.norm(x))

    return Whole([5], [
        "{type: embedding, name: embed, vocabulary: 6, width: 8}",
        "{type: residual, layers: [{type: rms_norm, name: norm1}, {type: attention, name: attn, heads: 4, kv_heads: 2, "
        "causal: true, bias: false, rope: {}}]}",
        "{type: residual, layers: [{type: rms_norm, name: norm2}, {type: dense, name: gate_proj, units: 5, bias: false}, "
        "{type: silu, name: gate}, {type: dense, name: up_proj, units: 5, bias: false, input: norm2}, "
        "{type: multiply, inputs: [gate, up_proj]}, {type: dense, name: down_proj, units: 8, bias: false}]}",
        "{type: rms_norm, name: norm}", "{type: dense, name: lm_head, units: 6, bias: false}"],
        Net(forward, embed=nn.Embedding(6, 8), norm1=RMSNorm(8),
            self_attn=Projections(8, 4, 2, causal=True, rope=(10000, 1, False)), norm2=RMSNorm(8),
            gate_proj=nn.Linear(8, 5, bias=False), up_proj=nn.Linear(8, 5, bias=False),
            down_proj=nn.Linear(5, 8, bias=False), norm=RMSNorm(8), lm_head=nn.Linear(8, 6, bias=False)),
        names="attn: self_attn", tokens=6, classes=6)


def mixer():
    def forward(m, x):
        x = x + m.token2(F.gelu(m.token1(m.norm1(x).transpose(1, 2)))).transpose(1, 2)
        x = x + m.channel2(F.gelu(m.channel1(m.norm2(x))))
        return m.head(m.norm(x).mean(1))

    return Whole([4, 5], [
        "{type: residual, layers: [{type: layer_norm, name: norm1}, transpose, {type: dense, name: token1, units: 6}, "
        "{type: gelu, form: erf}, {type: dense, name: token2, units: 4}, transpose]}",
        "{type: residual, layers: [{type: layer_norm, name: norm2}, {type: dense, name: channel1, units: 6}, "
        "{type: gelu, form: erf}, {type: dense, name: channel2, units: 5}]}",
        "{type: layer_norm, name: norm}", "global_average_pool", "{type: dense, name: head, units: 3}"],
        Net(forward, norm1=nn.LayerNorm(5), token1=nn.Linear(4, 6), token2=nn.Linear(6, 4), norm2=nn.LayerNorm(5),
            channel1=nn.Linear(5, 6), channel2=nn.Linear(6, 5), norm=nn.LayerNorm(5), head=nn.Linear(5, 3)))


def lstm_language_model():
    """Two layers, a word at each position."""
    return Whole([6], [
        "{type: embedding, name: embed, vocabulary: 6, width: 4}", "{type: lstm, name: lstm1, units: 5}",
        "{type: lstm, name: lstm2, units: 4}", "{type: dense, name: fc, units: 6}"],
        Net(lambda m, x: m.fc(m.lstm2(m.lstm1(m.embed(x)))), embed=nn.Embedding(6, 4),
            lstm1=First(nn.LSTM(4, 5, batch_first=True)), lstm2=First(nn.LSTM(5, 4, batch_first=True)),
            fc=nn.Linear(4, 6)),
        names="lstm1: lstm1.cell, lstm2: lstm2.cell", tokens=6, classes=6)


def lstm_classifier():
    return Whole([6, 3], ["{type: lstm, name: lstm, units: 5}", "{type: select, last: true}",
                          "{type: dense, name: fc, units: 3}"],
                 Net(lambda m, x: m.fc(m.lstm(x)[:, -1]), lstm=First(nn.LSTM(3, 5, batch_first=True)), fc=nn.Linear(5, 3)),
                 names="lstm: lstm.cell")


def gru_both_ways():
    return Whole([5, 3], [
        "{type: gru, name: forth, units: 4}", "{type: gru, name: back, units: 4, reverse: true, input: data}",
        "{type: concat, inputs: [forth, back]}", "global_average_pool", "{type: dense, name: fc, units: 3}"],
        Net(lambda m, x: m.fc(torch.cat([m.forth(x), m.back(x)], -1).mean(1)), forth=First(nn.GRU(3, 4, batch_first=True)),
            back=First(nn.GRU(3, 4, batch_first=True), reverse=True), fc=nn.Linear(8, 3)),
        names="forth: forth.cell, back: back.cell")


def fine_tuned():
    """Normalisations in evaluation mode: statistics that do not move; one without parameters."""
    def fixed(channels, **options):
        norm = nn.BatchNorm2d(channels, **options).eval()
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        return norm

    return Whole([5, 4, 2], [
        "{type: conv2d, name: conv1, filters: 3, kernel: 3, bias: false}", "{type: batch_norm, name: norm1, statistics: fixed}",
        "tanh", "{type: conv2d, name: conv2, filters: 2, kernel: 2}",
        "{type: batch_norm, name: norm2, affine: false, statistics: fixed, eps: 0.01}", "silu", "flatten",
        "{type: dense, name: fc, units: 3}"],
        Net(lambda m, x: m.fc(torch.flatten(F.silu(m.norm2(m.conv2(torch.tanh(m.norm1(m.conv1(x)))))), 1)),
            conv1=nn.Conv2d(2, 3, 3, bias=False), norm1=fixed(3), conv2=nn.Conv2d(3, 2, 2),
            norm2=fixed(2, affine=False, eps=0.01), fc=nn.Linear(4, 3)))


# ---- several inputs ----

def recorded_dropout():
    """The masks of a dropout, and noise that is scaled and added, are inputs."""
    def forward(m, image, mask, noise):
        hidden = F.relu(m.fc1(torch.flatten(m.conv(image), 1))) * mask
        return m.fc2(m.mean(hidden) + torch.exp(0.5 * m.log_variance(hidden)) * noise)

    return Whole({"image": [4, 5, 2], "mask": [6], "noise": [3]}, [
        "{type: conv2d, name: conv, filters: 2, kernel: 3, input: image}", "flatten", "{type: dense, name: fc1, units: 6}",
        "{type: relu, name: on}", "{type: multiply, name: hidden, inputs: [on, mask]}",
        "{type: dense, name: mean, units: 3}", "{type: dense, name: log_variance, units: 3, input: hidden}",
        "{type: scale, factor: 0.5}", "{type: exp, name: deviation}",
        "{type: multiply, name: drawn, inputs: [deviation, noise]}", "{type: add, inputs: [mean, drawn]}",
        "{type: dense, name: fc2, units: 3}"],
        Net(forward, conv=nn.Conv2d(2, 2, 3), fc1=nn.Linear(12, 6), mean=nn.Linear(6, 3), log_variance=nn.Linear(6, 3),
            fc2=nn.Linear(3, 3)))


def siamese_inputs():
    """Two images through the same layers."""
    def forward(m, left, right):
        left, right = (torch.tanh(m.conv(x)).mean((2, 3)) for x in (left, right))
        return m.fc(torch.cat([left * right, left], 1))

    return Whole({"left": [4, 4, 1], "right": [4, 4, 1]}, [
        "{type: conv2d, name: conv, filters: 2, kernel: 3, input: left}", "tanh", "{type: global_average_pool, name: one}",
        "{type: conv2d, filters: 2, kernel: 3, input: right, share: {kernel: conv.kernel, bias: conv.bias}}", "tanh",
        "{type: global_average_pool, name: two}", "{type: multiply, name: both, inputs: [one, two]}", "{type: concat, inputs: [both, one]}",
        "{type: dense, name: fc, units: 3}"],
        Net(forward, conv=nn.Conv2d(1, 2, 3), fc=nn.Linear(4, 3)))


def cross(attention, memory):
    """Queries of one input, keys and values of another, of another length and width."""
    def forward(m, x, memory):
        return m.fc(m.attn(torch.tanh(m.first(x)), memory, memory, need_weights=False)[0])

    return Whole({"x": [3, 5], "memory": memory}, [
        "{type: dense, name: first, units: 6, input: x}", "tanh",
        "{type: attention, name: attn, heads: 2, inputs: [tanh3, memory], bias: %s}" %
        ("false" if attention.in_proj_bias is None else "true"),
        "{type: dense, name: fc, units: 3}"],
        Net(forward, first=nn.Linear(5, 6), attn=attention, fc=nn.Linear(6, 3)))


def cross_attention():
    return cross(nn.MultiheadAttention(6, 2, batch_first=True), [4, 6])


def cross_attention_without_bias():
    return cross(nn.MultiheadAttention(6, 2, bias=False, batch_first=True), [2, 6])


def cross_attention_of_another_width():
    return cross(nn.MultiheadAttention(6, 2, kdim=4, vdim=4, batch_first=True), [5, 4])


def sequence_to_sequence():
    """nn.Transformer's layers, norms behind: an encoder, whose output the decoder attends to."""
    def forward(m, german, english):
        memory = m.encode(m.embed_source(german))
        mask = nn.Transformer.generate_square_subsequent_mask(english.shape[1]).double()
        return m.fc(m.decode(m.embed_target(english), memory, tgt_mask=mask))

    attention = "type: attention, heads: 2"
    norm = "{type: layer_norm, name: %s}"
    feed = "{type: residual, layers: [{type: dense, name: %s_1, units: 6}, relu, {type: dense, name: %s_2, units: 4}]}"
    names = {"e": "encode", "d": "decode"}
    keys = [f"{k}_self: {v}.self_attn, {k}_1: {v}.linear1, {k}_2: {v}.linear2, {k}_norm1: {v}.norm1, {k}_norm2: {v}.norm2"
            for k, v in names.items()]
    return Whole({"german": [5], "english": [3]}, [
        "{type: embedding, name: embed_source, vocabulary: 7, width: 4, input: german}",
        f"{{type: residual, layers: [{{{attention}, name: e_self}}]}}", norm % "e_norm1", feed % ("e", "e"),
        norm % "e_norm2",
        "{type: embedding, name: embed_target, vocabulary: 6, width: 4, input: english}",
        f"{{type: residual, layers: [{{{attention}, name: d_self, causal: true}}]}}", norm % "d_norm1",
        f"{{{attention}, name: d_cross, inputs: [d_norm1, e_norm2]}}", "{type: add, inputs: [d_norm1, d_cross]}",
        norm % "d_norm2", feed % ("d", "d"), norm % "d_norm3", "{type: dense, name: fc, units: 6}"],
        Net(forward, embed_source=nn.Embedding(7, 4), embed_target=nn.Embedding(6, 4), fc=nn.Linear(4, 6),
            encode=nn.TransformerEncoderLayer(4, 2, 6, dropout=0, batch_first=True),
            decode=nn.TransformerDecoderLayer(4, 2, 6, dropout=0, batch_first=True)),
        names=", ".join(keys) + ", d_cross: decode.multihead_attn, d_norm3: decode.norm3",
        tokens={"german": 7, "english": 6}, classes=6)


def weighted_regression():
    """Weights of samples."""
    return Whole({"x": [5], "w": [1]}, [
        "{type: dense, name: fc1, units: 6, input: x}", "tanh", "{type: dense, name: fc2, units: 2}"],
        Net(lambda m, x: m.fc2(torch.tanh(m.fc1(x))), fc1=nn.Linear(5, 6), fc2=nn.Linear(6, 2)), classes=0, weights="w")


def weighted_positions():
    """Weights of the words of a sequence."""
    return Whole({"w": [4], "x": [4, 3]}, [
        "{type: gru, name: gru, units: 4, input: x}", "{type: dense, name: fc, units: 3}"],
        Net(lambda m, x: m.fc(m.gru(x)), gru=First(nn.GRU(3, 4, batch_first=True)), fc=nn.Linear(4, 3)), names="gru: gru.cell",
        weights="w")


# ---- parts that are shared, frozen, or ids ----

def lora():
    """Adapters beside a base that does not move."""
    def forward(m, x):
        x = torch.tanh(m.base1(x) + 0.5 * m.lora_b1(m.lora_a1(x)))
        return m.base2(x) + 0.5 * m.lora_b2(m.lora_a2(x))

    def adapted(k, units, data):
        return [f"{{type: dense, name: base{k}, units: {units}}}",
                f"{{type: dense, name: lora_a{k}, units: 2, bias: false, input: {data}}}",
                f"{{type: dense, name: lora_b{k}, units: {units}, bias: false}}",
                f"{{type: scale, name: half{k}, factor: 0.5}}", f"{{type: add, inputs: [base{k}, half{k}]}}"]

    net = Net(forward, base1=nn.Linear(5, 6), lora_a1=nn.Linear(5, 2, bias=False), lora_b1=nn.Linear(2, 6, bias=False),
              base2=nn.Linear(6, 3), lora_a2=nn.Linear(6, 2, bias=False), lora_b2=nn.Linear(2, 3, bias=False))
    for part in (net.base1, net.base2):
        part.requires_grad_(False)
    return Whole([5], adapted(1, 6, "data") + ["{type: tanh, name: between}"] + adapted(2, 3, "between"), net,
                 trainable='["lora_*"]')


def factorisation():
    """(user, item) -> score."""
    def forward(m, x):
        user, item = x[:, 0], x[:, 1]
        return (m.user(user) * m.item(item)).sum(1, keepdim=True) + m.user_bias(user) + m.item_bias(item)

    return Whole([2], [
        "{type: slice, name: users, to: 1}", "{type: embedding, name: user, vocabulary: 6, width: 3}",
        "{type: embedding, name: user_bias, vocabulary: 6, width: 1, input: users}",
        "{type: slice, name: items, from: 1, input: data}", "{type: embedding, name: item, vocabulary: 6, width: 3}",
        "{type: embedding, name: item_bias, vocabulary: 6, width: 1, input: items}",
        "{type: multiply, inputs: [user, item]}", "transpose", "{type: scale, factor: 3}", "global_average_pool",
        "{type: reshape, name: product, shape: [1, 1]}", "{type: add, inputs: [product, user_bias]}", "{type: add, name: sum, "
        "inputs: [item_bias, add11]}", "flatten"],
        Net(forward, user=nn.Embedding(6, 3), user_bias=nn.Embedding(6, 1), item=nn.Embedding(6, 3),
            item_bias=nn.Embedding(6, 1)), tokens=6, classes=0)


if __name__ == "__main__":
    sys.exit(main(globals()))
