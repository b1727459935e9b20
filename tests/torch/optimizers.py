#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""optimizers.py: Adagrad, NAdam and AMSGrad against PyTorch's, and LARS, LAMB and Muon against their published code, written
out here.

As trainings.py, whose comparison it is.  NAdam is the one of PyTorch's manual, which PyTorch 1.13 has in its foreach form.

    optimizers.py SPECTRAJ LIBSPECTRAJ.SO [CASE]...
"""
import inspect
import sys

import torch

import trainings
from trainings import Training, plain, split

RATE = 0.03


class Written(torch.optim.Optimizer):
    """An update as an optimizer: what PyTorch has none for."""

    def __init__(self, net, update):
        self.names = [name for name, _ in net.named_parameters()]
        super().__init__(net.parameters(), {})
        self.update, self.t, self.own = update, 0, {}

    @torch.no_grad()
    def step(self, closure=None):
        for name, p in zip(self.names, self.param_groups[0]["params"]):
            p.copy_(self.update(name, self.t, p.clone(), p.grad, self.own))
        self.t += 1


def training(text, update, optimizer=None, groups=""):
    return Training(f"optimizer: {text}\n  learning_rate: {{schedule: constant, peak: {RATE}}}{groups}",
                    optimizer or (lambda net: Written(net, update)), update)


def mean_of(state, name, beta, h):
    state[name] = beta * state.get(name, 0) + (1 - beta) * h
    return state[name]


# ---- elementwise ----

def adagrad_update(decay=0., start=0., eps=1e-10, wd=0.):
    def update(name, t, theta, g, state):
        h = g + wd * theta
        state[name] = state.get(name, start) + h * h
        return theta - RATE / (1 + t * decay) * h / (torch.sqrt(state[name]) + eps)
    return update


def nadam_update(wd=0., psi=4e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    def momentum(t):
        return beta1 * (1 - 0.5 * 0.96 ** (t * psi))

    def update(name, t, theta, g, state):
        h, product = g + wd * theta, 1
        for i in range(1, t + 2):
            product *= momentum(i)
        m, v = mean_of(state, name + " m", beta1, h), mean_of(state, name + " v", beta2, h * h)
        m = momentum(t + 2) * m / (1 - product * momentum(t + 2)) + (1 - momentum(t + 1)) * h / (1 - product)
        return theta - RATE * m / (torch.sqrt(v / (1 - beta2 ** (t + 1))) + eps)
    return update


def amsgrad_update(coupled=0., decoupled=0., beta2=0.999):
    def update(name, t, theta, g, state):
        theta = theta * (1 - RATE * decoupled)
        h = g + coupled * theta
        m, v = mean_of(state, name + " m", 0.9, h), mean_of(state, name + " v", beta2, h * h)
        most = state.get(name + " x", torch.zeros_like(v))
        most = state[name + " x"] = torch.where(v > most, v, most)
        return theta - RATE / (1 - 0.9 ** (t + 1)) * m / (torch.sqrt(most / (1 - beta2 ** (t + 1))) + 1e-8)
    return update


def adagrad():
    return training("adagrad", adagrad_update(), lambda net: torch.optim.Adagrad(net.parameters(), lr=RATE))


def adagrad_with_all():
    return training("{type: adagrad, lr_decay: 0.2, initial_accumulator_value: 0.1, eps: 1e-3, weight_decay: 0.05}",
                    adagrad_update(0.2, 0.1, 1e-3, 0.05),
                    lambda net: torch.optim.Adagrad(net.parameters(), lr=RATE, lr_decay=0.2, initial_accumulator_value=0.1,
                                                    eps=1e-3, weight_decay=0.05))


def nadam():
    return training("nadam", nadam_update(), lambda net: torch.optim.NAdam(net.parameters(), lr=RATE, foreach=True))


def nadam_with_decay():
    return training("{type: nadam, weight_decay: 0.1, momentum_decay: 0.05, beta1: 0.8}",
                    nadam_update(0.1, 0.05, 0.8),
                    lambda net: torch.optim.NAdam(net.parameters(), lr=RATE, weight_decay=0.1, momentum_decay=0.05,
                                                  betas=(0.8, 0.999), foreach=True))


def amsgrad():
    return training("{type: adam, amsgrad: true, beta2: 0.7, weight_decay: 0.02}", amsgrad_update(0.02, beta2=0.7),
                    lambda net: torch.optim.Adam(net.parameters(), lr=RATE, amsgrad=True, betas=(0.9, 0.7),
                                                 weight_decay=0.02))


def amsgrad_decoupled_in_groups():
    def update(name, *rest):
        return (plain_one if plain(name) else other)(name, *rest)
    plain_one, other = amsgrad_update(beta2=0.7), amsgrad_update(decoupled=0.2, beta2=0.7)
    return training("{type: adamw, amsgrad: true, beta2: 0.7, weight_decay: 0.2}", update,
                    lambda net: torch.optim.AdamW(split(net, {"weight_decay": 0}), lr=RATE, amsgrad=True, betas=(0.9, 0.7),
                                                  weight_decay=0.2),
                    "\n  groups: [{match: [\"*.bias\", norm], weight_decay: 0}]")


# ---- by tensor ----

def lars_update(wd, trust, momentum, nesterov):
    def update(name, t, theta, g, state):
        weight, gradient = torch.linalg.norm(theta), torch.linalg.norm(g)
        ratio = trust * weight / (gradient + wd * weight + 1e-8) if weight > 0 and gradient > 0 else 1
        scaled = ratio * (g + wd * theta)
        state[name] = momentum * state.get(name, 0) + scaled
        return theta - RATE * (scaled + momentum * state[name] if nesterov else state[name])
    return update


def lamb_update(wd, adapts=lambda name: True):
    def update(name, t, theta, g, state):
        decay = wd(name)
        m, v = mean_of(state, name + " m", 0.9, g), mean_of(state, name + " v", 0.999, g * g)
        u = m / (1 - 0.9 ** (t + 1)) / (torch.sqrt(v / (1 - 0.999 ** (t + 1))) + 1e-6) + decay * theta
        weight = torch.linalg.norm(theta)
        ratio = weight / torch.linalg.norm(u) if adapts(name) and weight > 0 else 1
        return theta - RATE * ratio * u
    return update


def orthogonal(x):
    a, b, c = 3.4445, -4.7750, 2.0315
    turned = x.shape[0] > x.shape[1]
    x = x.T if turned else x
    x = x / (torch.linalg.norm(x) + 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if turned else x


def muon_update(wd=0., matrix=lambda name: True, mean=True, nesterov=True):
    def update(name, t, theta, g, state):
        if theta.ndim > 1 and matrix(name):
            taken = 0.05 if mean else 1
            m = state[name] = 0.95 * state.get(name, 0) + taken * g
            u = 0.95 * m + taken * g if nesterov else m
            step = RATE * max(1, theta.shape[0] / theta[0].numel()) ** 0.5
            return theta * (1 - RATE * wd) - step * orthogonal(u.reshape(len(u), -1)).reshape(u.shape)
        m, v = mean_of(state, name + " m", 0.9, g), mean_of(state, name + " v", 0.95, g * g)
        u = m / (1 - 0.9 ** (t + 1)) / (torch.sqrt(v / (1 - 0.95 ** (t + 1))) + 1e-10)
        return theta * (1 - 0.1 * RATE * wd) - 0.1 * RATE * u
    return update


def lars():
    return training("{type: lars, weight_decay: 0.01, trust_coefficient: 0.3}", lars_update(0.01, 0.3, 0.9, False))


def lars_nesterov():
    return training("{type: lars, trust_coefficient: 0.5, momentum: 0.8, nesterov: true}", lars_update(0, 0.5, 0.8, True))


def lamb():
    return training("lamb", lamb_update(lambda name: 0.01))


def lamb_as_apex():
    return training("{type: lamb, weight_decay: 0.1, adapt_undecayed: false}",
                    lamb_update(lambda name: 0 if plain(name) else 0.1, lambda name: not plain(name)),
                    groups="\n  groups: [{match: [\"*.bias\", norm], weight_decay: 0}]")


def muon():
    return training("{type: muon, adamw_rate: 0.1}", muon_update())


def muon_with_a_last_layer_by_adamw():
    return training("{type: muon, adamw_rate: 0.1, weight_decay: 0.3, mean: false, nesterov: false}",
                    muon_update(0.3, lambda name: not name.startswith("fc2"), False, False),
                    groups="\n  groups: [{match: fc2, orthogonal: false}]")


def images():
    """Kernels of every kind, each wide and tall."""
    torch.manual_seed(4)
    net = torch.nn.Sequential()
    for name, part in (("c1", torch.nn.Conv2d(2, 4, 3, padding=1)), ("t1", torch.nn.Tanh()),
                       ("c2", torch.nn.Conv2d(4, 10, 2, groups=4 // 2, stride=2)), ("t2", torch.nn.Tanh()),
                       ("c3", torch.nn.ConvTranspose2d(10, 2, 2)), ("t3", torch.nn.Tanh()),
                       ("flat", torch.nn.Flatten()), ("fc2", torch.nn.Linear(32, 3))):
        net.add_module(name, part)
    layers = ["{type: conv2d, name: c1, filters: 4, kernel: 3, padding: same}", "tanh",
              "{type: conv2d, name: c2, filters: 10, kernel: 2, groups: 2, stride: 2}", "tanh",
              "{type: conv2d_transpose, name: c3, filters: 2, kernel: 2}", "tanh", "flatten",
              "{type: dense, name: fc2, units: 3}"]
    case = trainings.Whole([6, 6, 2], layers, net)
    case.steps = trainings.STEPS
    return case


def run(kind_of_network):
    trainings.network = kind_of_network
    return trainings.main()


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)  # of the product of momenta that NAdam keeps
    cases = {name: f for name, f in globals().items() if inspect.isfunction(f) and f.__module__ == "__main__"}
    del cases["images"]
    vars(trainings).update(cases)  # what its main goes through
    failed = run(trainings.network)
    for name in set(cases) - {"lars", "lamb", "muon", "muon_with_a_last_layer_by_adamw"}:
        vars(trainings).pop(name)
    sys.exit(failed + run(images) > 0)
