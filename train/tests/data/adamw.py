#!/usr/bin/env python3
"""Makes adamw.json: steps of PyTorch's AdamW that the test of train/src/optimizer.rs compares ours with.

    VENV/bin/python train/tests/data/adamw.py > train/tests/data/adamw.json

Two groups, with and without weight decay, a learning rate that changes, gradients from 1e-9 to 100, and clipping to a norm
that some steps exceed.
"""

import json
import math

import torch

DECAYED, PLAIN, STEPS = 5, 3, 12
BETAS, EPS, DECAY, CLIP = (0.9, 0.95), 1e-8, 0.05, 1.0


def main():
    weights = torch.tensor([math.sin(1.3 * i + 0.4) for i in range(DECAYED + PLAIN)])
    decayed = torch.nn.Parameter(weights[:DECAYED].clone())
    plain = torch.nn.Parameter(weights[DECAYED:].clone())
    groups = [{"params": [decayed], "weight_decay": DECAY}, {"params": [plain], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1.0, betas=BETAS, eps=EPS)
    steps = []
    for step in range(STEPS):
        lr = 0.01 * (1 + step % 4)
        scale = [1e-9, 0.1, 1.0, 100.0][step % 4]
        gradient = torch.tensor([scale * math.cos(0.7 * step + 2.1 * i) for i in range(DECAYED + PLAIN)])
        decayed.grad, plain.grad = gradient[:DECAYED].clone(), gradient[DECAYED:].clone()
        for group in optimizer.param_groups:
            group["lr"] = lr
        norm = torch.nn.utils.clip_grad_norm_([decayed, plain], CLIP)
        optimizer.step()
        state = [optimizer.state[parameter] for parameter in (decayed, plain)]
        steps.append(
            {
                "lr": lr,
                "gradient": gradient.tolist(),
                "norm": norm.item(),
                "weights": torch.cat([decayed, plain]).tolist(),
                "first": torch.cat([s["exp_avg"] for s in state]).tolist(),
                "second": torch.cat([s["exp_avg_sq"] for s in state]).tolist(),
            }
        )
    table = {
        "torch": torch.__version__,
        "beta1": BETAS[0],
        "beta2": BETAS[1],
        "eps": EPS,
        "weight_decay": DECAY,
        "clip_norm": CLIP,
        "decayed": DECAYED,
        "initial": weights.tolist(),
        "steps": steps,
    }
    print(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
