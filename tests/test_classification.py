"""Other sentence classification, from the command line: labels learned, options of readers, the official score."""

import csv
import json

import pytest
import yaml

from conftest import ROOT
from data.labels import learned_labels
from data.readers.options import Columns, ReaderOptions
from data.readers.source import Source
from engine.arguments.parse import parse
from refusals import dumped, good_rows, refused
from train import main

REVIEWS = [("재미있다", "좋음"), ("지루하다", "나쁨"), ("또 본다", "좋음"), ("졸렸다", "나쁨"), ("그저 그렇다", "보통")]
TSV = "번호\t글\t느낌\n" + "".join(f"{n:03}\t{text}\t{label}\n" for n, (text, label) in enumerate(REVIEWS))
COLUMNS = ["--data.columns.text", "글", "--data.columns.label", "느낌", "--data.columns.id", "번호"]
LEARNED = ["--data.labels", "learned", "--data.negative_label", "null"]
CLASSIFY = ["--data.format", "text", *LEARNED, "--model.pooling", "cls", *COLUMNS]
RELATIONS = [
    ("Cause-Effect(e2,e1)", "The <e1> rain </e1> fell into the <e2> sea </e2>."),
    ("Other", "<e1> Walls </e1> and <e2> masons </e2>"),
    ("Cause-Effect(e1,e2)", "A <e1>storm</e1> made the <e2>wave</e2>s."),
]
SEMEVAL = [
    "--data.format", "semeval", "--data.labels", "learned", "--data.negative_label", "Other",
    "--data.marker", "entity_punct", "--eval.metric", "semeval",
]  # fmt: skip


@pytest.fixture
def reviews(folder):
    folder.write("train.json", TSV)
    folder.write("dev.json", TSV)
    return folder


@pytest.fixture
def relations(folder):
    for name in ("train.json", "dev.json"):
        folder.write(name, "".join(f"{label}\t{sentence}\n" for label, sentence in RELATIONS))
    return folder


def test_text_with_learned_labels(reviews, capsys):
    assert main(reviews.command(*CLASSIFY)) == 0
    said = capsys.readouterr()
    assert "labels       3 learned from data.train: 나쁨, 보통, 좋음\n" in said.out
    assert "SemEval" not in said.out
    assert "warning" not in said.out + said.err
    run = reviews.runs / "try"
    assert json.loads((run / "best" / "labels.json").read_text(encoding="utf-8")) == ["나쁨", "보통", "좋음"]
    dev = reviews.report()["dev"]
    assert "semeval" not in dev
    assert dev["micro_f1"] == dev["accuracy"]  # no class is left out
    with (run / "predictions" / "dev.csv").open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert [(one["id"], one["label"]) for one in written] == [
        (f"{n:03}", label) for n, (_, label) in enumerate(REVIEWS)
    ]

    # the written configuration repeats the run
    again = ["--config", str(run / "config.yaml"), "--run.name", "again"]
    assert main(again) == 0
    assert reviews.report("again")["dev"] == dev


def test_another_column_is_another_run(reviews, capsys):
    """The same file and labels, but other sentences: neither the store nor the run may be taken for the old ones."""
    assert main(reviews.command(*CLASSIFY, "--train.max_updates", "1")) == 0
    stores = {path for path in reviews.cache.iterdir() if path.is_dir()}
    (reviews.runs / "try" / "report.json").unlink()
    capsys.readouterr()
    other = [*CLASSIFY, "--data.columns.text", "번호"]
    assert main(reviews.command(*other)) == 2
    assert 'data.train.columns.text "글" -> "번호"; data.dev.columns.text "글" -> "번호"; ' in capsys.readouterr().err
    assert {path for path in reviews.cache.iterdir() if path.is_dir()} > stores


def test_semeval_score_chooses_and_is_shown(relations, capsys):
    assert main(relations.command(*SEMEVAL)) == 0
    assert "\nSemEval F1 " in capsys.readouterr().out
    assert relations.report()["dev"]["semeval"] >= 0
    assert yaml.safe_load((relations.runs / "try" / "config.yaml").read_text())["eval"]["metric"] == "semeval"
    labels = json.loads((relations.runs / "try" / "best" / "labels.json").read_text())
    assert labels == ["Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)", "Other"]


REFUSED = {
    "dev label that training lacks": (
        {"dev.json": TSV + "9\t새롭다\t놀람\n"}, CLASSIFY,
        ["dev.json, row 6 (line 7): unknown label '놀람'; data.labels lists 나쁨, 보통, 좋음 (learned from the "
         "training rows); give it a file with all labels"]),
    "negative label that training lacks": (
        {}, [*CLASSIFY, "--data.negative_label", "중립"],
        ["data.negative_label: '중립' is none of the labels 나쁨, 보통, 좋음; null = no such class"]),
    "one label": (
        {"train.json": "번호\t글\t느낌\n1\t가\t좋음\n"}, CLASSIFY,
        ["data.labels: learned finds 좋음 in ", ", expected two labels or more; looked for in '느낌', data.columns"]),
    "no label": (
        {}, [*CLASSIFY, "--data.columns.label", "감정"],
        ["data.labels: learned finds nothing in ", "looked for in '감정', data.columns.label names another"]),
    "no label, labels given": (
        {"labels.txt": "좋음\n나쁨\n"},
        [*CLASSIFY, "--data.columns.label", "감정", "--data.labels", "FOLDER/labels.txt"],
        ["row 1 (line 2): the row has no label, which training and evaluation need; looked for in '감정', "]),
    "bad row while learning": (
        {"train.json": TSV + "9\t \t놀람\n"}, CLASSIFY, ["train.json, row 6 (line 7): the sentence is empty"]),
    "all rows bad while learning": (
        {"train.json": "번호\t글\t느낌\n1\t\t좋음\n2\t\t나쁨\n"}, [*CLASSIFY, "--data.on_bad_row", "skip"],
        ["data.labels: learned finds nothing in ", "the first bad row: ", "row 1 (line 2): the sentence is empty"]),
    "sentences for labels": (
        {"train.json": "번호\t글\t느낌\n" + "".join(f"{n}\t글 {n}\t좋음\n" for n in range(60))},
        [*CLASSIFY, "--data.columns.label", "글"],
        ["data.labels: learned finds 60 different labels in 60 rows of ",
         "such as '글 0'; looked for in '글', data.columns.label names another"]),
    "pooling of entities": (
        {}, [*CLASSIFY, "--model.pooling", "entity_start"],
        ["model.pooling: entity_start reads the entities, but 5 rows of data.train have none"]),
    "semeval without directions": (
        {}, [*CLASSIFY, "--eval.metric", "semeval"],
        ["eval.metric: semeval needs labels such as Cause-Effect(e1,e2), and data.negative_label for Other; without a "
         "direction: '나쁨', '보통', '좋음'"]),
}  # fmt: skip


