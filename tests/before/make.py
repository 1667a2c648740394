"""How the files in this folder were made: by commit f5faa0a, the last one before engine/ and data/ got folders.

    cd CHECKOUT_OF_f5faa0a && python .../tests/before/make.py FOLDER

    data/            rows of the bundled sample
    backbone/        a BERT of one layer, as it starts, and a tokenizer of their characters
    stopped/bilstm   r_drop over focal with head bilstm, after SIGTERM half way, in the save that followed an evaluation
    finished/bilstm  the same to its end, undisturbed: what resuming must give; its checkpoints are left out, its
                     best/ holds the weights of the last update
    finished/marked  another run with the poolings and losses by default: only best/ and predictions/ are kept
    store/           the token store of data/train.json in stopped/bilstm

`tests/test_before.py` reads them. They are never made anew: what they are for is that they are old.
"""

import contextlib
import io
import json
import os
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, os.getcwd())  # the checkout

import torch
import yaml
from transformers import BertConfig, BertModel

from data import sample

BASE = {
    "data": {"train": "data/train.json", "dev": "data/dev.json", "max_length": 64, "cache_dir": "cache"},
    "model": {"backbone": "backbone"},
    "train": {"epochs": 4, "batch_size": 8, "log_every": 4, "save_every": 10},
    "eval": {"every": 10, "batch_size": 8, "resamples": 50, "metric": "auprc"},
    "track": {"tensorboard": False, "errors": False},
    "optim": {"lr": 0.02, "head_lr": 0.05},
    "run": {"threads": 1},
}
CONFIGURATIONS = {
    "bilstm": {
        "loss": {"name": "r_drop", "alpha": 0.5, "base": "focal", "base_options": {"gamma": 1.5}},
        "model": {"pooling": "cls", "head": "bilstm"},
        "data": {"query": "relation", "labels": "learned"},
        "train": {"micro_batch_size": 3},
    },
    "marked": {"model": {"entity_embeddings": ["role"]}, "data": {"marker": "entity_punct"}},
}


def few_letters(rows: list[dict], count: int, letters: set[str]) -> list[dict]:
    """`count` of the rows that need the fewest letters besides `letters`, which grow; a quarter of a label at most."""
    chosen = []
    while len(chosen) < count:
        full = {label for label, times in Counter(row["label"] for row in chosen).items() if times == count // 4}
        rows = [row for row in rows if row["label"] not in full]
        best = min(rows, key=lambda row: (len(set(row["sentence"]) - letters), row["guid"]))
        rows = [row for row in rows if row["sentence"] != best["sentence"]]
        letters |= set(best["sentence"])
        chosen.append(best)
    return sorted(chosen, key=lambda row: row["guid"])


def write_data() -> None:
    Path("data").mkdir()
    letters = {*"".join(sample.MARKER_WORDS), *"@#*^~/$&.,?"}
    train = few_letters([row for row in sample.rows("train") if 20 < len(row["sentence"]) < 45], 40, letters)
    labels, dev_letters = {row["label"] for row in train}, set(letters)
    dev = few_letters([row for row in sample.rows("dev") if row["label"] in labels], 16, dev_letters)
    for part, rows in (("train", train), ("dev", dev)):
        text = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        Path("data", f"{part}.json").write_text(f"[{text}]\n", encoding="utf-8")
    singles = sorted(letter for letter in letters if not letter.isspace())
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *singles, *("##" + letter for letter in singles)]
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    shape = BertConfig(vocab_size=len(words), max_position_embeddings=64, initializer_range=0.3, **sizes)
    BertModel(shape, add_pooling_layer=False).save_pretrained("backbone")
    Path("backbone", "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "strip_accents": False}
    Path("backbone", "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def configuration(name: str, folder: str) -> str:
    values = {section: dict(options) for section, options in BASE.items()}
    for section, options in CONFIGURATIONS[name].items():
        values[section] = values.get(section, {}) | options
    values["run"] |= {"dir": folder, "name": name}
    path = Path(f"{folder}-{name}.yaml")
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return str(path)


def train(name: str, folder: str, stop: bool = False) -> None:
    """Run train.py's `main` to its end, or until a SIGTERM in its first save."""
    import train as program
    from engine.checkpoint import Checkpoints

    save = Checkpoints.save

    def saved(self, state, *rest):
        save(self, state, *rest)
        if stop:
            os.kill(os.getpid(), signal.SIGTERM)

    Checkpoints.save, printed = saved, io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = program.main(["--config", configuration(name, folder)])
    Checkpoints.save = save
    assert code == (143 if stop else 0), printed.getvalue()
    print(printed.getvalue())


def main(folder: Path) -> None:
    folder.mkdir(parents=True)
    os.chdir(folder)
    write_data()
    train("bilstm", "stopped", stop=True)
    for path in Path("cache").glob("*/store.json"):
        if json.loads(path.read_text(encoding="utf-8"))["facts"]["rows"] == 40:
            shutil.copytree(path.parent, "store")
    for name in CONFIGURATIONS:
        train(name, "finished")
        assert json.loads(Path("finished", name, "report.json").read_text(encoding="utf-8"))["step"] == 20
        shutil.rmtree(Path("finished", name, "checkpoints"))
    for name in ("config.yaml", "metrics.jsonl", "report.json"):
        Path("finished", "marked", name).unlink()
    shutil.rmtree("cache")
    for path in [*Path().glob("*.yaml"), *Path().glob("*/*/run.lock")]:
        path.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
