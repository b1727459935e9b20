# SPDX-License-Identifier: GPL-3.0-or-later
"""Trainings of PyTorch, recorded: replayed to rounding, analysed as PyTorch's own Jacobian says, or refused by name."""
import os
import tempfile
import unittest

import numpy as np

try:
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
except ImportError:
    raise unittest.SkipTest("no torch (Debian package python3-torch)") from None

import spectraj
import spectraj.torch

BATCH, CLASSES = 6, 3


class Net(nn.Module):
    """Modules by name, and forward, a function of the module and the data."""

    def __init__(self, forward, **parts):
        super().__init__()
        self.function = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.function(self, x)


def flat_cnn():
    return nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 4, (3, 1), stride=(1, 2)),
                         nn.Tanh(), nn.Flatten(), nn.Linear(4 * 2 * 2, CLASSES))


class Block(nn.Module):
    """ResNet's: with a projection where the shape changes."""

    def __init__(self, a, b, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b)
        self.conv2, self.bn2 = nn.Conv2d(b, b, 3, 1, 1, bias=False), nn.BatchNorm2d(b)
        self.shortcut = nn.Sequential(nn.Conv2d(a, b, 1, stride, bias=False), nn.BatchNorm2d(b)) if a != b else \
            nn.Identity()

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return F.relu(out)


def resnet():
    def forward(m, x):
        x = m.layers(F.relu(m.bn(m.conv(x))))
        x = F.avg_pool2d(x, 2)
        return m.fc(x.view(x.size(0), -1))
    return Net(forward, conv=nn.Conv2d(2, 3, 3, 1, 1, bias=False), bn=nn.BatchNorm2d(3),
               layers=nn.Sequential(Block(3, 3, 1), Block(3, 4, 2)), fc=nn.Linear(4, CLASSES))


def vit():
    def forward(m, x):
        x = m.patch(x).flatten(2).transpose(1, 2) + m.pos
        y = m.norm1(x)
        x = x + m.attn(y, y, y, need_weights=False)[0]
        x = x + m.fc2(F.gelu(m.fc1(m.norm2(x))))
        return m.head(x.mean(dim=1))
    net = Net(forward, patch=nn.Conv2d(2, 4, 2, 2), norm1=nn.LayerNorm(4), attn=nn.MultiheadAttention(4, 2, batch_first=True),
              norm2=nn.LayerNorm(4), fc1=nn.Linear(4, 6), fc2=nn.Linear(6, 4), head=nn.Linear(4, CLASSES))
    net.pos = nn.Parameter(torch.randn(1, 4, 4) * 0.02)
    return net


def gpt():
    """Tied: the head has the table of the embedding."""
    def forward(m, x):
        _, n = x.size()
        x = m.wte(x) + m.wpe(torch.arange(n))
        y = m.ln1(x)
        mask = torch.full((n, n), float("-inf")).triu(1)
        x = x + m.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        x = x + m.fc2(F.gelu(m.fc1(m.ln2(x)), approximate="tanh"))
        return m.head(m.ln(x))
    net = Net(forward, wte=nn.Embedding(CLASSES, 4), wpe=nn.Embedding(5, 4), ln1=nn.LayerNorm(4),
              attn=nn.MultiheadAttention(4, 2, batch_first=True), ln2=nn.LayerNorm(4), fc1=nn.Linear(4, 8), fc2=nn.Linear(8, 4),
              ln=nn.LayerNorm(4), head=nn.Linear(4, CLASSES, bias=False))
    net.head.weight = net.wte.weight
    return net


