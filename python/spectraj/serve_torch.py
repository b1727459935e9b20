# SPDX-License-Identifier: GPL-3.0-or-later
"""The other end of a run's `problem` in PyTorch: gradients by autograd, products by double backward.

    # my_problem.py, which a config names: problem: {command: [python3, my_problem.py]}
    import spectraj.torch
    spectraj.torch.serve(loss_fn, model, steps=batches, sets={"train": train_data, "test": test_data})

loss_fn(model, batch) is the scalar loss of a batch.  What goes over the pipe is docs/problem-protocol.md.
"""
import hashlib
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Union

import numpy as np
import torch

from ._frames import answer, rows as _rows

__all__ = ["Problem", "Steps", "serve", "serve_steps"]

class Problem:
    """A model's parameters as one vector, with the gradient of each step and products of its Hessian."""

    def __init__(self, loss_fn: Callable[[torch.nn.Module, Any], torch.Tensor], model: torch.nn.Module,
                 steps: Union[Sequence[Any], Callable[[int], Any]], sets: Mapping[str, Any],
                 initial: Optional[Callable[[int], None]] = None, held: int = 64, fingerprint: int = 0,
                 samples: Optional[Callable[[Any, Any, int], tuple]] = None) -> None:
        if "train" not in sets:
            raise ValueError("sets needs a data set 'train', of which the loss is wanted at the end")
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.modules.dropout._DropoutNd) and module.p > 0 and module.training:
                raise ValueError(f"{name or 'the model'} drops what it draws anew at every call: model.eval(), or p=0")
        for name, p in model.named_parameters():
            if p.requires_grad and p.dtype != torch.float64:
                raise ValueError(f"{name} is {p.dtype}: parameters are float64 here: model.double(), and its data too")
        self.loss_fn, self.model, self.sets, self.held = loss_fn, model, dict(sets), held
        self.step = steps if callable(steps) else steps.__getitem__
        self.n_steps = 0 if callable(steps) else len(steps)  # type: ignore[arg-type]
        self.named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        self.parameters = [p for _, p in self.named]
        self.n = sum(p.numel() for p in self.parameters)
        self.begin, self.given, self.samples = self._flat(self.parameters), initial, samples
        self.fingerprint = fingerprint or self._fingerprint(steps)

    def _fingerprint(self, steps: Any) -> int:
        """Of all tensors that are known: data, and what the model has beside its parameters."""
        digest = hashlib.sha256(repr([(name, tuple(p.shape)) for name, p in self.named]).encode())

        def add(thing: Any) -> None:
            if isinstance(thing, torch.Tensor):
                digest.update(str((thing.dtype, tuple(thing.shape))).encode())
                digest.update(thing.detach().cpu().contiguous().numpy().tobytes())
            elif isinstance(thing, (list, tuple)):
                for one in thing:
                    add(one)
            elif isinstance(thing, dict):
                for key in thing:
                    digest.update(str(key).encode())
                    add(thing[key])
            elif not callable(thing):
                digest.update(repr(thing).encode())

        trained = {name for name, _ in self.named}
        add([self.sets, steps, [v for k, v in self.model.state_dict().items() if k not in trained]])
        return int.from_bytes(digest.digest()[:8], "little")

    @staticmethod
    def _flat(tensors: Sequence[torch.Tensor]) -> np.ndarray:
        return torch.cat([t.detach().reshape(-1).double().cpu() for t in tensors]).numpy()

    def _set(self, theta: np.ndarray) -> None:
        at = 0
        with torch.no_grad():
            for p in self.parameters:
                part = torch.from_numpy(np.array(theta[at:at + p.numel()]))
                p.copy_(part.reshape(p.shape))
                at += p.numel()

    def initial(self, seed: int) -> np.ndarray:
        """theta_0: what the model had when it came, or, with `initial`, what that makes of a seed."""
        if self.given is None:
            return self.begin
        torch.manual_seed(seed)
        self.given(seed)
        return self._flat(self.parameters)

    def gradient(self, step: int, theta: np.ndarray) -> tuple:
        self._set(theta)
        loss = self.loss_fn(self.model, self.step(step))
        return float(loss.detach()), self._zeros(torch.autograd.grad(loss, self.parameters, allow_unused=True))

    def _zeros(self, tensors: Sequence[Optional[torch.Tensor]]) -> np.ndarray:
        return self._flat([torch.zeros_like(p) if t is None else t for t, p in zip(tensors, self.parameters)])

    def linearize(self, step: int, theta: np.ndarray) -> Any:
        """The graph of the gradient at parameters of its own, which later steps do not write over."""
        kept, at = [], 0
        for p in self.parameters:
            part = torch.from_numpy(np.array(theta[at:at + p.numel()])).reshape(p.shape)
            kept.append(part.to(p).requires_grad_())
            at += p.numel()
        with _Swapped(self.model, dict(zip([name for name, _ in self.named], kept))):
            loss = self.loss_fn(self.model, self.step(step))
            grads = torch.autograd.grad(loss, kept, create_graph=True, allow_unused=True)
            shares = self._shares(step, kept, loss) if self.samples else None
        return kept, [g for g in grads if g is not None and g.requires_grad], [
            g is not None and g.requires_grad for g in grads], shares

    def _shares(self, step: int, kept: Sequence[torch.Tensor], loss: torch.Tensor) -> tuple:
        """Rows of the step's samples, their losses, and d loss / d theta as a linear function of their weights."""
        rows, terms = self.samples(self.model, self.step(step), step)  # type: ignore[misc]
        if not torch.allclose(terms.sum(), loss, rtol=1e-9, atol=1e-12):
            raise ValueError(f"samples: the losses of step {step} add up to {terms.sum():g}, its loss is {loss:g}")
        weights = torch.ones_like(terms, requires_grad=True)
        back = torch.autograd.grad((weights * terms).sum(), kept, create_graph=True, allow_unused=True)
        return torch.as_tensor(rows, dtype=torch.long), weights, back

    def weigh(self, linear: Any, dots: np.ndarray) -> np.ndarray:
        """sum_i dot_i grad l_i for each row of `dots`."""
        kept, (rows, weights, back) = linear[0], linear[3]
        used = [b for b in back if b is not None]
        duals = [torch.zeros_like(b, requires_grad=True) for b in used]
        forward, = torch.autograd.grad(used, weights, duals, create_graph=True)
        out = np.zeros((len(dots), self.n))
        for k, dot in enumerate(dots):
            found = iter(torch.autograd.grad(forward, duals, torch.from_numpy(np.array(dot))[rows].to(forward),
                                             retain_graph=True))
            out[k] = self._zeros([None if b is None else next(found) for b in back])
        return out

    def unweigh(self, linear: Any, y: np.ndarray) -> np.ndarray:
        """y . grad l_i for each sample of the training set and row of `y`."""
        kept, (rows, weights, back) = linear[0], linear[3]
        out = np.zeros((len(y), _rows(self.sets["train"])))
        for k, row in enumerate(y):
            v, at = [], 0
            for p, b in zip(kept, back):
                if b is not None:
                    v.append(torch.from_numpy(np.array(row[at:at + p.numel()])).reshape(p.shape).to(p))
                at += p.numel()
            found, = torch.autograd.grad([b for b in back if b is not None], weights, v, retain_graph=True)
            np.add.at(out[k], rows.numpy(), found.detach().double().cpu().numpy())
        return out

    def slope(self, name: str, theta: np.ndarray) -> tuple:
        self._set(theta)
        loss = self.loss_fn(self.model, self.sets[name])
        return float(loss.detach()), self._zeros(torch.autograd.grad(loss, self.parameters, allow_unused=True))

    def product(self, linear: Any, x: np.ndarray) -> np.ndarray:
        kept, grads, used = linear[:3]
        y = np.zeros_like(x)
        for k in range(len(x)):
            v, at = [], 0
            for p, use in zip(kept, used):
                if use:
                    v.append(torch.from_numpy(np.array(x[k, at:at + p.numel()])).reshape(p.shape).to(p))
                at += p.numel()
            if grads:
                y[k] = self._zeros(torch.autograd.grad(grads, kept, v, retain_graph=True, allow_unused=True))
        return y

    def loss(self, name: str, theta: np.ndarray) -> float:
        self._set(theta)
        return float(self.loss_fn(self.model, self.sets[name]).detach())  # which may differentiate inside


