#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""steps.py: trainings that go on where an optimizer was, and what their steps see: micro-batches, the masks of a dropout.

As trainings.py, whose comparison it is.

    steps.py SPECTRAJ LIBSPECTRAJ.SO [CASE]...
"""
import inspect
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import trainings
from check import BATCH, Whole
from trainings import RATES, STEPS, Training, adam_update, set_rate, sgd_update

CONSTANT = "\n  learning_rate: {schedule: constant, peak: 0.1}"
FROM_FILE = "\n  learning_rate: {schedule: file, file: rates.npy}"
ALL_ROWS = STEPS * BATCH


def chain(**parts):
    torch.manual_seed(3)
    net = nn.Sequential()
    for name, part in parts.items():
        net.add_module(name, part)
    return net


def whole(shape, layers, net):
    case = Whole(shape, layers, net)
    case.steps = STEPS
    return case


# ---- resumed ----

class Resumed(Training):
    """Steps made before, with a rate of their own; slots: what PyTorch calls the optimizer's."""
    BEFORE = 5

    def __init__(self, slots, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self.slots = slots

    def resume(self, net, optimizer, x, target, loss):
        for group in optimizer.param_groups:
            group["lr"] = 0.05
        for t in range(self.BEFORE):
            optimizer.zero_grad()
            loss(net(x[0][t::7]), target[t::7]).backward()
            optimizer.step()
        own = {name: [optimizer.state[p][slot].clone() for slot in self.slots] for name, p in net.named_parameters()}
        np.savez("slots.npz", **{f"{name}.{slot}": value.numpy() for name, values in own.items()
                                 for slot, value in zip(self.slots, values)})
        return {name: values[0] if len(values) == 1 else tuple(values) for name, values in own.items()}, self.BEFORE

    def edit(self, head):
        return head.replace("\ninit:", f"\ninit:\n  slots: slots.npz\n  step: {self.BEFORE}")


def rate(name, t):
    return RATES[t - Resumed.BEFORE]


def resumed_momentum():
    return Resumed(["momentum_buffer"], "optimizer: {type: sgd, momentum: 0.9, nesterov: true, weight_decay: 0.02}" + FROM_FILE,
                   lambda net: torch.optim.SGD(net.parameters(), lr=1, momentum=0.9, nesterov=True, weight_decay=0.02),
                   sgd_update(rate, lambda name: 0.02, lambda name, t: 0.9, nesterov=True), before=set_rate)


def resumed_adam():
    return Resumed(["exp_avg", "exp_avg_sq"], "optimizer: {type: adam, beta2: 0.95}" + FROM_FILE,
                   lambda net: torch.optim.Adam(net.parameters(), lr=1, betas=(0.9, 0.95)),
                   adam_update(rate, lambda name: 0, lambda name, t: 0.9, beta2=0.95), before=set_rate)


def resumed_adamw_clipped():
    return Resumed(["exp_avg", "exp_avg_sq"],
                   "optimizer: {type: adamw, weight_decay: 0.2}" + FROM_FILE + "\n  clip_norm: 0.2\n  clip_eps: 1e-6",
                   lambda net: torch.optim.AdamW(net.parameters(), lr=1, weight_decay=0.2),
                   adam_update(rate, lambda name: 0.2, lambda name, t: 0.9), before=set_rate,
                   clip=lambda p: nn.utils.clip_grad_norm_(p, 0.2), whole=trainings.clip_norm(0.2))


# ---- micro-batches ----

class Accumulated(Training):
    """Micro-batches of a DataLoader, `taken` of them a step, and of an epoch's last step those that are left."""

    def __init__(self, batch, taken, mean, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self.mean, self.taken, self.plan = mean, taken, []
        self.size = f"batch_size: {batch}\n  accumulate: {taken}\n  drop_last: false"
        if mean != "micro_batches":
            self.size += f"\n  accumulate_mean: {mean}"
        while len(self.plan) < STEPS:
            loader = list(torch.utils.data.DataLoader(torch.arange(ALL_ROWS), batch_size=batch))
            self.plan += [loader[i:i + taken] for i in range(0, len(loader), taken)]

    def losses(self, t, call, x, target, loss):
        parts = self.plan[t]
        if self.mean == "tokens":  # as Hugging Face's trainer: a sum, over the number of the labels of the step
            count = sum((target[rows] != -100).sum() for rows in parts)
            return [F.cross_entropy(call(x[0][rows]).reshape(-1, 3), target[rows].reshape(-1), ignore_index=-100,
                                    reduction="sum") / count for rows in parts]
        divisor = self.taken if self.mean == "fixed" else len(parts)
        return [loss(call(x[0][rows]), target[rows]) / divisor for rows in parts]


class Norms(Accumulated):
    def network(self):
        return whole([6], ["{type: dense, name: fc1, units: 7}", "{type: batch_norm, name: norm, eps: 1e-5}", "tanh",
                           "{type: dense, name: fc2, units: 3}"],
                     chain(fc1=nn.Linear(6, 7), norm=nn.BatchNorm1d(7), tanh=nn.Tanh(), fc2=nn.Linear(7, 3)))


class Tokens(Accumulated):
    """A label at each position; some are ignored, and classes have weights."""
    WEIGHTS = torch.tensor([1, 2, 0.5]).double()

    def network(self):
        return whole([3, 6], ["{type: dense, name: fc1, units: 7}", "tanh", "{type: dense, name: fc2, units: 3}"],
                     chain(fc1=nn.Linear(6, 7), tanh=nn.Tanh(), fc2=nn.Linear(7, 3)))

    def targets(self, target, loss):
        target = target.long()
        target[torch.rand(target.shape) < 0.3] = -100
        target[:, 0] = 1
        self.labels = target.numpy()
        weights = None if self.mean == "tokens" else self.WEIGHTS
        return target, lambda z, t: F.cross_entropy(z.reshape(-1, 3), t.reshape(-1), weights, ignore_index=-100)

    def edit(self, head):
        np.save("target.npy", self.labels)
        weights = "" if self.mean == "tokens" else ", class_weights: [1, 2, 0.5]"
        return head.replace("softmax_cross_entropy", "softmax_cross_entropy, ignore_index: -100" + weights)


def by_sgd(kind, *arguments):
    return kind(*arguments, "optimizer: {type: sgd, momentum: 0.9, weight_decay: 0.01}" + CONSTANT,
                lambda net: torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01),
                sgd_update(lambda name, t: 0.1, lambda name: 0.01, lambda name, t: 0.9))


def accumulated():
    return by_sgd(Norms, 5, 2, "micro_batches")


def accumulated_with_the_rest_of_an_epoch():
    return by_sgd(Norms, 6, 3, "micro_batches")


def accumulated_by_a_fixed_number():
    return by_sgd(Norms, 6, 3, "fixed")


def accumulated_with_adam_and_clipping():
    return Norms(6, 3, "micro_batches", "optimizer: {type: adamw, weight_decay: 0.1, eps: 0.001}" + CONSTANT
                 + "\n  clip_norm: 0.3\n  clip_eps: 1e-6",
                 lambda net: torch.optim.AdamW(net.parameters(), lr=0.1, weight_decay=0.1, eps=1e-3),
                 adam_update(lambda name, t: 0.1, lambda name: 0.1, lambda name, t: 0.9, eps=1e-3),
                 clip=lambda p: nn.utils.clip_grad_norm_(p, 0.3), whole=trainings.clip_norm(0.3))


def accumulated_means_of_labels():
    return by_sgd(Tokens, 6, 3, "micro_batches")


def accumulated_over_tokens():
    return by_sgd(Tokens, 6, 3, "tokens")


# ---- masks ----

class Dropped(nn.Module):
    """PyTorch's dropout, or the masks that it drew."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.fc1, self.drop, self.fc2 = nn.Linear(6, 7), nn.Dropout(0.4), nn.Linear(7, 3)

    def forward(self, x, mask=None):
        h = torch.tanh(self.fc1(x))
        return self.fc2(self.drop(h) if mask is None else h * mask)


class Masked(Training):
    def network(self):
        self.masks = []
        return whole({"x": [6], "mask": [7]},
                     ["{type: dense, input: x, name: fc1, units: 7}", "{type: tanh, name: h}",
                      "{type: multiply, inputs: [h, mask]}", "{type: dense, name: fc2, units: 3}"], Dropped())

    def resume(self, net, optimizer, x, target, loss):
        def record(module, arguments, y):
            self.masks.append((y != 0).double() / (1 - module.p))
        net.drop.register_forward_hook(record)
        return {}, 0

    def losses(self, t, call, x, target, loss):
        rows = slice(t * BATCH, (t + 1) * BATCH)
        seen = [x[0][rows]] if t == len(self.masks) else [x[0][rows], self.masks[t]]
        return [loss(call(*seen), target[rows])]

    def recorded(self):
        np.save("mask.npy", torch.cat(self.masks).numpy())


def dropout_with_recorded_masks():
    return by_sgd(Masked)


if __name__ == "__main__":
    cases = {name: f for name, f in globals().items() if inspect.isfunction(f) and f.__module__ == "__main__" and
             not inspect.signature(f).parameters}
    vars(trainings).update(cases)  # what its main goes through
    sys.exit(trainings.main())
