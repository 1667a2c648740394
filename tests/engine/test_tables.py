"""One writer for all tables: columns stand below each other in a terminal, where a letter of Hangul takes two."""

import csv
import io
import re
from types import SimpleNamespace
from unicodedata import normalize

import numpy as np
import pytest
from torch import nn

from conftest import ROOT
from engine.arguments.help import name_lines
from engine.compare import report
from engine.config import Config, OptimConfig
from engine.data_report.__main__ import as_markdown, as_text
from engine.data_report.tables import label_shares, words
from engine.optim import describe_groups
from engine.repeat.__main__ import table as repeat_table
from engine.repeat.runs import lines as paired_lines
from engine.repeat.runs import paired
from engine.report.errors import class_table, classes_with_groups, group_means
from engine.report.finish import table as finish_table
from engine.scores.scored import Scored
from engine.tables import aligned, as_csv, display_width, markdown

NAMES = ["인물:직업", "a", "관계_없음 (전체)", "per:title", "가|나"]


def places(line: str) -> list[str]:
    """A letter, or a blank, for each column of a terminal; "" where the letter before goes on."""
    return [part for letter in line for part in ([letter, ""] if "가" <= letter <= "힣" else [letter])]


def cells_of(lines: list[str], right: list[bool]) -> list[list[str]]:
    """A table cut where every line is blank over two columns of the terminal; asserts that each cell of a column
    begins, or of numbers ends, at the same one."""
    grid = [places(line) for line in lines]
    wide = max(map(len, grid))
    grid = [[*line, *[" "] * (wide - len(line))] for line in grid]
    blank = "".join(" " if all(line[place] == " " for line in grid) else "x" for place in range(wide))
    spans = [found.span() for found in re.finditer(r"x(?: ?x)*", blank)]
    assert len(spans) == len(right), "\n".join(lines)
    for (start, end), numbers in zip(spans, right, strict=True):
        for line in grid:
            if any(place != " " for place in line[start:end]):
                assert line[end - 1 if numbers else start] != " ", "\n".join(lines)
    return [["".join(line[start:end]).strip() for start, end in spans] for line in grid]


def test_a_letter_of_hangul_takes_two_columns_however_it_is_composed():
    assert [display_width(text) for text in ("", "abc", "한글", "한글 ab", "Ａ", "±1.5", "é")] == [0, 3, 4, 7, 2, 4, 1]
    assert [display_width(normalize("NFD", text)) for text in ("한글", "é", "값")] == [4, 1, 2]
    assert display_width("a\u200bb") == 2


def test_aligned_by_hand():
    assert aligned(["이름", " n"], [["한글", 1], ["abc", 23]]) == ["이름   n", "한글   1", "abc   23"]
    assert aligned(["", ""], [["한글", "x"], ["a", "두\n줄"]]) == [
        "한글  x",
        "a     두 줄",
    ]  # no names, no line of them
    assert aligned(["a", " b"], []) == ["a  b"]


def test_the_table_of_several_seeds():
    runs = [{"name": name, "scores": {"micro_f1": 7.5 * n, "auprc": 50.0}, "absent_classes": 0, "labels": 5}
            for n, name in enumerate(NAMES)]  # fmt: skip
    spreads = {"micro_f1": {"mean": 1.0, "sd": None}, "auprc": {"mean": 100.0, "sd": None}}
    summary = {"runs": runs, "scores": spreads, "out_of_fold": [], "out_of_fold_scores": {}}
    rows = cells_of(repeat_table(summary), [False, True, True])
    assert rows[0] == ["", "micro-F1", "AUPRC"]
    assert [row[0] for row in rows[1:]] == [*NAMES, "mean", "sd"]
    assert rows[5] == ["가|나", "30.00", "50.00"]


def test_the_table_of_paired_differences():
    rows = paired({name: [70.0 + n, 72.0 - 9 * n] for n, name in enumerate(NAMES)}, NAMES[0])
    cells = cells_of(paired_lines(rows, NAMES[0]), [False, *[True] * 5])
    assert cells[0] == ["", "mean", "sd", "to 인물:직업", "sd", "95 %"]
    assert [row[0] for row in cells[1:]] == NAMES
    assert cells[1][3:] == ["-", "-", "-"]
    assert cells[2][1:4] == ["67.00", "5.66", "-4.00"]
    assert cells[2][5].startswith("±")