class Attention(nn.Module):
    """As nanoGPT has it, one of one's own."""

    def __init__(self, width, heads, length, causal=True):
        super().__init__()
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.heads, self.width, self.causal = heads, width, causal
        self.register_buffer("mask", torch.tril(torch.ones(length, length)).view(1, 1, length, length))

    def forward(self, x):
        n, t, c = x.size()
        q, k, v = self.c_attn(x).split(self.width, dim=2)
        k, q, v = (z.view(n, t, self.heads, c // self.heads).transpose(1, 2) for z in (k, q, v))
        score = (q @ k.transpose(-2, -1)) * (k.size(-1) ** -0.5)
        if self.causal:
            score = score.masked_fill(self.mask[:, :, :t, :t] == 0, float("-inf"))
        return self.c_proj((F.softmax(score, dim=-1) @ v).transpose(1, 2).contiguous().view(n, t, c))


def nano():
    def forward(m, x):
        _, n = x.size()
        x = m.wte(x) + m.wpe(torch.arange(n))
        x = x + m.attn(m.ln1(x))
        x = x + m.c_proj(F.gelu(m.c_fc(m.ln2(x))))
        return m.lm_head(x)
    net = Net(forward, wte=nn.Embedding(CLASSES, 4), wpe=nn.Embedding(5, 4), ln1=nn.LayerNorm(4), attn=Attention(4, 2, 5),
              ln2=nn.LayerNorm(4), c_fc=nn.Linear(4, 8), c_proj=nn.Linear(8, 4), lm_head=nn.Linear(4, CLASSES, bias=False))
    net.wte.weight = net.lm_head.weight
    return net


def lstm():
    return Net(lambda m, x: m.fc(m.lstm(x)[0][:, -1]), lstm=nn.LSTM(3, 4, batch_first=True), fc=nn.Linear(4, CLASSES))


def conv1d():
    return nn.Sequential(nn.Conv1d(2, 3, 3, padding=1), nn.GELU(), nn.AvgPool1d(2), nn.Flatten(), nn.Linear(9, CLASSES))


def deep_lstm():
    def forward(m, x):
        _, (h, _) = m.lstm(x)
        return m.fc(h[-1])
    return Net(forward, lstm=nn.LSTM(3, 4, 2, batch_first=True), fc=nn.Linear(4, CLASSES))


def both_ways():
    return Net(lambda m, x: m.fc(m.gru(x)[0].mean(1)), gru=nn.GRU(3, 4, 2, batch_first=True, bidirectional=True),
               fc=nn.Linear(8, CLASSES))


def mixer():
    def forward(m, x):
        x = x + m.up(F.gelu(m.down(x.transpose(1, 2)))).transpose(1, 2)
        return m.fc((x - m.other(x) ** 2).mean(1))
    return Net(forward, down=nn.Linear(5, 6), up=nn.Linear(6, 5), other=nn.Linear(3, 3), fc=nn.Linear(3, CLASSES))


def squeeze_excite():
    def forward(m, x):
        n, _, _, _ = x.shape
        y = F.silu(m.conv(x))
        return m.fc((torch.sigmoid(m.up(F.silu(m.down(m.pool(y))))) * y).reshape(n, -1))
    return Net(forward, conv=nn.Conv2d(2, 4, 3), pool=nn.AdaptiveAvgPool2d(1), down=nn.Conv2d(4, 2, 1), up=nn.Conv2d(2, 4, 1),
               fc=nn.Linear(16, CLASSES))


def padded():
    return nn.Sequential(nn.ZeroPad2d((1, 2, 0, 1)), nn.Conv2d(2, 2, 3), nn.InstanceNorm2d(2, affine=True),
                         nn.ReflectionPad2d(1), nn.Upsample(scale_factor=2), nn.AvgPool2d(3, 2, 1, count_include_pad=False),
                         nn.Flatten(), nn.Linear(70, CLASSES))


def twice():
    return Net(lambda m, x: m.b(torch.tanh(m.a(torch.tanh(m.a(x))))), a=nn.Linear(4, 4), b=nn.Linear(4, CLASSES))


def functional_mlp():
    def forward(m, x):
        a = torch.relu(m.fc1(x)) * 0.5
        b = torch.cat([a, m.norm(torch.sigmoid(m.fc2(x)))], dim=1)
        return m.fc3(F.leaky_relu(b, 0.2))
    return Net(forward, fc1=nn.Linear(4, 3), fc2=nn.Linear(4, 4), norm=nn.LayerNorm(4), fc3=nn.Linear(7, CLASSES))


VECTORS, IMAGES, SEQUENCES, NCL = (4,), (2, 4, 4), (5, 3), (2, 6)
CASES = {
    "mlp": (lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, CLASSES)), VECTORS),
    "functional_mlp": (functional_mlp, VECTORS),
    "cnn": (flat_cnn, (2, 8, 6)), "resnet": (resnet, IMAGES), "vit": (vit, IMAGES), "lstm": (lstm, SEQUENCES),
    "conv1d": (conv1d, NCL), "deep_lstm": (deep_lstm, SEQUENCES), "both_ways": (both_ways, SEQUENCES),
    "mixer": (mixer, SEQUENCES), "squeeze_excite": (squeeze_excite, IMAGES), "padded": (padded, IMAGES), "twice": (twice, VECTORS),
    "prelu_norms": (lambda: nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, groups=2), nn.GroupNorm(2, 4), nn.PReLU(4),
                                          nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, CLASSES)), IMAGES),
}


