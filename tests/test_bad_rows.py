"""Data files that are wrong: refused with the row, or skipped, counted and listed. And odd ones that are right.

A fault of one row stands as row 3 among good ones, in a CSV file on line 4. Faults of a whole file cannot be skipped.
"""

import codecs
import csv
import io
import json
import random
import re
import warnings
from pathlib import Path
from unicodedata import normalize

import pytest

from faults import CSV_ROWS, FILES, HEADER, JSON_ROWS, as_csv, record
from refusals import Folder, dumped, good_rows, refused, row
from train import main

SKIP = ["--data.on_bad_row", "skip", "--data.max_skipped", "1"]
NO_DEV = ["--data.dev", "null"]
LINES = [json.dumps(one, ensure_ascii=False) for one in good_rows()]


def json_file(rows: list[str]) -> str:
    return "[" + ",\n".join(rows) + "]"


def csv_file(rows: list[str]) -> str:
    return HEADER + "".join(rows)


def refused_file(
    folder: Folder, capsys, name: str, content: bytes | str, fragments: list[str], *arguments: str
) -> None:
    """`refused` in one line of readable length, with the file's name; and nothing is left in the cache but the lock."""
    path = folder.write(name, content)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*byte-order mark")
        message = refused(folder, capsys, ["--data.train", path, *arguments], [path, *fragments])
    assert message.count("\n") == 1
    assert len(message) - len(path) < 1000  # the longest lists the 30 labels
    assert [entry for entry in folder.cache.iterdir() if entry.suffix != ".lock"] == []


@pytest.mark.drill("R8")
@pytest.mark.parametrize("text, fragments", JSON_ROWS.values(), ids=JSON_ROWS)
def test_bad_json_row(folder, capsys, text, fragments):
    content = json_file([*LINES[:2], text, *LINES[3:]])
    refused_file(folder, capsys, "train.json", content, ["train.json, row 3: ", *fragments])


@pytest.mark.drill("R8")
@pytest.mark.parametrize("text, fragments", CSV_ROWS.values(), ids=CSV_ROWS)
def test_bad_csv_row(folder, capsys, text, fragments):
    good = [record(one) for one in good_rows()]
    content = csv_file([*good[:2], text, *good[3:]])
    refused_file(folder, capsys, "train.csv", content, ["train.csv, row 3 (line 4): ", *fragments])


@pytest.mark.drill("R8")
@pytest.mark.parametrize("content, fragments", FILES.values(), ids=FILES)
def test_bad_file_is_refused_even_if_bad_rows_are_skipped(folder, capsys, content, fragments):
    refused_file(folder, capsys, "train.file", content, fragments, *SKIP)


@pytest.mark.drill("R8")
@pytest.mark.parametrize("fault", ["cut off", "CP949 in CSV", "column missing", "header only"])
def test_bad_file(folder, capsys, fault):
    """Also where bad rows are not to be skipped."""
    refused_file(folder, capsys, "train.file", *FILES[fault])


def test_each_fault_is_another():
    assert len(JSON_ROWS) + len(CSV_ROWS) + len(FILES) >= 60
    for table in (JSON_ROWS, CSV_ROWS, FILES):
        assert len({content for content, _ in table.values()}) == len(table)


def test_bad_dev_row_is_an_error_even_if_bad_rows_are_skipped(folder, capsys):
    content = good_rows()
    content[2]["label"] = "per:freind"
    folder.write("dev.json", dumped(content))
    refused(folder, capsys, SKIP, [str(folder.path), "dev.json, row 3", "'per:freind'"])


def test_all_training_rows_bad(folder, capsys):
    content = dumped([row | {"label": "x"} for row in good_rows()])
    refused_file(folder, capsys, "train.json", content, [": all 8 rows are bad; the first: unknown label 'x'"], *SKIP)


# skipped ------------------------------------------------------------------------------------------------------------

MIXED = {
    "train.json": (JSON_ROWS, LINES, json_file),
    "train.csv": (CSV_ROWS, [record(one) for one in good_rows()], csv_file),
}


