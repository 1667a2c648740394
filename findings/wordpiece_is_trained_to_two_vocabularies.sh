#!/usr/bin/env bash
# tokenizers 0.23.3.
# WordPieceTrainer on the same 4,000 words with the same settings, in two processes. Expected: one vocabulary, as
# there is no seed to set. What happens: pieces of equal frequency are chosen in the order of a hash map, so that
# the vocabularies differ in pieces, not only in their order. Who trains a tokenizer beside a model needs to keep
# the file.
# Seen: different sets of pieces in four processes: 4; pieces of the first that the second lacks: 49 (other numbers each time)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tokenizers==0.23.3
cat > "$folder/train.py" <<'PYTHON'
import itertools

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.trainers import WordPieceTrainer

syllables = "가나다라마바사아자차카타파하거너더러머버"
words = ["".join(one) for one in itertools.islice(itertools.product(syllables, repeat=3), 0, 8000, 2)]
tokenizer = Tokenizer(WordPiece(unk_token="[UNK]"))
tokenizer.pre_tokenizer = Whitespace()
tokenizer.train_from_iterator([" ".join(words)], WordPieceTrainer(vocab_size=300, special_tokens=["[UNK]"]))
print("\n".join(sorted(tokenizer.get_vocab())))
PYTHON
for try in 1 2 3 4; do
    "$folder/venv/bin/python" "$folder/train.py" > "$folder/$try.txt"
done
different=$(sha256sum "$folder"/[1-4].txt | cut -d ' ' -f 1 | sort -u | wc -l)
pieces=$(diff "$folder/1.txt" "$folder/2.txt" | grep -c '^<' || true)
echo "different sets of pieces in four processes: $different; pieces of the first that the second lacks: $pieces"
[ "$different" -gt 1 ] || { echo "the behaviour has changed"; exit 1; }
