# SPDX-License-Identifier: GPL-3.0-or-later
"""A convolutional network of PyTorch, trained by Adam with a schedule, recorded: two lines more, marked by an arrow.

    python3 cnn.py [RUN]
    spectraj svd RUN --top 10
"""
import sys

import torch
import torch.nn as nn

import spectraj.torch

torch.manual_seed(0)
images = torch.randn(120, 1, 8, 8)
labels = (images[:, 0, :4].mean((1, 2)) > images[:, 0, 4:].mean((1, 2))).long()
model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
                      nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
loss_fn = nn.CrossEntropyLoss()

rec = spectraj.torch.record(model, optimizer, loss_fn)  # <-
for epoch in range(5):
    for rows in torch.randperm(len(images)).split(30):
        optimizer.zero_grad()
        loss_fn(model(images[rows]), labels[rows]).backward()
        optimizer.step()
        scheduler.step()
run = rec.save(sys.argv[1] if len(sys.argv) > 1 else "cnn-run")  # <-

pairs = run.svd(top=5, compute=True)
print(f"{run.n_params} parameters, {run.n_steps} steps; the replay is off by {run.info['imported']['deviation']:.1e}")
for name, share in pairs.shares(pairs.v).items():
    print(f"{name:16} {share.mean():6.1%} of the five most stretched directions")