@pytest.mark.drill("R8")
@pytest.mark.parametrize("name", MIXED)
def test_every_bad_row_is_skipped_counted_and_listed(folder, capsys, monkeypatch, name):
    faults, good, file = MIXED[name]
    rows = [(text, fragments) for text, fragments in faults.values()]
    for number, text in enumerate(good[1:], start=1):
        rows.insert(number * len(faults) // 8, (text, None))
    rows.insert(0, (good[0], None))
    path = folder.write(name, file([text for text, _ in rows]))
    bad = [(number, fragments) for number, (_, fragments) in enumerate(rows, start=1) if fragments]

    assert main(folder.command("--data.train", path, *SKIP, *NO_DEV)) == 0
    said = capsys.readouterr()
    assert f"{len(faults)} of {len(rows)} rows are bad" in said.out
    assert " such as row " in said.out
    assert re.search(r"^train +8 examples, ", said.out, re.MULTILINE)
    report = folder.report()
    assert report["examples_per_rank"] == [8]
    assert report["updates"] == 1
    assert [number for number, _ in report["skipped_rows"]] == [number for number, _ in bad]
    for (_, reason), (_, fragments) in zip(report["skipped_rows"], bad, strict=True):
        assert all(fragment in reason for fragment in fragments), (reason, fragments)

    monkeypatch.setattr("data.store.token_store.write", None)  # nothing is encoded the second time
    assert main(folder.command("--data.train", path, *SKIP, *NO_DEV, "--run.name", "again")) == 0
    assert folder.report("again")["skipped_rows"] == report["skipped_rows"]
    assert f"{len(faults)} of {len(rows)} rows are bad" in capsys.readouterr().out


@pytest.mark.drill("R8")
def test_a_thousand_bad_rows_of_five_thousand_are_one_line_and_all_listed(folder, capsys):
    bad = sorted(random.Random(0).sample(range(1, 5001), 1000))
    rows = [good_rows()[number % 8] | {"guid": number} for number in range(1, 5001)]
    for turn, number in enumerate(bad):
        change = ({"label": "관계"}, {"sentence": ""}, {"subject_entity": None}, {"guid": True}, {"object_entity": {}})
        rows[number - 1] |= change[turn % 5]
    folder.write("train.json", dumped(rows))
    assert main(folder.command(*SKIP, *NO_DEV)) == 0
    said = capsys.readouterr()
    assert "1,000 of 5,000 rows are bad (20.0 %)\n" in said.out
    assert "4,000 examples" in said.out
    assert len(said.out.splitlines()) < 140  # the configuration is most of it
    assert len(said.err.splitlines()) < 5
    report = folder.report()
    assert [number for number, _ in report["skipped_rows"]] == bad
    assert report["examples_per_rank"] == [4000]
    assert {reason.split(" ")[0] for _, reason in report["skipped_rows"]} == {
        "unknown", "the", "subject_entity", "guid", "object_entity",
    }  # fmt: skip


# accepted -----------------------------------------------------------------------------------------------------------

LONG = "가나 " * 33_333  # 10^5 characters
NFD = [normalize("NFD", part) for part in ("작가 마루는 소설 '새벽'을 지었다.", "마루", "새벽")]
# sentence, subject, object of rows that look wrong and are not
ODD = {
    "emoji before": ("😀👨‍👩‍👧 마루는 나래의 형이다.", "마루", "나래"),
    "emoji in the words": ("가수 마루🎤는 '새벽🌅'을 불렀다.", "마루🎤", "새벽🌅"),
    "NFD": NFD,
    "10^5 characters around": (LONG[:50_001] + "마루는 나래의 형이다. " + LONG[50_001:], "마루", "나래"),
    "10^5 characters between": (f"마루는 {LONG} 나래의 형이다.", "마루", "나래"),
    "10^5 characters without a blank": ("가" * 10**5 + "마루와 나래", "마루", "나래"),
    "line ends": ("첫 줄\r\n\r둘째 줄의 마루는\n나래의 형이다.\r", "마루", "나래"),
    "blanks": ("\u3000마루\u00a0는\t나래의 형이다. ", "마루", "나래"),
    "blank in the words": ("가수 마루 는 나래 의 형이다.", "마루 ", " 나래 "),
    "touching": ("마루나래", "마루", "나래"),
    "one character": ("나의 너", "나", "너"),
    "other way round": ("마루는 나래의 형이다.", "나래", "마루"),
    "quotes": ('"마루"는 \'O\'\'Hara\', ""나래""의 {형}이다.', '"마루"', "O''Hara"),
    "backslashes": ("C:\\new\\마루\\u0041 나래", "\\마루\\u0041", "나래"),
    "markers": ("@ * 사람 * 마루 @ # [SEP] [CLS] <subj> 나래 </subj> [UNK]", "마루", "나래"),
    "Python's words": ("None은 nan의 True이다.", "None", "nan"),
    "Hanja, Latin, Arabic": ("金玉均(Ève)은 مرحبا 나래", "金玉均(Ève)", "나래"),
    "a sentence again": ("마루는 나래의 형이다.", "마루", "나래"),
}


@pytest.mark.parametrize("name, write", [("train.json", dumped), ("train.csv", as_csv)])
def test_odd_rows_that_are_right_train(folder, capsys, name, write):
    ids = ["1", "01", 1001, *list(ODD)[3:]]  # numbers, and texts that would be the same numbers
    odd = [
        row(one, sentence, subject, "PER", object, "POH", "per:siblings")
        for one, (sentence, subject, object) in zip(ids, ODD.values(), strict=True)
    ]
    path = folder.write(name, write(good_rows() + odd))
    assert main(folder.command("--data.train", path, "--data.dev", path)) == 0
    report = folder.report()
    assert (report["updates"], report["examples_per_rank"], report["skipped_rows"]) == (1, [8 + len(ODD)], [])
    assert "error" not in capsys.readouterr().err
    with (folder.runs / "try" / "predictions" / "dev.csv").open(encoding="utf-8", newline="") as file:
        assert [one["id"] for one in csv.DictReader(file)] == [str(one["guid"]) for one in good_rows() + odd]


def ends(line_end: str) -> str:
    """The good rows as CSV with these line ends; quotes everywhere, as some programs write them."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerows(csv.reader(as_csv().splitlines()))
    return file.getvalue()


def other_columns() -> str:
    """With an index and a note, sorted by name."""
    rows = [one | {"": number, "note": "x,y"} for number, one in enumerate(csv.DictReader(as_csv().splitlines()))]
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, sorted(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


MARK = codecs.BOM_UTF8
FORMS = {
    "CSV": as_csv(),
    "CSV, CRLF, quotes": ends("\r\n"),
    "CSV, CR, quotes": ends("\r"),
    "CSV, mark": MARK + as_csv().encode(),
    "CSV, mark, CRLF, quotes": MARK + ends("\r\n").encode(),
    "CSV, mark, empty lines": MARK + b"\r\n\n" + as_csv().encode() + b"\n\n",
    "CSV, other columns": other_columns(),
    "JSON, mark, CRLF": MARK + dumped(good_rows()).replace(b", ", b",\r\n"),
    "JSON, indented": json.dumps(good_rows(), indent="\t") + "\n",
}


@pytest.mark.parametrize("content", FORMS.values(), ids=FORMS)
def test_form_of_a_file_does_not_change_what_is_trained_on(folder, capsys, content):
    """Line ends, byte-order marks, quotes, indents and columns: the same tokens, spans and labels as of plain JSON."""
    path = folder.write("train.file", content)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert main(folder.command(*NO_DEV, "--data.train", path)) == 0
    said = [str(one.message) for one in caught if "byte-order mark" in str(one.message)]
    marked = isinstance(content, bytes) and content.startswith(MARK)
    assert said == ([f"{path}: starts with a byte-order mark, which was skipped"] if marked else [])
    assert "error" not in capsys.readouterr().err
    assert folder.report()["updates"] == 1
    assert folder.report()["skipped_rows"] == []

    (found,) = stores(folder.cache)
    assert main(folder.command(*NO_DEV, "--run.name", "plain")) == 0
    (other,) = stores(folder.cache) - {found}
    names = sorted(file.name for file in found.iterdir())
    assert names == sorted(file.name for file in other.iterdir())
    assert all((found / name).read_bytes() == (other / name).read_bytes() for name in names)


def stores(cache: Path) -> set[Path]:
    return {path for path in cache.iterdir() if path.is_dir()}
