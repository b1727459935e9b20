#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""trainings.py: groups of parameters, rates by step, cycled momenta, clipping and averages of states, against PyTorch.

Each case is a function that returns a Training.  A network is trained by PyTorch's own optimizer, scheduler and clipping,
and by the same update written out, which can be differentiated: these must agree, then spectraj with both: theta_n within
1e-12, J x and J'y within 1e-11.

    trainings.py SPECTRAJ LIBSPECTRAJ.SO [CASE]...
"""
import inspect
import os
import sys
import tempfile

import numpy as np
import torch
import torch.nn as nn
from torch.nn.utils.stateless import functional_call

from check import BATCH, Spectraj, Whole, find_order, make_data, make_target, products, relative, write_config

STEPS = 8
RATES = np.linspace(0.02, 0.09, STEPS) ** 1.3


class Training:
    """text: the training group without batch_size and steps.  optimizer: from named parameters.  schedule: what is done with
    the optimizer before step t (an LR scheduler steps after it: `after`).  clip: of the parameters' gradients in place.
    update: (name, t, theta, g, state) -> theta, differentiable; whole: of the list of gradients, the clipping so.
    average: of AveragedModel's avg_fn; counts: does state s count?

    The methods are of one that resumes, and of what its steps see (steps.py)."""

    def __init__(self, text, optimizer, update, before=None, scheduler=None, clip=None, whole=None, average=None,
                 counts=None):
        self.text, self.optimizer, self.update = text, optimizer, update
        self.before, self.scheduler, self.clip, self.whole = before, scheduler, clip, whole
        self.average, self.counts = average, counts
        self.rho, self.adaptive = 0, False  # of sharpness-aware minimisation
        self.size = f"batch_size: {BATCH}"

    def network(self):
        return network()

    def targets(self, target, loss):
        """Others in their place, in target.npy too."""
        return target, loss

    def resume(self, net, optimizer, x, target, loss):
        """Steps made before: what `update` has of them, and how many they were."""
        return {}, 0

    def losses(self, t, call, x, target, loss):
        """Of step t, to be added."""
        rows = slice(t * BATCH, (t + 1) * BATCH)
        return [loss(call(x[0][rows]), target[rows])]

    def recorded(self):
        """PyTorch has trained; spectraj comes now."""

    def edit(self, head):
        """The config before its training group."""
        return head


def network():
    torch.manual_seed(3)
    net = nn.Sequential()
    for name, part in (("fc1", nn.Linear(6, 7)), ("norm", nn.LayerNorm(7)), ("tanh", nn.Tanh()), ("fc2", nn.Linear(7, 3))):
        net.add_module(name, part)
    layers = ["{type: dense, name: fc1, units: 7}", "{type: layer_norm, name: norm, eps: 1e-5}", "tanh",
              "{type: dense, name: fc2, units: 3}"]
    case = Whole([6], layers, net)
    case.steps = STEPS
    return case


def plain(name):
    """Biases and what a normalisation has."""
    return name.endswith("bias") or name.startswith("norm")


def split(net, own):
    parameters = list(net.named_parameters())
    return [{"params": [p for name, p in parameters if not plain(name)]},
            {"params": [p for name, p in parameters if plain(name)], **own}]


def sgd_update(rate, decay, momentum, nesterov=False):
    def update(name, t, theta, g, state):
        mu = momentum(name, t)
        h = g + decay(name) * theta
        state[name] = h if name not in state else mu * state[name] + h
        return theta - rate(name, t) * (h + mu * state[name] if nesterov else state[name])
    return update


def adam_update(rate, decay, beta1, beta2=0.999, eps=1e-8):
    """decay: decoupled."""
    def update(name, t, theta, g, state):
        b1 = beta1(name, t)
        m, v = state.get(name, (0, 0))
        m, v = b1 * m + (1 - b1) * g, beta2 * v + (1 - beta2) * g * g
        state[name] = m, v
        root = torch.sqrt(v / (1 - beta2 ** (t + 1))) + eps
        return theta * (1 - rate(name, t) * decay(name)) - rate(name, t) * m / (1 - b1 ** (t + 1)) / root
    return update


def set_rate(optimizer, t):
    for group in optimizer.param_groups:
        group["lr"] = RATES[t]


def clip_norm(limit):
    def whole(gradients):
        norm = torch.sqrt(sum((g * g).sum() for g in gradients))
        factor = torch.clamp(limit / (norm + 1e-6), max=1)
        return [factor * g for g in gradients]
    return whole


# ---- cases ----

def sgd_nesterov_in_groups():
    own = {"weight_decay": 0, "lr": 0.01, "momentum": 0.5}
    return Training(
        "optimizer: {type: sgd, momentum: 0.9, nesterov: true, weight_decay: 0.05}\n"
        "  learning_rate: {schedule: constant, peak: 0.1}\n"
        "  groups: [{match: [\"*.bias\", norm], weight_decay: 0, learning_rate: {scale: 0.1}, momentum: 0.5}]",
        lambda net: torch.optim.SGD(split(net, own), lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.05),
        sgd_update(lambda name, t: 0.01 if plain(name) else 0.1, lambda name: 0 if plain(name) else 0.05,
                   lambda name, t: 0.5 if plain(name) else 0.9, nesterov=True))


def adamw_with_rates_from_a_file():
    return Training(
        "optimizer: {type: adamw, weight_decay: 0.3}\n  learning_rate: {schedule: file, file: rates.npy}\n"
        "  clip_norm: 0.4\n  clip_eps: 1e-6\n  groups: [{match: [\"*.bias\", \"norm*\"], weight_decay: 0}]",
        lambda net: torch.optim.AdamW(split(net, {"weight_decay": 0}), lr=1, weight_decay=0.3),
        adam_update(lambda name, t: RATES[t], lambda name: 0 if plain(name) else 0.3, lambda name, t: 0.9),
        before=set_rate, clip=lambda p: nn.utils.clip_grad_norm_(p, 0.4), whole=clip_norm(0.4))


def cycle(low, middle, high, up, t):
    """OneCycleLR between step 0, step `up` and the last, by cosines."""
    a, b, x = (low, middle, t / up) if t <= up else (middle, high, (t - up) / (STEPS - 1 - up))
    return b + (a - b) * (1 + np.cos(np.pi * x)) / 2


def one_cycle_of(optimizer):
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.2, total_steps=STEPS, pct_start=0.4, base_momentum=0.8,
                                               max_momentum=0.92)


ONE_CYCLE = ("\n  learning_rate: {schedule: one_cycle, peak: 0.2, rise: 0.4, cycle_momentum: true, base_momentum: 0.8, "
             "max_momentum: 0.92}")
UP = 0.4 * STEPS - 1


def one_cycle_with_momentum():
    return Training("optimizer: {type: sgd, momentum: 0.9}" + ONE_CYCLE,
                    lambda net: torch.optim.SGD(net.parameters(), lr=1, momentum=0.9),
                    sgd_update(lambda name, t: cycle(0.2 / 25, 0.2, 0.2 / 25e4, UP, t), lambda name: 0,
                               lambda name, t: cycle(0.92, 0.8, 0.92, UP, t)), scheduler=one_cycle_of)


def one_cycle_with_beta1():
    return Training("optimizer: {type: adamw, weight_decay: 0.1}" + ONE_CYCLE,
                    lambda net: torch.optim.AdamW(net.parameters(), lr=1, weight_decay=0.1),
                    adam_update(lambda name, t: cycle(0.2 / 25, 0.2, 0.2 / 25e4, UP, t), lambda name: 0.1,
                                lambda name, t: cycle(0.92, 0.8, 0.92, UP, t)), scheduler=one_cycle_of)


def cyclic_in_groups():
    def rate(name, t):
        return 0.02 + 0.1 * (t % 5 / 2 if t % 5 <= 2 else (5 - t % 5) / 3) * 0.5 ** (t // 5)

    def momentum(name, t):
        return 0.9 - (rate(name, t) - 0.02)

    return Training(
        "optimizer: {type: sgd, momentum: 0.9, weight_decay: 0.1}\n  learning_rate: {schedule: cyclic, base: 0.02, peak: "
        "0.12, up: 2, down: 3, mode: triangular2, cycle_momentum: true}\n  groups: [{match: \"fc?.bias\", weight_decay: 0}, "
        "{match: norm, weight_decay: 0}]",
        lambda net: torch.optim.SGD(split(net, {"weight_decay": 0}), lr=1, momentum=0.9, weight_decay=0.1),
        sgd_update(rate, lambda name: 0 if plain(name) else 0.1, momentum),
        scheduler=lambda optimizer: torch.optim.lr_scheduler.CyclicLR(
            optimizer, 0.02, 0.12, step_size_up=2, step_size_down=3, mode="triangular2"))


def milestones_and_clipped_values():
    return Training(
        "optimizer: {type: sgd, momentum: 0.8}\n  learning_rate: {schedule: product, parts: [{schedule: multistep, peak: 0.3, "
        "gamma: 0.5, milestones: [3, 6]}, {schedule: warmup, warmup_steps: 2, start: 0.5, then: {schedule: constant, peak: "
        "1}}]}\n  clip_value: 0.03",
        lambda net: torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.8),
        sgd_update(lambda name, t: 0.3 * 0.5 ** ((t >= 3) + (t >= 6)) * (0.5 + 0.25 * min(t, 2)), lambda name: 0,
                   lambda name, t: 0.8),
        scheduler=lambda optimizer: torch.optim.lr_scheduler.ChainedScheduler([
            torch.optim.lr_scheduler.LinearLR(optimizer, 0.5, 1, 2),
            torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 6], 0.5)]),
        clip=lambda p: nn.utils.clip_grad_value_(p, 0.03), whole=lambda gs: [torch.clamp(g, -0.03, 0.03) for g in gs])


def clipped_by_tensor():
    def each(parameters):
        for p in parameters:
            nn.utils.clip_grad_norm_([p], 0.1)
    return Training(
        "optimizer: adam\n  learning_rate: [" + ", ".join(f"{r:.17g}" for r in RATES) + "]\n  clip_tensor_norm: 0.1\n"
        "  clip_eps: 1e-6",
        lambda net: torch.optim.Adam(net.parameters(), lr=1),
        adam_update(lambda name, t: RATES[t], lambda name: 0, lambda name, t: 0.9), before=set_rate, clip=each,
        whole=lambda gs: [clip_norm(0.1)([g])[0] for g in gs])


def ema(decay):
    return lambda a, p, n: decay * a + (1 - decay) * p


def mean(a, p, n):
    return a + (p - a) / (n + 1)


def averaged(text, average, counts):
    """Of a training with momentum."""
    return Training("optimizer: {type: sgd, momentum: 0.9}\n  learning_rate: {schedule: constant, peak: 0.1}\n  average: " +
                    text, lambda net: torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9),
                    sgd_update(lambda name, t: 0.1, lambda name: 0, lambda name, t: 0.9), average=average, counts=counts)


def average_ema():
    return averaged("{type: ema, decay: 0.8}", ema(0.8), lambda s: s >= 1)


def average_ema_from_the_start():
    return averaged("{type: ema, decay: 0.7, start: 0, every: 2}", ema(0.7), lambda s: s % 2 == 0)


def average_swa():
    return averaged("{type: swa, start: 3, every: 2}", mean, lambda s: s >= 3 and s % 2 == 1)


def average_polyak():
    return averaged("{type: polyak, start: 2}", mean, lambda s: s >= 2)


def average_of_adamw_in_groups():
    case = adamw_with_rates_from_a_file()
    case.text += "\n  average: {type: ema, decay: 0.5, start: 4}"
    case.average, case.counts = ema(0.5), lambda s: s >= 4
    return case


class SAM:
    """As in the papers: climb by rho g / |g|, adaptive by rho p^2 g / |p g|, take the gradient there, go back, update."""

    def __init__(self, base, rho, adaptive):
        self.base, self.rho, self.adaptive, self.kept = base, rho, adaptive, []

    def climb(self):
        parameters = [p for group in self.base.param_groups for p in group["params"]]
        self.kept = [p.detach().clone() for p in parameters]
        with torch.no_grad():
            scale = [torch.abs(p) if self.adaptive else torch.ones_like(p) for p in parameters]
            norm = torch.sqrt(sum(((s * p.grad) ** 2).sum() for p, s in zip(parameters, scale)))
            for p, s in zip(parameters, scale):
                p += self.rho * s ** 2 * p.grad / norm

    def back(self):
        with torch.no_grad():
            for p, kept in zip((p for group in self.base.param_groups for p in group["params"]), self.kept):
                p.copy_(kept)


def sam(case, rho, adaptive=False):
    case.text += f"\n  sam: {{rho: {rho}, adaptive: {str(adaptive).lower()}}}"
    case.rho, case.adaptive = rho, adaptive
    return case


def sam_adaptive():
    return sam(sgd_nesterov_in_groups(), 0.7, adaptive=True)


def sam_of_sgd():
    return sam(averaged("{type: polyak, start: 8}", mean, lambda s: s >= 8), 0.05)


def sam_of_sgd_in_groups():
    return sam(sgd_nesterov_in_groups(), 0.3)


def sam_of_clipped_adamw_averaged():
    return sam(average_of_adamw_in_groups(), 0.1)


# ---- the comparison ----

def by_pytorch(training, optimizer, net, loss, x, target):
    scheduler = training.scheduler(optimizer) if training.scheduler else None
    average = torch.optim.swa_utils.AveragedModel(net, avg_fn=training.average) if training.average else None
    if average and training.counts(0):
        average.update_parameters(net)
    for t in range(STEPS):
        if training.before:
            training.before(optimizer, t)
        optimizer.zero_grad()
        for value in training.losses(t, net, x, target, loss):
            value.backward()
        if training.rho:
            climber = SAM(optimizer, training.rho, training.adaptive)
            climber.climb()
            optimizer.zero_grad()
            for value in training.losses(t, net, x, target, loss):
                value.backward()
            climber.back()
        if training.clip:
            training.clip(list(net.parameters()))
        optimizer.step()
        if scheduler and t + 1 < STEPS:
            scheduler.step()
        if average and training.counts(t + 1):
            average.update_parameters(net)
    return torch.cat([p.detach().reshape(-1) for p in (average.module if average else net).parameters()])


def written_out(training, net, loss, x, target, state, steps_before):
    named = [(name, p.shape, p.numel()) for name, p in net.named_parameters()]
    theta = torch.cat([p.detach().reshape(-1) for p in net.parameters()]).requires_grad_()
    now = [p.reshape(s) for p, (_, s, _) in zip(torch.split(theta, [n for _, _, n in named]), named)]
    end, n_averaged = now, 0
    for t in range(STEPS):
        def gradient(at):
            parameters = {name: p for (name, _, _), p in zip(named, at)}
            values = training.losses(t, lambda *inputs: functional_call(net, parameters, inputs), x, target, loss)
            return list(torch.autograd.grad(sum(values), at, create_graph=True))

        gradients = gradient(now)
        if training.rho:
            scale = [p ** 2 if training.adaptive else torch.ones_like(p) for p in now]
            norm = torch.sqrt(sum((s * g * g).sum() for s, g in zip(scale, gradients)))
            gradients = gradient([p + training.rho * s * g / norm for p, s, g in zip(now, scale, gradients)])
        if training.whole:
            gradients = training.whole(gradients)
        if t == 0 and training.average and training.counts(0):
            n_averaged = 1
        now = [training.update(name, t + steps_before, p, g, state)
               for (name, _, _), p, g in zip(named, now, gradients)]
        if not training.average:
            end = now
        elif training.counts(t + 1):
            end = [training.average(a, p, n_averaged) for a, p in zip(end, now)] if n_averaged else now
            n_averaged += 1
    return theta, torch.cat([p.reshape(-1) for p in end])


def compare(spectraj, training):
    rng, case = np.random.default_rng(7), training.network()
    net = case.module.double()
    x, weights = make_data(case, rng)
    target, loss = training.targets(*make_target(case, net, x, weights, rng))
    np.save("rates.npy", RATES)
    optimizer = training.optimizer(net)
    state, steps_before = training.resume(net, optimizer, x, target, loss)
    begin = {name: p.detach().clone() for name, p in net.named_parameters()}
    np.savez("init.npz", **{name: p.numpy() for name, p in begin.items()})
    own = by_pytorch(training, optimizer, net, loss, x, target).numpy()
    net.load_state_dict(begin, strict=False)
    training.recorded()
    theta, last = written_out(training, net, loss, x, target, state, steps_before)
    order = find_order(spectraj, case, net)
    write_config(case, "case.yaml", "init.npz", 1, STEPS)
    with open("case.yaml", encoding="utf-8") as f:
        head = training.edit(f.read().split("\ntraining:")[0])
    with open("case.yaml", "w", encoding="utf-8") as f:
        f.write(f"{head}\ntraining:\n  {training.text}\n  {training.size}\n  steps: {STEPS}\n")
    run = spectraj.train("case.yaml", "run")
    n = theta.numel()
    start, end = theta.detach().numpy()[order], last.detach().numpy()[order]
    own, ours, moved = own[order], spectraj.theta(run, STEPS, n), np.linalg.norm(end - start)
    errors = {"theta": np.linalg.norm(ours - own) / moved, "written out": np.linalg.norm(end - own) / moved}
    v, mine = rng.standard_normal(n), np.empty(n)
    mine[order] = v
    forward, backward = (product[order] for product in products(theta, last, mine, mine))
    errors["Jx"] = relative(spectraj.product(run, False, v), forward)
    errors["J'y"] = relative(spectraj.product(run, True, v), backward)
    spectraj.lib.stj_run_destroy(run)
    return errors


def main():
    spectraj = Spectraj(*map(os.path.abspath, sys.argv[1:3]))
    torch.set_num_threads(1)
    cases = {name: f() for name, f in globals().items() if inspect.isfunction(f) and f.__module__ == "__main__" and
             not inspect.signature(f).parameters and name not in ("main", "network")}
    chosen = [name for name in cases if not sys.argv[3:] or name in sys.argv[3:]]
    failed = 0
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                errors = compare(spectraj, cases[name])
                good = max(errors["theta"], errors["written out"]) <= 1e-12 and max(errors["Jx"], errors["J'y"]) <= 1e-11
                text = ", ".join(f"{k} {e:.1e}" for k, e in errors.items())
            except Exception as error:  # one case says nothing of the others
                good, text = False, f"{type(error).__name__}: {error}"
            os.chdir("/")
        print("PASS" if good else "FAIL", name, text, flush=True)
        failed += not good
    print(f"{len(chosen) - failed} of {len(chosen)} trainings agree with PyTorch {torch.__version__}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
