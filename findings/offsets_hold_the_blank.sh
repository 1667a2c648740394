#!/usr/bin/env bash
# tokenizers 0.23.3.
# Offsets of the pre-tokenizer Metaspace count the blank before a word as part of the word's token; where no piece holds
# blank and word together, the lone piece of the blank covers the blank alone. With WhitespaceSplit before it (as the
# converters of XLM-R and ALBERT write it) the same tokens come with the words' own offsets, and the lone piece covers
# the first character of the word. Expected: one meaning of offsets for one sequence of tokens. Who looks up an entity
# by its characters finds another span with each.
# Seen: Metaspace [('▁가', (0, 1)), ('▁', (1, 2)), ('나다', (2, 4)), ('▁라', (4, 6))]
#       behind WhitespaceSplit [('▁가', (0, 1)), ('▁', (2, 3)), ('나다', (2, 4)), ('▁라', (5, 6))]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tokenizers==0.23.3
"$folder/venv/bin/python" - <<'PYTHON'
import sys

from tokenizers import Tokenizer
from tokenizers.models import Unigram
from tokenizers.pre_tokenizers import Metaspace, Sequence, WhitespaceSplit

pieces = [("<unk>", 0.0), ("▁", -3.0), ("▁가", -2.0), ("나다", -2.0), ("▁라", -2.0)]
seen = []
for name, steps in (("Metaspace", Metaspace()), ("behind WhitespaceSplit", Sequence([WhitespaceSplit(), Metaspace()]))):
    tokenizer = Tokenizer(Unigram(pieces, unk_id=0))
    tokenizer.pre_tokenizer = steps
    encoded = tokenizer.encode("가 나다 라")
    seen.append(list(zip(encoded.tokens, encoded.offsets)))
    print(name, seen[-1])
tokens = ["▁가", "▁", "나다", "▁라"]
expected = [[(0, 1), (1, 2), (2, 4), (4, 6)], [(0, 1), (2, 3), (2, 4), (5, 6)]]
sys.exit(0 if seen == [list(zip(tokens, offsets)) for offsets in expected] else "the behaviour has changed")
PYTHON
