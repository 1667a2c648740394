#!/usr/bin/env bash
# accelerate 1.15.0, torch 2.13.0 on a CPU.
# `accelerate launch --cpu --num_processes 2`. Expected: two processes, or an error. What happens: one process is
# started without a word, and trains on everything with half of the batch that was meant. torchrun with
# ACCELERATE_USE_CPU=true starts two.
# Seen: accelerate launch --cpu --num_processes 2: 1 of 1
#       torchrun --nproc_per_node 2: 1 of 2 2 of 2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet accelerate==1.15.0 torch==2.13.0
cat > "$folder/say.py" <<'PYTHON'
from accelerate import Accelerator

accelerator = Accelerator()
print(f"{accelerator.process_index + 1} of {accelerator.num_processes}", flush=True)
PYTHON
export HF_HOME="$folder/home" CUDA_VISIBLE_DEVICES= PATH="$folder/venv/bin:$PATH"
one=$(accelerate launch --cpu --num_processes 2 "$folder/say.py" 2> "$folder/errors" | grep ' of ' | sort | paste -sd ' ')
two=$(ACCELERATE_USE_CPU=true torchrun --standalone --nproc_per_node 2 "$folder/say.py" 2>> "$folder/errors" | grep ' of ' | sort | paste -sd ' ')
echo "accelerate launch --cpu --num_processes 2: $one"
echo "torchrun --nproc_per_node 2: $two"
[ "$one" = "1 of 1" ] && [ "$two" = "1 of 2 2 of 2" ] || { cat "$folder/errors"; echo "the behaviour has changed"; exit 1; }