def train(net, optimizer, loss_fn, x, y, steps=5, seed=2, after=None, before=None):
    order = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        rows = torch.randperm(len(x), generator=order)[:BATCH]
        optimizer.zero_grad()
        out = net(x[rows])
        loss_fn(out.view(-1, out.shape[-1]) if y.dim() > 1 and not y.is_floating_point() else out,
                y[rows].view(-1) if y.dim() > 1 and not y.is_floating_point() else y[rows]).backward()
        if before:
            before()
        optimizer.step()
        if after:
            after()


def dense_jacobian(net, x, y, steps, seed, rate, momentum):
    """d theta_n / d theta_0 of SGD with momentum, by differentiating through the training; [N, N] in the order of
    named_parameters."""
    from torch.nn.utils.stateless import functional_call
    names = [name for name, _ in net.named_parameters()]
    shapes = [p.shape for _, p in net.named_parameters()]
    sizes = [p.numel() for _, p in net.named_parameters()]
    start = torch.cat([p.detach().flatten() for _, p in net.named_parameters()])

    def trained(theta):
        order = torch.Generator().manual_seed(seed)
        slot = None
        for _ in range(steps):
            rows = torch.randperm(len(x), generator=order)[:BATCH]
            named = dict(zip(names, (t.view(s) for t, s in zip(theta.split(sizes), shapes))))
            loss = F.cross_entropy(functional_call(net, named, (x[rows],)), y[rows])
            g, = torch.autograd.grad(loss, theta, create_graph=True)
            slot = g if slot is None else momentum * slot + g
            theta = theta - rate * slot
        return theta

    start.requires_grad_(True)
    return torch.autograd.functional.jacobian(trained, start).numpy()


