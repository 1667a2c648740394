"""Parquet, Arrow and save_to_disk, as the package `datasets` and pyarrow write them."""

import datetime
import os
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from data.readers.options import Columns, ReaderOptions
from data.readers.source import open_source

ROWS = {
    "guid": ["가-1", "가-2", "가-3"],
    "sentence": ["한별은 도담의 배우다.", "가람은 나래의 형이다.", "다솔은 미르에 산다."],
    "subject_entity": [
        {"word": word, "start_idx": 0, "end_idx": 1, "type": "PER"} for word in ("한별", "가람", "다솔")
    ],
    "object_entity": [
        {"word": word, "start_idx": 4, "end_idx": 5, "type": kind}
        for word, kind in (("도담", "ORG"), ("나래", "PER"), ("미르", "LOC"))
    ],
    "label": [1, 0, -1],
    "seen": [datetime.date(2020, 1, 1), datetime.date(2021, 2, 3), None],
    "hours": [datetime.timedelta(hours=1)] * 3,
    "picture": [b"\xff\xd8", b"ab", None],
    "tags": [[0], [1, 0], []],
}
ENTITY = {"word": datasets.Value("string"), "start_idx": datasets.Value("int64"), "end_idx": datasets.Value("int64"),
          "type": datasets.Value("string")}  # fmt: skip
FEATURES = datasets.Features(
    guid=datasets.Value("string"),
    sentence=datasets.Value("string"),
    subject_entity=ENTITY,
    object_entity=ENTITY,
    label=datasets.ClassLabel(names=["no_relation", "per:employee_of"]),
    seen=datasets.Value("date32"),
    hours=datasets.Value("duration[s]"),
    picture=datasets.Value("binary"),
    tags=datasets.List(datasets.ClassLabel(names=["극장", "배우"])),
)
EXPECTED = [
    ("가-1", "한별", "도담", "per:employee_of"),
    ("가-2", "가람", "나래", "no_relation"),
    ("가-3", "다솔", "미르", None),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The same rows in every form, and `both`: a folder with the splits train and test."""
    folder = tmp_path_factory.mktemp("tables")
    rows = datasets.Dataset.from_dict(ROWS, features=FEATURES)
    rows.to_parquet(folder / "rows.parquet")
    pyarrow.feather.write_feather(pa.parquet.read_table(folder / "rows.parquet"), folder / "rows.feather")
    os.rename(folder / "rows.parquet", folder / "rows")  # its first bytes say what it is
    rows.save_to_disk(folder / "saved")
    os.rename(next((folder / "saved").glob("*.arrow")), folder / "rows.arrow")
    rows.save_to_disk(folder / "saved")
    datasets.DatasetDict(train=rows.select([0]), test=rows).save_to_disk(folder / "both")
    return folder


def read(path: Path, part: str = "train", format: str = "auto", **columns) -> list:
    options = ReaderOptions(Columns(**columns))
    return [one for _, one in open_source(str(path), format, part, f"data.{part}", options).examples()]


@pytest.mark.parametrize("name", ["rows", "rows.feather", "rows.arrow", "saved", "both/test"])
def test_every_form_holds_the_same_rows(folder, name):
    examples = read(folder / name)
    assert [(one.id, one.subject.text, one.object.text, one.label) for one in examples] == EXPECTED
    assert all("read by the package datasets: a" in " ".join(one.notes) for one in examples)


def test_the_split_of_a_folder_is_that_of_the_part_or_must_be_named(folder):
    assert [one.id for one in read(folder / "both")] == ["가-1"]
    with pytest.raises(
        ValueError, match=r"data.dev: .*both has the splits train, test; name one, such as .*both/train$"
    ):
        read(folder / "both", "dev")


def test_what_json_has_no_form_for_costs_no_row_and_is_no_text(folder):
    first, second, third = read(folder / "rows", format="text", text="sentence", label="picture")
    assert str(first) == "picture is {'bytes': 2}, expected a text or a whole number"
    assert (second.label, third.label) == ("ab", None)
    assert [one.label for one in read(folder / "rows", format="text", text="sentence", label="seen")] == [
        "2020-01-01", "2021-02-03", None,
    ]  # fmt: skip
    assert "['극장'], expected a text" in str(read(folder / "rows", format="text", text="sentence", label="tags")[0])


def test_one_row_more_is_another_identity_and_another_form_is_not(folder):
    train, test, saved = (
        open_source(str(folder / name), "auto", "train", "data.train").identity
        for name in ("both/train", "both/test", "saved")
    )
    assert test == saved != train


def test_a_damaged_file_is_one_message(folder, tmp_path):
    (tmp_path / "cut.parquet").write_bytes((folder / "rows").read_bytes()[:40])
    (tmp_path / "cut.arrow").write_bytes((folder / "rows.arrow").read_bytes()[:40])
    for name in ("cut.parquet", "cut.arrow"):
        with pytest.raises(ValueError, match=f"data.train: cannot read .*{name} \\(.*\\)$"):
            read(tmp_path / name)


def test_texts_that_datasets_changes_are_told(tmp_path, monkeypatch):
    """pandas reads NA and None of a CSV as missing, pyarrow's JSON makes dates of texts; both untold."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    for name, text in {
        "csv": "text,label\n비가 온다,NA\n눈이 온다,None\n해가 뜬다,좋음\n",
        "jsonl": '{"text": "비가 온다", "label": "2020-01-01"}\n{"text": "눈이 온다", "label": "2021-02-03"}\n',
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / f"train.{name}").write_text(text, encoding="utf-8")
    with pytest.warns(
        UserWarning, match="2 of 3 rows of label are missing, as NA, None, null and the like are; the file"
    ):
        rows = read(f"hub:{tmp_path / 'csv'}", format="text")
    assert [one.label for one in rows] == [None, None, "좋음"]
    assert "read by the package datasets: csv, split train" in rows[0].notes
    with pytest.warns(UserWarning, match="label was read as dates, which are written as 2020-01-01T00:00:00"):
        read(f"hub:{tmp_path / 'jsonl'}", format="text")
