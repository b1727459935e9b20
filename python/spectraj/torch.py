# SPDX-License-Identifier: GPL-3.0-or-later
"""Trainings of PyTorch as runs.

    rec = spectraj.torch.record(model, optimizer, loss_fn)      # before the loop
    ...                                                         # the loop, as it is
    run = rec.save("RUN")                                       # after it

Recorded is what the training saw: the rows of every batch with their targets, rates and momenta by step,
what the optimizer kept of steps before, and the states.  ``save`` writes them with a config, and the
library replays every step and compares: a training that is another one than the config says is refused.
"""
from __future__ import annotations

import hashlib
import json
import os
import types
from typing import Any, Dict, List, Optional, Tuple, Union

import numpy as np

try:
    import torch
    import torch.nn as nn
except ImportError:
    raise ImportError("spectraj.torch needs PyTorch (Debian: python3-torch; pip install torch)") from None

from . import _c
from ._call import Progress
from ._module import Network, Unsupported, channels_last
from .run import Run, save_recorded
from .serve_torch import serve, serve_steps

__all__ = ["Recorder", "Unsupported", "record", "serve", "serve_steps"]

# Options of an optimizer: what PyTorch calls them and what a config does; those that must have one value;
# and those that change no number.
_OPTIMIZERS: Dict[str, Tuple[str, Dict[str, str], Dict[str, Any]]] = {
    "SGD": ("sgd", {"momentum": "momentum", "dampening": "dampening", "nesterov": "nesterov",
                    "weight_decay": "weight_decay"}, {}),
    "Adam": ("adam", {"eps": "eps", "weight_decay": "weight_decay", "amsgrad": "amsgrad"},
             {"decoupled_weight_decay": False}),
    "AdamW": ("adamw", {"eps": "eps", "weight_decay": "weight_decay", "amsgrad": "amsgrad"},
              {"decoupled_weight_decay": True}),
    "RMSprop": ("rmsprop", {"alpha": "alpha", "eps": "eps", "momentum": "momentum", "centered": "centered",
                            "weight_decay": "weight_decay"}, {}),
    "Adagrad": ("adagrad", {"lr_decay": "lr_decay", "eps": "eps", "weight_decay": "weight_decay"},
                {"initial_accumulator_value": 0}),
    "NAdam": ("nadam", {"eps": "eps", "weight_decay": "weight_decay", "momentum_decay": "momentum_decay",
                        "decoupled_weight_decay": "decoupled"}, {}),
}
_NO_NUMBER = {"params", "param_names", "lr", "initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum", "foreach",
              "fused", "capturable", "differentiable", "betas"}


def _options(optimizer: "torch.optim.Optimizer", group: dict) -> dict:
    """What a config says of a group, by step perhaps; else Unsupported."""
    kind = type(optimizer).__name__
    if kind not in _OPTIMIZERS or not type(optimizer).__module__.startswith("torch.optim"):
        raise Unsupported(f"the optimizer {type(optimizer).__module__}.{kind}")
    _, names, fixed = _OPTIMIZERS[kind]
    for key, value in group.items():
        wanted = fixed.get(key, False if key == "maximize" else None)
        if key in names or key in _NO_NUMBER or (wanted is not None and value == wanted):
            continue
        if value in (False, None, 0):
            continue
        raise Unsupported(f"the option {key} = {value!r} of {kind}")
    options = {ours: group[theirs] for theirs, ours in names.items() if theirs in group}
    if "betas" in group:
        options["beta1"], options["beta2"] = group["betas"]
    return {key: value if isinstance(value, bool) else float(value) for key, value in options.items()}


def _loss(loss_fn: nn.Module, ignored: bool) -> Tuple[dict, str]:
    """(what a config says of a loss, what its targets are: labels or values)."""
    kind = type(loss_fn).__name__
    reduction = getattr(loss_fn, "reduction", "mean")
    if reduction not in ("mean", "sum"):
        raise Unsupported(f"nn.{kind} with reduction '{reduction}'")
    weight = getattr(loss_fn, "weight", None)
    more: Dict[str, Any] = {"reduction": reduction}
    if kind in ("CrossEntropyLoss", "NLLLoss"):
        if weight is not None:
            more["class_weights"] = [float(w) for w in weight]
        if ignored:
            more["ignore_index"] = loss_fn.ignore_index
        if kind == "NLLLoss":
            return {"type": "negative_log_likelihood", **more}, "labels"
        return {"type": "softmax_cross_entropy", "label_smoothing": loss_fn.label_smoothing, **more}, "labels"
    if weight is not None or getattr(loss_fn, "pos_weight", None) is not None:
        raise Unsupported(f"nn.{kind} with weights")
    plain = {"MSELoss": {"type": "mean_squared_error"}, "L1Loss": {"type": "l1"},
             "BCEWithLogitsLoss": {"type": "binary_cross_entropy"}}
    if kind == "HuberLoss":
        return {"type": "huber", "delta": loss_fn.delta, **more}, "values"
    if kind == "SmoothL1Loss":
        return {"type": "smooth_l1", "beta": loss_fn.beta, **more}, "values"
    if kind not in plain:
        raise Unsupported(f"the loss nn.{kind}")
    return {**plain[kind], **more}, "values"