class Recorded(unittest.TestCase):
    def setUp(self):
        torch.set_default_dtype(torch.float64)
        self.addCleanup(torch.set_default_dtype, torch.float32)
        torch.manual_seed(4)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "RUN")

    def record(self, net, optimizer, x, y, loss_fn=None, save=None, every=1, **named):
        loss_fn = loss_fn or nn.CrossEntropyLoss()
        keep = {name: named.pop(name) for name in ("clip_norm", "clip_value") if name in named}
        recorder = spectraj.torch.record(net, optimizer, loss_fn, every=every, **keep)
        self.addCleanup(recorder.close)
        train(net, optimizer, loss_fn, x, y, **named)
        return recorder.save(self.path, **(save or {}))

    def check(self, run, net, most=1e-10):
        self.assertLess(run.info["imported"]["deviation"], most)
        theta = run.theta(-1, "pytorch")
        for name, p in net.named_parameters():
            if p.requires_grad:
                np.testing.assert_array_equal(theta[name].reshape(p.shape), p.detach().numpy())

    def data(self, shape, n=20):
        return torch.randn(n, *shape), torch.randint(0, CLASSES, (n,))

    def test_every_network(self):
        for name, (make, shape) in CASES.items():
            with self.subTest(name):
                net = make()
                optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
                run = self.record(net, optimizer, *self.data(shape), save={"force": True})
                self.check(run, net)

    def test_a_tied_gpt_with_groups_and_clipping(self):
        net = gpt()
        decay = [p for p in net.parameters() if p.dim() > 1]
        rest = [p for p in net.parameters() if p.dim() <= 1]
        optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0,
                                                                              "lr": 0.01}], 0.02)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        tokens = torch.randint(0, CLASSES, (20, 5))
        run = self.record(net, optimizer, tokens, tokens.roll(-1, 1), after=schedule.step, clip_norm=0.1,
                          before=lambda: nn.utils.clip_grad_norm_(net.parameters(), 0.1))
        self.check(run, net, 1e-7)  # AdamW's quotients of small gradients
        self.assertEqual(run.n_params, sum(p.numel() for p in net.parameters()))

    def test_attentions_of_ones_own_are_recognised(self):
        tokens = torch.randint(0, CLASSES, (20, 5))
        net = nano()
        run = self.record(net, torch.optim.SGD(net.parameters(), 0.1), tokens, tokens.roll(-1, 1))
        self.check(run, net)
        layer, = [x for x in run.config["network"]["layers"] if x["type"] == "attention"]
        self.assertEqual((layer["heads"], layer["causal"]), (2, True))
        for causal in (True, False):
            found = spectraj._module.recognised_attention(Attention(6, 3, 5, causal))
            self.assertEqual((found["heads"], found["causal"]), (3, causal))

        class Twice(Attention):
            def forward(self, x):
                return 2 * super().forward(x)

        self.assertIsNone(spectraj._module.recognised_attention(Twice(4, 2, 5)))

    def test_an_encoder_of_pytorch_is_its_parts(self):
        for first in (True, False):
            def forward(m, x):
                mask = nn.Transformer.generate_square_subsequent_mask(5) if m.causal else None
                return m.head(m.body(m.wte(x), mask) if m.causal else m.body(m.wte(x)))
            layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, activation="gelu", batch_first=True,
                                               norm_first=first)
            net = Net(forward, wte=nn.Embedding(CLASSES, 4), head=nn.Linear(4, CLASSES),
                      body=nn.TransformerEncoder(layer, 2, nn.LayerNorm(4), enable_nested_tensor=False))
            net.causal = first
            tokens = torch.randint(0, CLASSES, (20, 5))
            with self.subTest(norm_first=first):
                run = self.record(net, torch.optim.SGD(net.parameters(), 0.1), tokens, tokens.roll(-1, 1),
                                  save={"force": True})
                self.check(run, net)
                self.assertEqual(run.n_params, sum(p.numel() for p in net.parameters()))

    def test_sigma_is_pytorchs(self):
        for name in ("mlp", "cnn"):
            with self.subTest(name):
                make, shape = CASES[name]
                net = make()
                x, y = self.data(shape)
                matrix = dense_jacobian(net, x, y, 5, 2, 0.2, 0.9)
                run = self.record(net, torch.optim.SGD(net.parameters(), 0.2, momentum=0.9), x, y, save={"force": True})
                self.check(run, net)
                result = run.svd(top=10, compute=True)
                true = np.linalg.svd(matrix)[1]
                np.testing.assert_allclose(result.sigma, true[:10], atol=1e-12 * true[0])
                mine = run.unflatten(result.v, "pytorch")  # in the order of named_parameters
                v = np.concatenate([mine[name].reshape(10, -1) for name, _ in net.named_parameters()], axis=1)
                np.testing.assert_allclose(np.linalg.norm(v @ matrix.T, axis=1), true[:10], atol=1e-11 * true[0])

    def test_the_optimizers(self):
        for optimizer in (lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
                          lambda p: torch.optim.Adam(p, 0.02, betas=(0.8, 0.99), weight_decay=0.01),
                          lambda p: torch.optim.AdamW(p, 0.02, amsgrad=True),
                          lambda p: torch.optim.RMSprop(p, 0.01, momentum=0.5, centered=True),
                          lambda p: torch.optim.Adagrad(p, 0.1, lr_decay=0.01)):
            make, shape = CASES["mlp"]
            net = make()
            optimizer = optimizer(net.parameters())
            with self.subTest(type(optimizer).__name__):
                run = self.record(net, optimizer, *self.data(shape), save={"force": True})
                self.check(run, net, 1e-8)

    def test_the_losses(self):
        for loss_fn in (nn.MSELoss(), nn.L1Loss(), nn.SmoothL1Loss(beta=0.5), nn.HuberLoss(), nn.BCEWithLogitsLoss(),
                        nn.MSELoss(reduction="sum"), nn.CrossEntropyLoss(label_smoothing=0.1), nn.CrossEntropyLoss(
                            weight=torch.tensor([1.0, 2.0, 0.5])), nn.CrossEntropyLoss()):
            with self.subTest(str(loss_fn)):
                make, shape = CASES["mlp"]
                net = make()
                x, y = self.data(shape)
                if not isinstance(loss_fn, nn.CrossEntropyLoss):
                    y = torch.rand(len(x), CLASSES)
                elif not (loss_fn.label_smoothing or loss_fn.weight is not None):
                    y = torch.softmax(torch.randn(len(x), CLASSES), 1)
                run = self.record(net, torch.optim.SGD(net.parameters(), 0.05), x, y, loss_fn, save={"force": True})
                self.check(run, net)

    def test_images_out(self):
        net = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.Tanh(), nn.Conv2d(3, 2, 1))
        x, y = torch.randn(20, 2, 4, 3), torch.randn(20, 2, 4, 3)
        run = self.record(net, torch.optim.SGD(net.parameters(), 0.1), x, y, nn.MSELoss())
        self.check(run, net)

    def test_states_rates_and_a_resumed_optimizer(self):
        make, shape = CASES["mlp"]
        net = make()
        x, y = self.data(shape)
        optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, 20)
        train(net, optimizer, nn.CrossEntropyLoss(), x, y, after=schedule.step)  # before the recording
        run = self.record(net, optimizer, x, y, after=schedule.step, every=2, steps=7)
        self.check(run, net, 1e-8)
        self.assertEqual((run.n_steps, run.info["imported"]["states"]), (7, 5))
        net = make()
        optimizer = torch.optim.Adam(net.parameters(), 0.02)
        train(net, optimizer, nn.CrossEntropyLoss(), x, y)
        self.check(self.record(net, optimizer, x, y, save={"force": True}), net, 1e-8)

    def test_frozen_parameters_and_evaluations(self):
        net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, CLASSES))
        net[0].weight.requires_grad_(False)
        x, y = self.data(IMAGES)

        def evaluate():
            with torch.no_grad():
                nn.CrossEntropyLoss()(net(x), y)

        optimizer = torch.optim.SGD(net.parameters(), 0.1)
        run = self.record(net, optimizer, x, y, after=evaluate)
        self.check(run, net)
        self.assertEqual(run.n_params, 3 + 6 + 39)
        net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Dropout(), nn.Flatten(), nn.Linear(12, CLASSES)).eval()
        net[1].running_mean += 0.3
        self.check(self.record(net, torch.optim.SGD(net.parameters(), 0.1), x, y, save={"force": True}), net)

    def test_single_precision(self):
        torch.set_default_dtype(torch.float32)
        make, shape = CASES["cnn"]
        net = make()
        run = self.record(net, torch.optim.SGD(net.parameters(), 0.1, momentum=0.9), *self.data(shape))
        self.assertLess(run.info["imported"]["deviation"], run.info["imported"]["tolerance"])

    def refused(self, text, net=None, loss_fn=None, optimizer=None, shape=VECTORS, y=None, error=spectraj.Error, **named):
        net = net or CASES["mlp"][0]()
        x, labels = self.data(shape)
        with self.assertRaisesRegex(error, text):
            self.record(net, optimizer(net.parameters()) if optimizer else torch.optim.SGD(net.parameters(), 0.1), x,
                        labels if y is None else y, loss_fn, **named)

    def test_what_has_no_layer_is_named(self):
        def sequential(*parts):
            return nn.Sequential(nn.Linear(4, 4), *parts, nn.Linear(4, CLASSES))

        def sequence(part):
            return Net(lambda m, x: m.fc(m.part(x).mean(1)), part=part, fc=nn.Linear(4, CLASSES))

        self.refused("1: nn.Dropout with p = 0.5", sequential(nn.Dropout(0.5)))
        class Separate(nn.Module):
            def __init__(self):
                super().__init__()
                self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(4, 4) for _ in range(4))

            def forward(self, x):
                q, k, v = (part(x).view(x.size(0), 5, 2, 2).transpose(1, 2)
                           for part in (self.q_proj, self.k_proj, self.v_proj))
                return self.o_proj((F.softmax(q @ k.transpose(-2, -1), -1) @ v).transpose(1, 2).reshape(x.size(0), 5, 4))

        self.refused("part: an attention .* nn.MultiheadAttention", sequence(Separate()), shape=(5, 4))
        self.refused("dropout 0.1", sequence(nn.TransformerEncoderLayer(4, 1, 4, batch_first=True)), shape=(5, 4))
        self.refused("without batch_first", sequence(nn.TransformerEncoderLayer(4, 1, 4, 0.0)), shape=(5, 4))
        self.refused("1: nn.Hardshrink", sequential(nn.Hardshrink()))
        self.refused("Tensor.cumsum|cumsum", Net(lambda m, x: m.fc(x.cumsum(1)), fc=nn.Linear(4, CLASSES)))
        self.refused("cannot be traced", Net(lambda m, x: m.fc(x if x.sum() > 0 else -x), fc=nn.Linear(4, CLASSES)))
        self.refused("torch.optim.*Adamax", optimizer=lambda p: torch.optim.Adamax(p, 0.1))
        self.refused("maximize", optimizer=lambda p: torch.optim.SGD(p, 0.1, maximize=True))
        self.refused("nn.CosineEmbeddingLoss", loss_fn=nn.CosineEmbeddingLoss())
        self.refused("take the module", loss_fn=F.cross_entropy, error=TypeError)
        self.refused("detach", Net(lambda m, x: m.b(m.a(x).detach()) + m.c(x), a=nn.Linear(4, 3), b=nn.Linear(3, 3),
                                   c=nn.Linear(4, 3)))
        self.refused("no layer was seen to use", Net(lambda m, x: m.a(x), a=nn.Linear(4, 3), b=nn.Linear(3, 3)))
        self.refused("different queries", Net(lambda m, x: m.fc(m.attn(x, x * 2, x)[0].mean(1)), fc=nn.Linear(4, CLASSES),
                                             attn=nn.MultiheadAttention(4, 1, batch_first=True)), shape=(5, 4))

    def test_what_the_loop_does_otherwise_is_named(self):
        net = CASES["mlp"][0]()
        x, y = self.data(VECTORS)
        loss_fn, optimizer = nn.CrossEntropyLoss(), torch.optim.SGD(net.parameters(), 0.1)
        with spectraj.torch.record(net, optimizer, loss_fn):
            with self.assertRaisesRegex(spectraj.Error, "more than one loss"):
                for _ in range(2):
                    loss_fn(net(x), y).backward()
        with spectraj.torch.record(net, optimizer, loss_fn):
            with self.assertRaisesRegex(spectraj.Error, "without a loss_fn"):
                optimizer.step()
        with spectraj.torch.record(net, optimizer, loss_fn):
            with self.assertRaisesRegex(spectraj.Error, "something else than the model's output"):
                loss_fn(net(x) * 2, y)
        with spectraj.torch.record(net, optimizer, loss_fn) as recorder:
            with self.assertRaisesRegex(spectraj.Error, "no step was recorded"):
                recorder.save(self.path)

    def test_another_training_than_the_config_says_is_refused(self):
        """A loss that is scaled, clipping that was not said, a parameter that somebody else moved."""
        for before, after in ((lambda net: [p.grad.mul_(0.9) for p in net.parameters()], lambda net: None),
                              (lambda net: None, lambda net: net[0].bias.data.add_(0.01))):
            net = CASES["mlp"][0]()
            x, y = self.data(VECTORS)
            optimizer = torch.optim.SGD(net.parameters(), 0.1)
            with self.assertRaisesRegex(spectraj.Error, "deviat|tolerance"):
                self.record(net, optimizer, x, y, save={"force": True}, before=lambda: before(net),  # noqa: B023
                            after=lambda: after(net))  # noqa: B023

    def test_a_run_is_not_replaced_unasked(self):
        net = CASES["mlp"][0]()
        x, y = self.data(VECTORS)
        self.record(net, torch.optim.SGD(net.parameters(), 0.1), x, y)
        with open(os.path.join(self.path, "recorded", "x.npy"), "rb") as before:
            was = before.read()
        with self.assertRaisesRegex(spectraj.Error, "not empty"):
            self.record(net, torch.optim.SGD(net.parameters(), 0.1), x + 1, y)
        with open(os.path.join(self.path, "recorded", "x.npy"), "rb") as after:
            self.assertEqual(after.read(), was)


if __name__ == "__main__":
    unittest.main()
