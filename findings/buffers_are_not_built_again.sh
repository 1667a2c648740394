#!/usr/bin/env bash
# transformers 5.24.0, torch 2.13.0 on a CPU.
# A model of one's own on a library class has a buffer with persistent=False, filled in __init__ (class weights, a
# table of positions: what torch offers for constants that checkpoints need not hold). Expected after
# save_pretrained and from_pretrained: the values of __init__, as load_state_dict into a new model leaves them.
# What happens: the buffer is whatever lies in memory. No warning; the logits are those of another model.
# Seen: built 1000 of 1000 right; after from_pretrained all right: False
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet transformers==5.24.0 torch==2.13.0
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import torch
from transformers import BertConfig, BertModel

EXPECTED = torch.arange(1000) + 0.5


class Weighted(BertModel):
    def __init__(self, config):
        super().__init__(config)
        self.register_buffer("class_weights", torch.arange(1000) + 0.5, persistent=False)
        self.post_init()


sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 48}
model = Weighted(BertConfig(vocab_size=40, **sizes))
model.save_pretrained(sys.argv[1] + "/model")
right = int((model.class_weights == EXPECTED).sum())
loaded = Weighted.from_pretrained(sys.argv[1] + "/model")
same = torch.equal(loaded.class_weights, EXPECTED)
print(f"built {right} of 1000 right; after from_pretrained all right: {same}")
sys.exit(0 if right == 1000 and not same else "the behaviour has changed")
PYTHON