class Steps:
    """A training whose step is any differentiable function of its whole state, slots of an optimizer included."""

    def __init__(self, step: Callable[[int, Dict[str, torch.Tensor]], tuple], state: Mapping[str, torch.Tensor],
                 losses: Mapping[str, Callable[[Dict[str, torch.Tensor]], torch.Tensor]], n_steps: int = 0,
                 initial: Optional[Callable[[int], Mapping[str, torch.Tensor]]] = None, held: int = 64,
                 fingerprint: int = 0) -> None:
        if "train" not in losses:
            raise ValueError("losses needs 'train', a function of the state")
        for name, value in state.items():
            if value.dtype != torch.float64:
                raise ValueError(f"{name} is {value.dtype}: a state is float64 here: value.double()")
        self.function, self.losses, self.given, self.held, self.n_steps = step, dict(losses), initial, held, n_steps
        self.sets = {name: 0 for name in self.losses}
        self.named = [(name, value.detach().clone()) for name, value in state.items()]
        self.n = sum(value.numel() for _, value in self.named)
        digest = hashlib.sha256(repr([(name, tuple(value.shape)) for name, value in self.named]).encode())
        self.fingerprint = fingerprint or int.from_bytes(digest.digest()[:8], "little")

    def _flat(self, state: Mapping[str, torch.Tensor]) -> np.ndarray:
        for name, value in self.named:
            if name not in state or state[name].shape != value.shape:
                raise ValueError(f"the step gave no {name} of shape {tuple(value.shape)}")
        return torch.cat([state[name].detach().reshape(-1).double().cpu() for name, _ in self.named]).numpy()

    def _parts(self, vector: np.ndarray, grad: bool = False) -> Dict[str, torch.Tensor]:
        parts, at = {}, 0
        for name, value in self.named:
            part = torch.from_numpy(np.array(vector[at:at + value.numel()])).reshape(value.shape).to(value)
            parts[name] = part.requires_grad_() if grad else part
            at += value.numel()
        return parts

    def initial(self, seed: int) -> np.ndarray:
        if self.given is None:
            return self._flat(dict(self.named))
        torch.manual_seed(seed)
        return self._flat(self.given(seed))

    def gradient(self, step: int, theta: np.ndarray) -> tuple:
        """The loss and the next state, which stands for a gradient."""
        loss, state = self.function(step, self._parts(theta, grad=True))  # it may differentiate inside
        return float(loss.detach()), self._flat(state)

    def linearize(self, step: int, theta: np.ndarray) -> Any:
        begin = self._parts(theta, grad=True)
        state = self.function(step, begin)[1]
        inputs = list(begin.values())
        ends = [state[name] for name, _ in self.named if state[name].requires_grad]
        duals = [torch.zeros_like(end, requires_grad=True) for end in ends]
        back = torch.autograd.grad(ends, inputs, duals, create_graph=True, allow_unused=True)
        return inputs, ends, duals, back, [state[name].requires_grad for name, _ in self.named]

    def _columns(self, x: np.ndarray, one: Callable[[Dict[str, torch.Tensor]], Dict[str, torch.Tensor]]) -> np.ndarray:
        return np.stack([self._flat(one(self._parts(row))) for row in x])

    def _fill(self, names: Sequence[str], parts: Sequence[Optional[torch.Tensor]]) -> Dict[str, torch.Tensor]:
        full = {name: torch.zeros_like(value) for name, value in self.named}
        full.update({name: part for name, part in zip(names, parts) if part is not None})
        return full

    def tangent(self, linear: Any, x: np.ndarray) -> np.ndarray:
        """J x: the adjoint is linear in its duals, and this is the adjoint of that."""
        inputs, _, duals, back, moves = linear
        names = [name for name, _ in self.named]
        used = [(b, name) for b, name in zip(back, names) if b is not None and b.requires_grad]

        def one(v: Dict[str, torch.Tensor]) -> Dict[str, torch.Tensor]:
            found = torch.autograd.grad([b for b, _ in used], duals, [v[name] for _, name in used], retain_graph=True,
                                        allow_unused=True) if used and duals else []
            return self._fill([name for name, moved in zip(names, moves) if moved], found)

        return self._columns(x, one)

    def adjoint(self, linear: Any, y: np.ndarray) -> np.ndarray:
        """J' y."""
        inputs, ends, _, _, moves = linear
        names = [name for name, _ in self.named]

        def one(v: Dict[str, torch.Tensor]) -> Dict[str, torch.Tensor]:
            seeds = [v[name] for name, moved in zip(names, moves) if moved]
            found = torch.autograd.grad(ends, inputs, seeds, retain_graph=True, allow_unused=True) if ends else []
            return self._fill(names, found)

        return self._columns(y, one)

    def loss(self, name: str, theta: np.ndarray) -> float:
        return float(self.losses[name](self._parts(theta, grad=True)).detach())