class Recorder:
    """See ``record``."""

    def __init__(self, model: nn.Module, optimizer: "torch.optim.Optimizer", loss_fn: nn.Module, every: int = 1,
                 clip_norm: Optional[float] = None, clip_value: Optional[float] = None):
        if not isinstance(loss_fn, nn.Module):
            raise TypeError("loss_fn is a function, whose targets cannot be seen: take the module, as "
                            "nn.CrossEntropyLoss() for F.cross_entropy")
        if every < 1:
            raise ValueError(f"every is {every}: at least 1")
        self.model, self.optimizer, self.loss_fn, self.every = model, optimizer, loss_fn, every
        self._clip = {"clip_norm": clip_norm, "clip_value": clip_value}
        self._loss = None
        for group in optimizer.param_groups:
            _options(optimizer, group)
        _loss(loss_fn, False)
        self._rows: Dict[bytes, int] = {}
        self._x: List[np.ndarray] = []
        self._y: List[np.ndarray] = []
        self._batches: List[List[int]] = []
        self._groups: List[List[dict]] = []
        self._rates: List[List[float]] = []
        self._states: List[Dict[str, np.ndarray]] = []
        self._frozen = {name: self._copy(value) for name, value in self._all().items() if not self._is_trained(value)}
        self._slots = self._optimizer_state()
        self._modes: Optional[dict] = None
        self._seen: Optional[Tuple[torch.Tensor, torch.Tensor]] = None  # input and output of the last forward
        self._batch: Optional[Tuple[np.ndarray, np.ndarray]] = None
        self._example: Optional[torch.Tensor] = None
        self._form: Optional[str] = None
        self._hooks = [model.register_forward_hook(self._forward), loss_fn.register_forward_hook(self._compare)]
        self._watch_step()

    # ---- what is looked at ----

    @staticmethod
    def _copy(tensor: torch.Tensor) -> np.ndarray:
        return tensor.detach().cpu().numpy().copy()

    def _all(self) -> Dict[str, torch.Tensor]:
        """Parameters and buffers by all of their names."""
        return {name: value for name, value in self.model.state_dict(keep_vars=True).items()
                if isinstance(value, torch.Tensor) and value.is_floating_point()}

    def _is_trained(self, tensor: torch.Tensor) -> bool:
        return any(tensor is p for group in self.optimizer.param_groups for p in group["params"]) \
            and tensor.requires_grad

    def _optimizer_state(self) -> Tuple[Dict[str, np.ndarray], int]:
        """What the optimizer kept of steps before: {TENSOR.SLOT: array}, and how many they were."""
        slots, steps = {}, set()
        for name, p in self.model.named_parameters():
            for key, value in self.optimizer.state.get(p, {}).items():
                if key == "step":
                    steps.add(int(value))
                elif torch.is_tensor(value) and value.shape == p.shape:
                    slots[f"{name}.{key}"] = self._copy(value)
        if len(steps) > 1:
            raise Unsupported(f"an optimizer whose tensors have made {sorted(steps)} steps")
        made = steps.pop() if steps else int(bool(slots))
        plain = type(self.optimizer).__name__ == "Adagrad" and made == 0  # it makes its sums at once
        return ({}, 0) if plain else (slots, made)

    def _watch_step(self) -> None:
        inner = self.optimizer.step
        recorder = self

        def step(optimizer: Any, closure: Any = None, *arguments: Any, **named: Any) -> Any:
            if closure is not None:
                raise Unsupported("optimizer.step(closure)")
            recorder._before_step()
            return inner(*arguments, **named)

        for mark in ("_with_counter", "_wrapped_by_lr_sched"):  # a scheduler counts its calls
            if hasattr(inner, mark):
                setattr(step, mark, True)
        self._inner_step = inner
        self.optimizer.step = types.MethodType(step, self.optimizer)  # type: ignore[method-assign]

    def close(self) -> None:
        """Look no longer: what was recorded stays."""
        for hook in self._hooks:
            hook.remove()
        if self._hooks:
            self.optimizer.step = self._inner_step  # type: ignore[method-assign]
        self._hooks = []

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _forward(self, module: nn.Module, given: tuple, output: Any) -> None:
        if not torch.is_grad_enabled():
            return  # an evaluation
        if len(given) != 1 or not isinstance(given[0], torch.Tensor) or not isinstance(output, torch.Tensor):
            raise Unsupported("a model that takes or returns something else than one tensor")
        if given[0].requires_grad:
            raise Unsupported("an input that is itself differentiated")
        modes = {name: m.training for name, m in module.named_modules()}
        if self._modes not in (None, modes):
            raise Unsupported("a module that is in train() in some steps and in eval() in others")
        self._modes = modes
        if self._example is None:
            self._example = given[0].detach().cpu().clone()
        self._seen = (given[0].detach(), output)

    def _compare(self, module: nn.Module, given: tuple, _: Any) -> None:
        if not torch.is_grad_enabled():
            return
        if self._seen is None or len(given) != 2:
            raise Unsupported("a loss that is not loss_fn(model(x), y)")
        if self._batch is not None:
            raise Unsupported("more than one loss between two steps (gradients that are accumulated: one batch of all "
                              "their rows is the same training)")
        x, output = self._seen
        self._batch = (self._copy(x), self._targets(output, *given))
        self._seen = None

    def _targets(self, output: torch.Tensor, compared: torch.Tensor, y: torch.Tensor) -> np.ndarray:
        """The targets as rows [batch, ...] in the order of the output's numbers."""
        same = compared.data_ptr() == output.data_ptr() and compared.numel() == output.numel()
        if not same:
            raise Unsupported("a loss of something else than the model's output")
        rows = len(output)
        form = "same" if compared.shape == output.shape else "flat" if compared.is_contiguous() else "turned"
        labels = not y.is_floating_point()
        if not labels and compared.shape != y.shape:
            raise Unsupported(f"a loss of outputs {list(compared.shape)} and targets {list(y.shape)}")
        if form == "turned" and not (labels and compared.dim() == 3 and
                                     compared.shape == output.transpose(1, 2).shape):
            raise Unsupported(f"a loss of outputs {list(output.shape)} as {list(compared.shape)}")
        flat_classes = compared.dim() == 2 and compared.shape[-1] == output.shape[-1]
        if form == "flat" and labels and not flat_classes:
            raise Unsupported(f"a loss of outputs {list(output.shape)} as {list(compared.shape)}")
        if form == "flat" and not labels and not flat_classes and compared.numel() != compared.shape[0]:
            raise Unsupported(f"a loss of outputs {list(output.shape)} as {list(compared.shape)}")
        if self._form not in (None, form):
            raise Unsupported("a loss of outputs in several shapes")
        self._form = form
        y = self._copy(y)
        if labels:
            return y.reshape(rows, -1)
        return y.reshape(tuple(output.shape))

    def _before_step(self) -> None:
        if self._batch is None:
            raise Unsupported("a step without a loss_fn(model(x), y) before it")
        x, y = self._batch
        self._batch = None
        rows = []
        for i in range(len(x)):
            key = hashlib.blake2b(x[i].tobytes() + b"|" + y[i].tobytes(), digest_size=16).digest()
            if key not in self._rows:
                self._rows[key] = len(self._x)
                self._x.append(x[i])
                self._y.append(y[i])
            rows.append(self._rows[key])
        if len(self._batches) % self.every == 0:
            self._states.append(self._state())
        self._batches.append(rows)
        self._groups.append([_options(self.optimizer, group) for group in self.optimizer.param_groups])
        self._rates.append([float(group["lr"]) for group in self.optimizer.param_groups])

    def _state(self) -> Dict[str, np.ndarray]:
        return {name: self._copy(value) for name, value in self._all().items() if self._is_trained(value)}

    # ---- the run ----

    def save(self, path: "Union[str, os.PathLike]", *, force: bool = False, accept_deviation: bool = False,
             progress: Optional[Progress] = None) -> Run:
        """Write the training as the run ``path``, replayed and compared.

        The recording ends with it.  What was recorded is in path/recorded: the config, the rows, the batches,
        the states.

        Args:
            force: replace a run that is there.
            accept_deviation: take the states however far from them the replay lands; every result says so.

        Raises:
            Unsupported: something of the model or the loss has no layer here; it is named.
            Error: the replay lands elsewhere, or the folder cannot be written.
        """
        if not self._batches:
            raise _c.Error("no step was recorded: record comes before the loop, save after it")
        if not force and os.path.exists(path) and (not os.path.isdir(path) or os.listdir(path)):
            raise _c.Error(f"{os.fspath(path)} is there and not empty; name another, or force=True", "STJ_EEXIST")
        self.close()
        self._states.append(self._state())
        files = self._files()
        try:
            return save_recorded(path, files, "PyTorch", force, accept_deviation, progress)
        except _c.Error as why:
            raise self._explained(why) from None

    def _explained(self, why: _c.Error) -> _c.Error:
        """The error of a replay that lands elsewhere, with what Python alone can say of it."""
        if "replay" not in str(why) or "lands" not in str(why):
            return why
        single = self._states[0] and next(iter(self._states[0].values())).dtype != np.float64
        hint = "; what the loop does beside loss_fn(model(x), y).backward() and optimizer.step() is not seen (clipping: " \
            "clip_norm=)"
        if single:
            hint += "; gradients that are all rounding, which Adam divides by themselves, are other ones in double " \
                "precision: a training in torch.float64 tells"
        return _c.Error(f"{why}{hint}", why.status)

    def _network(self) -> Network:
        assert self._example is not None and self._modes is not None
        now = {name: m.training for name, m in self.model.named_modules()}
        try:
            for name, m in self.model.named_modules():
                m.training = self._modes[name]
            return Network(self.model, self._example.to(next(self.model.parameters()).dtype)
                           if self._example.is_floating_point() else self._example)
        finally:
            for name, m in self.model.named_modules():
                m.training = now[name]

    def _files(self) -> Dict[str, Any]:
        """What is written: arrays by the names of their files, and the config."""
        network = self._network()
        files: Dict[str, Any] = {"x.npy": channels_last(np.stack(self._x), network.input_form)}
        data, loss = self._data(network, files)
        width = max(len(rows) for rows in self._batches)
        files["batches.npy"] = np.array([rows + [-1] * (width - len(rows)) for rows in self._batches])
        training = self._training(network, files, width)
        files["states.npz"] = self._series(network)
        init: Dict[str, Any] = {"layout": "pytorch", "names": network.names}
        slots, made = self._slots
        if slots:
            files["slots.npz"] = slots
            init.update(slots="slots.npz", step=made)
        config: Dict[str, Any] = {"data": {"train": data},
                                  "network": {"input": [int(n) for n in network.input_shape], "layers": network.layers,
                                              "loss": loss},
                                  "init": init, "training": training, "trajectory": {"states": "states.npz"}}
        if self.every > 1:
            config["trajectory"]["every"] = self.every
        trained = self._trained(network)
        if len(trained) < len(network.tensor_of):
            config["network"]["trainable"] = trained
        files["config.json"] = config
        return files

    def _trained(self, network: Network) -> List[str]:
        values = self._all()
        trained = [ours for theirs, ours in network.tensor_of.items() if self._is_trained(values[theirs])]
        owned = {id(values[name]) for name in network.tensor_of}
        for name, value in values.items():
            if self._is_trained(value) and id(value) not in owned:
                raise Unsupported(f"the parameter {name}, which is trained and which no layer was seen to use,")
        if not trained:
            raise Unsupported("a model of which nothing is trained")
        return trained

    def _series(self, network: Network) -> Dict[str, np.ndarray]:
        n = len(self._states)
        return {name: np.stack([s[name] for s in self._states]) if name in self._states[0] else
                np.broadcast_to(self._frozen[name], (n, *self._frozen[name].shape)) for name in network.tensor_of}

    def _data(self, network: Network, files: Dict[str, Any]) -> Tuple[dict, dict]:
        y = np.stack(self._y)
        labels = y.dtype.kind in "iu"
        ignored = labels and bool((y < 0).any())
        loss, wanted = _loss(self.loss_fn, ignored)
        data = {"file": "x.npy", "layout": {"img": "NHWC"}.get(network.input_form)}
        data = {key: value for key, value in data.items() if value}
        form, self_form = network.output.form, self._form
        if wanted == "labels" and labels:
            good = {"vec": self_form == "same", "seq": self_form in ("flat", "turned"), "nhwc": self_form == "flat",
                    "ncl": self_form == "same", "img": self_form == "same"}.get(form, False)
            if not good:
                raise Unsupported(f"a loss whose classes are not the channels of the output ({form}, {self_form})")
            files["labels.npy"] = y if y.shape[1] > 1 else y[:, 0]
            data["label_file"] = "labels.npy"
            return data, loss
        if wanted == "values" and labels:
            raise Unsupported(f"nn.{type(self.loss_fn).__name__} of whole numbers")
        if wanted == "labels" and self_form != "same":
            raise Unsupported("probabilities of classes of an output in another shape")
        if wanted == "labels" and form in ("seq", "nhwc"):
            raise Unsupported(f"a loss whose classes are not the channels of the output ({form})")
        y = channels_last(y, form)
        files["targets.npy"] = y.reshape(len(y), -1)
        data["targets"] = "targets.npy"
        return data, loss

    # ---- optimizer, rates and groups ----

    def _by_step(self, values: List[Any], name: str, files: Dict[str, Any], may: bool = True) -> Any:
        """One value, or a file of one for each step."""
        if all(value == values[0] for value in values):
            return values[0]
        if not may:
            raise Unsupported(f"the option {name} of an optimizer that changes from step to step")
        files[f"{name}.npy"] = np.array(values)
        return {"schedule": "file", "file": f"{name}.npy"}

    def _group(self, k: int, files: Dict[str, Any]) -> Tuple[dict, Any]:
        """(the options of group k, its rate)."""
        suffix = f"-{k}" if k else ""
        options = {key: self._by_step([groups[k][key] for groups in self._groups], f"{key}{suffix}", files,
                                      key in ("momentum", "beta1", "weight_decay")) for key in self._groups[0][k]}
        rate = self._by_step([rates[k] for rates in self._rates], f"rate{suffix}", files)
        return options, rate if isinstance(rate, dict) else {"schedule": "constant", "peak": rate}

    def _training(self, network: Network, files: Dict[str, Any], width: int) -> dict:
        kind = _OPTIMIZERS[type(self.optimizer).__name__][0]
        if any(len(groups) != len(self._groups[0]) for groups in self._groups):
            raise Unsupported("an optimizer that got a group of parameters in the middle of the training")
        options, rate = self._group(0, files)
        training: Dict[str, Any] = {"optimizer": {"type": kind, **options}, "learning_rate": rate,
                                    "batch_size": width, "steps": len(self._batches), "batches": "batches.npy"}
        training.update({key: value for key, value in self._clip.items() if value is not None})
        if self._clip["clip_norm"] is not None:
            training["clip_eps"] = 1e-6  # torch.nn.utils.clip_grad_norm_'s
        values = self._all()
        for k, group in enumerate(self.optimizer.param_groups[1:], 1):
            ids = {id(p) for p in group["params"]}
            match = [ours for theirs, ours in network.tensor_of.items()
                     if id(values[theirs]) in ids and self._is_trained(values[theirs])]
            own, rate = self._group(k, files)
            if match:
                training.setdefault("groups", []).append({"match": match, "learning_rate": rate, **own})
        return training


def record(model: nn.Module, optimizer: "torch.optim.Optimizer", loss_fn: nn.Module, every: int = 1,
           clip_norm: Optional[float] = None, clip_value: Optional[float] = None) -> Recorder:
    """Record a training: before the loop.  ``save`` of what is returned, after the loop, makes the run.

    The loop stays as it is: loss_fn(model(x), y).backward() and optimizer.step() once for each batch;
    evaluations are under torch.no_grad().  What cannot be recorded (a second loss between two steps,
    dropout, an optimizer that is not there) is named by an error when it is seen.

    Args:
        model: a module that torch.fx can trace, of layers that docs/from-pytorch.md lists.
        optimizer: SGD, Adam, AdamW, RMSprop, Adagrad or NAdam of torch.optim, with groups and schedulers.
        loss_fn: a loss module, nn.CrossEntropyLoss() for instance.
        every: keep every so many states; replay makes the others.
        clip_norm, clip_value: what the loop gives torch.nn.utils.clip_grad_norm_ or clip_grad_value_.
    """
    return Recorder(model, optimizer, loss_fn, every, clip_norm, clip_value)
