#!/usr/bin/env bash
# datasets 5.2.0, pyarrow 26.0.1.
# Rows of one text and one label, as JSON Lines and as CSV. Expected: what stands in the file, since JSON has
# texts and numbers only. What happens: a JSON text that looks like an ISO date arrives as a datetime with a time
# of day that the file does not have (a label, an answer or an id of such a form is no text any more), while the
# same text stays a text in CSV; there, the classes None, NA and null become missing values, which JSON keeps. No
# warning with either.
# Seen: [('datetime', 'None'), ('str', None)]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet datasets==5.2.0 pyarrow==26.0.1
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import csv
import json
import sys
from pathlib import Path

from datasets import load_dataset

folder = Path(sys.argv[1])
rows = [{"text": "2021-03-01", "label": "None"}, {"text": "2021-03-02", "label": "NA"}]
(folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
    csv.writer(file).writerows([["text", "label"], *(row.values() for row in rows)])
seen = []
for kind, name in (("json", "rows.jsonl"), ("csv", "rows.csv")):
    first = load_dataset(kind, data_files=str(folder / name), split="train")[0]
    seen.append((type(first["text"]).__name__, first["label"]))
print(seen)
sys.exit(0 if seen == [("datetime", "None"), ("str", None)] else "the behaviour has changed")
PYTHON