class _Swapped:
    """The model with other tensors in the place of its parameters, as long as the block lasts."""

    def __init__(self, model: torch.nn.Module, tensors: Dict[str, torch.Tensor]) -> None:
        self.places, seen = [], {id(p): name for name, p in model.named_parameters()}
        for module in model.modules():
            for key, p in list(module._parameters.items()):
                if p is not None and seen.get(id(p)) in tensors:  # a tensor that is shared, in each place
                    self.places.append((module, key, p, tensors[seen[id(p)]]))

    def __enter__(self) -> None:
        for module, key, _, tensor in self.places:
            module._parameters[key] = tensor  # its place in their order stays
            self._refresh(module)

    def __exit__(self, *_: Any) -> None:
        for module, key, p, _ in self.places:
            module._parameters[key] = p
            self._refresh(module)

    @staticmethod
    def _refresh(module: Any) -> None:
        """Recurrent layers keep a list of their weights."""
        if isinstance(module, torch.nn.RNNBase):
            module._flat_weights = [getattr(module, name, None) for name in module._flat_weights_names]


def serve(loss_fn: Callable[[torch.nn.Module, Any], torch.Tensor], model: torch.nn.Module,
          steps: Union[Sequence[Any], Callable[[int], Any]], sets: Mapping[str, Any],
          initial: Optional[Callable[[int], None]] = None, held: int = 64, fingerprint: int = 0,
          samples: Optional[Callable[[torch.nn.Module, Any, int], tuple]] = None) -> None:
    """Answer the requests of spectraj until there are no more.

    steps: the batch of each step, or a function of the step (then any number of them, and `fingerprint` should
    change when its batches do).  sets: the data of which a mean loss is wanted, "train" among them.  initial(seed)
    draws the model's parameters anew; without it they are those that the model has.  held: graphs kept at once.
    The model must be in float64 for digits of float64, and its loss a function of the parameters alone.
    samples(model, batch, step), for `spectraj influence`, gives the rows of the set "train" that the batch is of, and
    what each adds to the loss: a tensor whose sum is the loss of the step.
    """
    answer(Problem(loss_fn, model, steps, sets, initial, held, fingerprint, samples))


def serve_steps(step: Callable[[int, Dict[str, torch.Tensor]], tuple], state: Mapping[str, torch.Tensor],
                losses: Mapping[str, Callable[[Dict[str, torch.Tensor]], torch.Tensor]], n_steps: int = 0,
                initial: Optional[Callable[[int], Mapping[str, torch.Tensor]]] = None, held: int = 64,
                fingerprint: int = 0) -> None:
    """The same for a step of one's own: step(t, state) gives (loss, next state), and J is that of any such function.

    state: names and tensors, in float64, at the beginning: the parameters, and what else a step hands on, as momenta.
    The config says optimizer: own_step, without a learning rate.  A step is a function of its arguments alone, and is
    differentiated by autograd: torch.autograd.grad(..., create_graph=True) inside.  losses: functions of the state,
    "train" among them.  fingerprint should change when the step does, or its data.
    """
    answer(Steps(step, state, losses, n_steps, initial, held, fingerprint))