@pytest.mark.parametrize("files, arguments, fragments", REFUSED.values(), ids=REFUSED)
def test_refused_before_training(reviews, capsys, files, arguments, fragments):
    for name, text in files.items():
        reviews.write(name, text)
    refused(reviews, capsys, [word.replace("FOLDER", str(reviews.path)) for word in arguments], fragments)


@pytest.mark.parametrize("marker", ["typed", "typed_punct"])
def test_markers_with_types_need_types(relations, capsys, marker):
    message = (
        f"row 1: the entities have no types, which data.marker {marker} writes; use one of none, entity, entity_punct"
    )
    refused(relations, capsys, [*SEMEVAL, "--data.marker", marker], [message])


def test_semeval_metric_on_klue_labels(folder, capsys):
    refused(
        folder, capsys, ["--eval.metric", "semeval"], ["eval.metric: semeval needs labels such as Cause-Effect(e1,e2)"]
    )


def test_all_unknown_types_are_told_together(folder, capsys):
    rows = good_rows()
    for one, kind in zip(rows, ("INS", "CLS", "INS"), strict=False):
        one["object_entity"]["type"] = kind
    folder.write("train.json", dumped(rows))
    refused(folder, capsys, [], ["row 1: entity type 'INS' is none of PER, ORG", "; rows near it also have CLS"])


def test_labels_of_skipped_rows_are_not_learned():
    options = ReaderOptions(Columns(text="글", label="느낌"))
    source = Source("train.tsv", (TSV + "9\t \t놀람\n").encode(), "text", options)
    assert learned_labels(source, "skip") == ["나쁨", "보통", "좋음"]


IDLE = {
    "klue": (["--data.header", "false", "--data.quoting", "true"], "data.header data.quoting"),
    "auto": (["--data.separator", "tab", "--data.columns.text_pair", "b", "--data.offsets", "exclusive"],
             "data.columns.text_pair"),
    "semeval": (["--data.columns.label", "x", "--data.offsets", "exclusive", "--data.types", "[A]"],
                "data.types data.columns.label data.offsets"),
    "text": (["--data.offsets", "inclusive", "--data.columns.subject", "x", "--data.marker", "entity"],
             "data.marker data.columns.subject data.offsets"),
    "tacred": (["--data.columns.text", "x", "--data.columns.label", "y"], "data.columns.text"),
}  # fmt: skip


@pytest.mark.parametrize("format", IDLE)
def test_options_that_a_format_does_not_read_are_told(format):
    arguments, expected = IDLE[format]
    _, _, notices = parse(["--data.format", format, *arguments])
    assert [notice.split()[1] for notice in notices] == expected.split()
    assert all(notice.startswith("warning: data.") and " has no effect: data." in notice for notice in notices)


def test_options_of_the_file_are_told_too(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("data: {format: klue, header: false, columns: {label: 관계}}\nmodel: {tokenizer: sample}\n")
    config, _, notices = parse(["--config", str(path)])
    assert notices == ["warning: data.header has no effect: data.format klue does not read it"]
    assert config.data.columns.label == "관계"


@pytest.mark.parametrize("value, expected", [("3", {3, "3"}), ("label", {"label"}), ("null", {None}), ("a.b", {"a.b"})])
def test_columns_are_names_or_numbers(value, expected):
    config, _, _ = parse(["--data.format", "text", "--data.columns.label", value])
    assert config.data.columns.label in expected


def test_unknown_column_key():
    with pytest.raises(ValueError, match=r"^data\.columns\.lable: unknown key; did you mean data\.columns\.label\?$"):
        parse(["--data.columns.lable", "x"])


@pytest.mark.parametrize("name", ["semeval", "classification"])
def test_bundled_configuration_trains(folder, name):
    rows = TSV.replace("글", "text").replace("느낌", "label") if name == "classification" else "".join(
        f"{label}\t{sentence}\n" for label, sentence in RELATIONS
    )  # fmt: skip
    path = folder.write("rows.tsv", rows)
    own = ["--config", str(ROOT / "configs" / f"{name}.yaml"), "--data.train", path, "--data.dev", path]
    small = ["--model.backbone", "null", "--model.scratch.heads", "2", "--model.scratch.layers", "1"]
    assert main(folder.command(*own, *small, "--train.precision", "fp32")) == 0
    assert folder.report()["dev"]["accuracy"] >= 0
