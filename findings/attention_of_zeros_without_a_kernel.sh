#!/usr/bin/env bash
# transformers 5.24.0, torch 2.13.0 on a CPU.
# MRA's attention is a CUDA kernel. Expected without one: an error. What happens: attention returns zeros, so that no
# token sees another; the model runs, trains and predicts without a warning, and its queries and keys get no gradient.
# Seen: another last token changes the first token's state by 0.0; parameters of attention without gradient: 8
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet transformers==5.24.0 torch==2.13.0
CUDA_VISIBLE_DEVICES= "$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch
from transformers import MraConfig, MraModel

torch.manual_seed(0)
sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
model = MraModel(MraConfig(vocab_size=40, max_position_embeddings=80, **sizes)).eval()
one, other = torch.tensor([[5, 6, 7, 8]]), torch.tensor([[5, 6, 7, 9]])
states = [model(tokens, attention_mask=torch.ones_like(tokens)).last_hidden_state for tokens in (one, other)]
difference = (states[0][0, 0] - states[1][0, 0]).abs().max().item()
states[0].square().sum().backward()
names = ("query.weight", "query.bias", "key.weight", "key.bias")
without = [n for n, p in model.named_parameters() if n.endswith(names) and p.grad is None]
print(f"another last token changes the first token's state by {difference}; parameters of attention without gradient: {len(without)}")
sys.exit(0 if difference == 0 and len(without) == 8 else "the behaviour has changed")
PYTHON
