# SPDX-License-Identifier: GPL-3.0-or-later
"""A training of PyTorch, recorded: two lines more, marked by an arrow.

    python3 mlp.py [RUN]
    spectraj svd RUN --top 10
"""
import sys

import torch
import torch.nn as nn

import spectraj.torch

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
inputs = torch.randn(200, 8)
labels = (inputs[:, 0] * inputs[:, 1] > 0).long() + (inputs[:, 2] > 1).long()
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
loss_fn = nn.CrossEntropyLoss()

rec = spectraj.torch.record(model, optimizer, loss_fn)  # <-
for epoch in range(5):
    for rows in torch.randperm(len(inputs)).split(32):
        optimizer.zero_grad()
        loss_fn(model(inputs[rows]), labels[rows]).backward()
        optimizer.step()
run = rec.save(sys.argv[1] if len(sys.argv) > 1 else "mlp-run")  # <-

print(f"{run.n_params} parameters, {run.n_steps} steps; the replay is off by {run.info['imported']['deviation']:.1e}")
print(run.svd(top=5, compute=True).sigma)