def test_the_tables_of_runs_side_by_side():
    score = {"score": 70.0, "low": 1.0, "high": 100.0}
    scores, differences = dict.fromkeys(("micro_f1", "auprc"), score), dict.fromkeys(("micro_f1", "auprc"), score)
    runs = [{"name": name, "scores": scores, "differences": differences} for name in NAMES[:3]]
    options = {"data.train": dict(zip(NAMES, ["학습.csv", "a.csv", "-"], strict=False)), "b": dict.fromkeys(NAMES, "x")}
    comparison = {"runs": runs, "configuration": options, "sentences": 5, "rows": 9, "resamples": 10, "note": "",
                  "notes": []}  # fmt: skip
    configuration, [head], scores, differences = parts_of(report(comparison))
    assert cells_of(configuration, [False] * 4)[1] == ["data.train", "학습.csv", "a.csv", "-"]
    assert head == "9 rows; 95 % intervals from 10 draws of 5 sentences"
    assert [row[0] for row in cells_of(scores, [False] * 3)] == ["", *NAMES[:3]]
    assert [row[0] for row in cells_of(differences, [False] * 3)] == ["minus 인물:직업", *NAMES[1:3]]


def parts_of(lines: list[str]) -> list[list[str]]:
    return [part.split("\n") for part in "\n".join(lines).split("\n\n")]


def part(labels: list[int]) -> SimpleNamespace:
    unknown = {"unknown_words": [["힣다", 12], ["x", 3]], "split_words": [["가나다", 7, 3]]}

    class Store(SimpleNamespace):
        def __len__(self):
            return len(labels)

    return SimpleNamespace(store=Store(labels=np.array(labels), facts={"words": unknown}))


def test_the_tables_of_the_data_report():
    parts = {"train": part([0, 0, 1, 2, 3, 4] * 200)}
    title, *lines = as_text(label_shares(parts, NAMES, Config())).splitlines()
    assert title == "Labels"
    assert cells_of(lines, [False, True, True])[:2] == [["label", "train", "%"], ["인물:직업", "400", "33.33"]]
    title, *lines = as_text(words(parts)).splitlines()
    assert cells_of(lines, [False, False, False, True, True])[2:] == [
        ["train", "unknown", "x", "3", ""], ["train", "split", "가나다", "7", "3"],
    ]  # fmt: skip
    assert "| 가\\|나 | 200 | 16.67 |" in as_markdown(label_shares(parts, NAMES, Config()))


def test_the_table_of_parameter_groups():
    model = nn.ModuleDict({"backbone": nn.Linear(300, 9), "head": nn.Linear(9, 2)})
    rows = cells_of(describe_groups(model, OptimConfig(lr=1e-5, head_lr=1e-3)).splitlines(), [False, *[True] * 4])
    assert rows[0] == ["learning", "tensors", "parameters", "peak lr", "weight decay"]
    assert ["backbone", "1", "2,700", "1e-05", "0.01"] in rows


def test_the_table_at_the_end_of_a_run(tmp_path):
    report = {"dev": {"micro_f1": 50.0, "accuracy_prior": 7.5}, "step": 3, "updates": 9, "epoch": 1.0, "seconds": 2.0,
              "tokens_per_second": 1000.0, "padding_share": 0.1, "peak_memory": 1.0}  # fmt: skip
    scores, places = parts_of(finish_table(report, tmp_path / "한글").removeprefix("\n").splitlines())
    assert cells_of(scores, [False, False])[:2] == [["micro-F1", "50.00"], ["accuracy, prior", "7.50"]]
    assert cells_of(places, [False, False])[0] == ["report", str(tmp_path / "한글" / "report.json")]


def test_the_names_in_help():
    """A user's own loss, pooling or head may have a Korean name."""

    class Part:
        """What it is."""

    registry = dict.fromkeys(["평균풀링", "mean", "가"], Part)
    assert cells_of(name_lines(SimpleNamespace(registry=registry)), [False, False]) == [
        [name, "What it is."] for name in registry
    ]


def test_markdown_and_csv_keep_a_name_whole():
    scored = Scored(np.arange(5), np.eye(5), 1, NAMES)
    classes = classes_with_groups(scored, np.arange(5))
    text = class_table(classes, group_means(classes))
    assert "| 가\\|나 | head | 4 | 1 | 1 | 100.0 | 100.0 | 100.0 | 100.0 |" in text
    assert markdown(["a|b", " n"], [["x", 1]]) == "| a\\|b | n |\n| --- | ---: |\n| x | 1 |\n"
    lines = list(csv.DictReader(io.StringIO(as_csv([{"name": name, "값": n} for n, name in enumerate(NAMES)]))))
    assert [line["name"] for line in lines] == NAMES
    assert lines[2]["값"] == "2"


@pytest.mark.parametrize("path", sorted((ROOT / "engine").rglob("*.py")), ids=lambda path: path.stem)
def test_nobody_else_pads_by_the_number_of_letters(path):
    if path.name != "tables.py" or path.parent.name != "engine":
        assert not re.search(r"\.[lr]just\(|:[<>]\{", path.read_text(encoding="utf-8"))
