#!/usr/bin/env bash
# transformers 5.24.0, tokenizers 0.23.3.
# A folder holds a WordPiece tokenizer.json and a tokenizer_config.json that names RobertaTokenizerFast. Expected: the
# tokens that tokenizer.json gives (transformers 4 loaded the file as it was), or an error. What happens: AutoTokenizer
# builds RoBERTa's own byte-level pipeline, takes only the vocabulary out of tokenizer.json, and every Hangul syllable
# vanishes: no token, no unknown token, no warning.
# Seen: file ['[CLS]', '가', '##나', 'a', '[SEP]']; loaded ['[CLS]', 'a', '[SEP]']
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet transformers==5.24.0 tokenizers==0.23.3
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json
import sys
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer

folder = Path(sys.argv[1]) / "tokenizer"
folder.mkdir()
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "가", "##나", "a"]
file = Tokenizer(WordPiece({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
file.pre_tokenizer = BertPreTokenizer()
file.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
file.save(str(folder / "tokenizer.json"))
roles = {f"{role}_token": f"[{role.upper()}]" for role in ("pad", "unk", "cls", "sep", "mask")}
settings = roles | {"tokenizer_class": "RobertaTokenizerFast"}
(folder / "tokenizer_config.json").write_text(json.dumps(settings))

loaded = AutoTokenizer.from_pretrained(folder)
tokens = loaded.convert_ids_to_tokens(loaded("가나 a")["input_ids"])
print(f"file {file.encode('가나 a').tokens}; loaded {tokens}")
unchanged = file.encode("가나 a").tokens == ["[CLS]", "가", "##나", "a", "[SEP]"] and tokens == ["[CLS]", "a", "[SEP]"]
sys.exit(0 if unchanged else "the behaviour has changed")
PYTHON
