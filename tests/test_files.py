"""Small files as people bring them, each with what must come out of it: rows, spans, labels, or the message.

How rows are written: see file_cases.py.
"""

import pytest

from data.readers.options import Columns
from engine.compose.data import open_sources
from engine.config import Config, DataConfig
from file_cases import FILES, Case, comes_out, learned, text
from refusals import refused

HEADQUARTERS = "⟨가람전자:ORG⟩는 ⟪나래시:LOC⟫에 본사를 둔다."
EMPLOYEE = "배우 ⟨한별:PER⟩은 ⟪도담극단:ORG⟫ 소속이다."
SIBLING = "⟨이새봄:PER⟩은 ⟪정가온:PER⟫의 누나이다."
FOUNDED = "⟨다솔건설:ORG⟩은 ⟪2003년:DAT⟫에 문을 열었다."

LABELS = {
    "label_blanks.csv": Case(
        [
            f"0 | {HEADQUARTERS} | org:place_of_headquarters",
            f"1 | {EMPLOYEE} | per:employee_of",
            f"2 | {SIBLING} | no_relation",
            f"3 | {FOUNDED} | no_relation",
        ],
        notes={"blanks around": 3},
    ),
    "labels_alike.tsv": Case(
        ["1 | 비가 온다 | 날씨", "2 | 눈이 온다 | \u1102\u1161\u11af\u110a\u1175", "3 | 해가 뜬다 | 날\u200b씨",
         "4 | 공을 찬다 | Sport",
         "5 | 공을 친다 | sport", "6 | 책을 산다 | 책"],
        text() | learned(),
        notes={"no column of ids": 6},
        warned=[
            "'Sport' and 'sport' differ only in case",
            r"'\\u1102\\u1161\\u11af\\u110a\\u1175' and '\\ub0a0\\u200b\\uc528' and '날씨' differ only",
        ],
    ),
    "labels_missing.csv": Case(
        ["1 | 비가 온다 | 좋음", "2 | 눈이 온다 | nan", "3 | 해가 뜬다 | None", "4 | 달이 뜬다 | 나쁨"],
        text() | learned(),
        notes={"no column of ids": 4},
        warned=["None, nan looks like a missing value"],
    ),
    "header_twice.csv": Case(
        ["1 | 비가 온다 | 좋음", "2 | 눈이 온다 | 나쁨", "! repeats the header", "4 | 해가 뜬다 | 좋음"],
        text() | learned(on_bad_row="skip"),
        ["나쁨", "좋음"],
        {"no column of ids": 3},
    ),
    "labels_lists.csv": Case(
        ['1 | 비가 온다 | ["날씨"]', '2 | 공을 찬다 | ["운동"]', "3 | 해가 뜬다 | 날씨"],
        text() | learned(),
        notes={"no column of ids": 3},
        warned=["2 of 3 classes look like several labels or a list"],
    ),
    "labels_joined.tsv": Case(
        ["1 | 비가 온다 | 기쁨", "2 | 눈이 온다 | 기쁨#놀람", "3 | 해가 뜬다 | 놀람", "4 | 달이 뜬다 | 놀람#슬픔",
         "5 | 별이 뜬다 | 슬픔"],
        text() | learned(),
        notes={"no column of ids": 5},
        warned=["2 of 5 classes look like several labels.*기쁨#놀람"],
    ),
    "label_numbers.tsv": Case(
        [f"{row} | 문장 {label} | {label}" for row, label in enumerate((10, 2, 0, 1, 11, -1), start=1)],
        text() | learned(),
        ["-1", "0", "1", "2", "10", "11"],
        {"no column of ids": 6},
    ),
    "label_100_class.json": Case(
        [f"0 | {HEADQUARTERS} | 99", f"1 | {EMPLOYEE} | 100", f"2 | {SIBLING} | 100", f"3 | {FOUNDED} | 101"],
        learned(),
        ["99", "100", "101"],
    ),
    "label_100_none.csv": Case([f"0 | {HEADQUARTERS} | None", f"1 | {EMPLOYEE} | None"]),
    "class_numbers.json": Case(
        [
            f"0 | {HEADQUARTERS} | org:place_of_headquarters",
            f"1 | {EMPLOYEE} | per:employee_of",
            f"2 | {SIBLING} | no_relation",
            f"3 | {FOUNDED} | None",
        ],
        notes={r"class numbers, read as those of data.labels \(0 = no_relation, 1 = org:dissolved": 3},
    ),
}  # fmt: skip

ENTITIES = {
    "keys_text_entity_type.csv": Case(
        [
            f"0 | {HEADQUARTERS} | org:place_of_headquarters",
            f"1 | {EMPLOYEE} | per:employee_of",
            f"2 | {SIBLING} | no_relation",
            f"3 | {FOUNDED} | org:founded",
        ],
        notes={r"keys of entities: text \(word\), start \(start\), end \(end\), entity_type \(type\)$": 4},
    ),
    "keys_twice.csv": Case(["! subject_entity has text and name; data.columns.word says which is the word"]),
    "keys_named.csv": Case(
        [f"0 | {HEADQUARTERS} | org:place_of_headquarters"],
        {"columns": Columns(word="표제", start="처음", end="끝", type="갈래"), "offsets": "exclusive"},
    ),
    "offsets_as_texts.json": Case(
        [
            f"0 | {HEADQUARTERS} | org:place_of_headquarters",
            f"1 | {EMPLOYEE} | per:employee_of",
            f"2 | {SIBLING} | no_relation",
            f"3 | {FOUNDED} | org:founded",
        ],
        notes={"offsets are texts or decimals": 4},
    ),
    "ends_missing.json": Case(
        [f"0 | {HEADQUARTERS} | org:place_of_headquarters", f"1 | {EMPLOYEE} | per:employee_of"],
        notes={"the end of an entity is missing and follows": 2},
    ),
    "starts_missing.json": Case(
        [
            "0 | 한별과 ⟪한별이:PER⟫는 ⟨도담극단:ORG⟩에서 만났다. | no_relation",
            "! object_entity has no start, and '한별' stands 2 times in the sentence",
        ],
        {"on_bad_row": "skip"},
        notes={"the start of an entity is missing": 1},
    ),
    "types_missing.json": Case(
        [
            f"0 | {HEADQUARTERS} | org:place_of_headquarters".replace(":ORG", "").replace(":LOC", ""),
            f"1 | {EMPLOYEE} | per:employee_of".replace(":PER", "").replace(":ORG", ""),
            f"2 | {SIBLING} | no_relation".replace(":PER", ""),
        ],
    ),
    "conventions_mixed.csv": Case(
        [
            f"0 | {HEADQUARTERS} | org:place_of_headquarters",
            f"1 | {EMPLOYEE} | per:employee_of",
            f"2 | {SIBLING} | no_relation",
            f"3 | {FOUNDED} | org:founded",
            "4 | 나래시의 ⟪나래시:LOC⟫청 옆에 ⟨가람전자:ORG⟩가 있다. | org:place_of_headquarters",
            "! object_entity: '새솔' does not start at 3, and stands at 0 and 6, equally far from it",
            "! object_entity: '하늘' is not in the sentence",
        ],
        {"offsets": "find"},
        notes={"ends are inclusive": 2, "ends are exclusive": 1, "shifted by one number": 2, "nearest place": 1},
    ),
    "conventions_unsaid.csv": Case(
        [
            f"0 | {HEADQUARTERS} | org:place_of_headquarters",
            "! ; data.offsets exclusive fits it, find decides for each row",
            "! ; data.offsets find fits it",
        ],
    ),
}  # fmt: skip

IDS = {
    "ids_none.csv": Case(
        [f"1 | {HEADQUARTERS} | org:place_of_headquarters", f"2 | {EMPLOYEE} | per:employee_of"],
        notes={"no column of ids: the number of the row": 2},
    ),
    "ids_none.json": Case(
        [f"1 | {HEADQUARTERS} | org:place_of_headquarters", f"2 | {EMPLOYEE} | per:employee_of"],
        notes={"no column of ids: the number of the row": 2},
    ),
    "ids_named_id.json": Case(
        [f"7 | {HEADQUARTERS} | org:place_of_headquarters", f"8 | {EMPLOYEE} | per:employee_of"]
    ),
    "ids_text.csv": Case(["0 | 비가 온다 | 좋음", "1 | 눈이 온다 | 나쁨"], text() | learned()),
    "ids_text_twice.csv": Case(
        ["7 | 비가 온다 | 좋음", "! already used in row 1; data.columns.id row numbers the rows instead"],
        text() | learned(labels="klue"),
    ),
}  # fmt: skip

TACRED = {
    "tacred_exclusive.json": Case(
        "none of 20 entities is one word long; public copies have exclusive ends: set data.offsets exclusive",
        {"format": "tacred"} | learned(labels="klue"),
    ),
    "tacred_exclusive.jsonl": Case(
        [f"{n} | ⟨강{n} 씨:PERSON⟩ 는 ⟪다온{n}:CITY⟫ 에 산다 | per:title" for n in range(10)],
        {"format": "tacred", "offsets": "exclusive"},
    ),
    "tacred_few.json": Case(
        [
            "a | ⟨하람 이:PERSON⟩ ⟪다온 에:CITY⟫ 산다 | per:title",
            "! subject '하람 이' and object '이 다온' overlap in the sentence; data.offsets exclusive fits it",
        ],
        {"format": "tacred", "on_bad_row": "skip"},
        warned=["none of 4 entities is one word long"],
    ),
}  # fmt: skip

PLACES = [f"1 | {HEADQUARTERS}".replace(":ORG", "").replace(":LOC", "") + " | org:place_of_headquarters"]
SMALL = {
    "one_column.tsv": Case(
        ["1 | 비가 온다, 그리고 춥다 | None", "2 | 눈이 온다 | None"], text(), notes={"no column of ids": 2}
    ),
    "one_column.csv": Case(
        ['1 | 비가 온다, 그리고 "춥다" | None', "2 | 눈이 온다 | None"], text(), notes={"no column of ids": 2}
    ),
    "inline_brackets.csv": Case(
        [
            *PLACES,
            "2 | 배우 ⟨한별⟩은 ⟪도담극단⟫ 소속이다. | per:employee_of",
            "3 | ⟪정가온⟫의 누나 ⟨이새봄⟩ | no_relation",
            "! found [[ 1 times, ]] 1 times, << 2 times, >> 2 times in",
            "! found <e1> 0 times",
        ],
        {"format": "inline", "on_bad_row": "skip"},
        notes={"no column of ids": 3, "blanks inside the marks": 1},
    ),
    "inline_tags.tsv": Case(
        [
            f"7{PLACES[0][1:]}",
            "8 | 배우 ⟨한별⟩ 은 ⟪도담극단⟫ 소속이다. | per:employee_of",  # no two words become one
        ],
        {"format": "inline", "columns": Columns(text="sentence", label="relation")},
        notes={"blanks inside the marks": 1},
    ),
    "inline.jsonl": Case(PLACES, {"format": "inline"}, notes={"no column of ids": 1}),
    "no_subject.csv": Case(
        "no column subject_entity, object_entity; .*; data.columns.text, subject and object name others"
    ),
}  # fmt: skip

TWO = [f"k-0 | {HEADQUARTERS} | org:place_of_headquarters", f"k-1 | {EMPLOYEE} | per:employee_of"]
FOUR = [*TWO, f"k-2 | {SIBLING} | no_relation", f"k-3 | {FOUNDED} | org:founded"]
NUMBERED = [row.removeprefix("k-") for row in TWO]
FORMS = {
    "klue.jsonl": Case(FOUR),
    "klue_broken_line.jsonl": Case(["! no valid JSON", TWO[1], FOUR[2]], {"on_bad_row": "skip"}),
    "klue_one_line.jsonl": Case(TWO[:1]),
    "klue_data.json": Case(TWO, warned=["one JSON object, read as the list under 'data': 2 rows"]),
    "columns.json": Case(TWO, warned=["one JSON object, read as columns: 2 rows"]),
    "columns_unequal.json": Case(r"columns are of different lengths \(guid 2, sentence 2, .* label 1, source 2\)"),
    "pandas_columns.json": Case(TWO, warned=["read as columns: 2 rows"]),
    "pandas_index.json": Case(TWO, warned=["read as numbered rows: 2 rows"]),
    "pandas_split.json": Case(TWO, warned=["read as columns and data: 2 rows"]),
    "pandas_table.json": Case(TWO, warned=["read as the list under 'data': 2 rows"]),
    "boostcamp.tsv": Case(NUMBERED),
    "boostcamp_semicolons.csv": Case(NUMBERED),
    "boostcamp_json_entities.csv": Case([NUMBERED[0].replace(":ORG", ""), NUMBERED[1].replace(":PER", "")]),
    "boostcamp_open_quote.tsv": Case([NUMBERED[0].replace("⟨", '"⟨', 1), NUMBERED[1]], {"quoting": False}),
    "text_semicolons.csv": Case(
        ["1 | 비가 온다, 그리고 춥다 | 좋음", "2 | 눈이 온다 | 나쁨"], text() | learned(), notes={"no column of ids": 2}
    ),
    "text_columns.json": Case(
        ["1 | 비가 온다 | 좋음", "2 | 눈이 온다 | 나쁨"],
        text() | learned(),
        notes={"no column of ids": 2},
        warned=["read as columns: 2 rows"],
    ),
    "multi_label.jsonl": Case(
        ["! label is ['날씨'], expected a text or a whole number; several labels a row (multi-label) and one a word "
         "(tagging) are not supported", "! (multi-label)", "3 | 공을 찬다 | 운동", "4 | 해가 뜬다 | 날씨"],
        text() | learned(on_bad_row="skip"),
        ["날씨", "운동"],
        {"no column of ids": 2},
    ),
    "tagging.jsonl": Case(
        ["! label is [1, 0], expected a text or a whole number; several labels a row (multi-label) and one a word "
         "(tagging) are not supported", "2 | 공을 찬다 | O", "3 | 해가 뜬다 | B-PER"],
        text() | learned(on_bad_row="skip"),
        notes={"no column of ids": 2},
    ),
    "regression.jsonl": Case(
        ["! label is 3.6, expected a text or a whole number; numbers to predict (regression) are not supported",
         "2 | 눈이 온다 | 4", "3 | 해가 뜬다 | 1"],
        text() | learned(on_bad_row="skip"),
        ["1", "4"],
        {"no column of ids": 2},
    ),
    "regression.csv": Case(
        ["1 | 비가 온다 | 3.6", "2 | 눈이 온다 | 4.0", "3 | 해가 뜬다 | 0.5"],
        text() | learned(),
        notes={"no column of ids": 3},
        warned=[r"0\.5, 3\.6, 4\.0 look like numbers to predict \(regression\), which is not supported"],
    ),
    "header_as_row.csv": Case(
        ["1 | text | label", "2 | 비가 온다 | 나쁨", "3 | 눈이 온다 | 좋음", "4 | 해가 뜬다 | 좋음",
         "5 | 달이 뜬다 | 나쁨", "6 | 바람이 분다 | 나쁨", "7 | 별이 뜬다 | 좋음"],
        {"format": "text", "header": False, "columns": Columns(text=1, label=2)} | learned(),
        notes={"no column of ids": 7},
        warned=["'label' is the label of the first row alone, whose text is 'text': if that is a header"],
    ),
    "header_as_row.csv turned": Case(
        ["1 | 나쁨 | 비가 온다", "2 | 좋음 | 눈이 온다", "3 | 좋음 | 해가 뜬다", "4 | 나쁨 | 달이 뜬다",
         "5 | 나쁨 | 바람이 분다", "6 | 좋음 | 별이 뜬다"],
        text(text="label", label="text") | learned(),
        notes={"no column of ids": 6},
        warned=["labels are longer than the texts .* the other way round"],
    ),
    "header_as_row.csv by another column": Case(
        "learned finds nothing .*looked for in 'category', .*; found text, label", text(label="category") | learned()
    ),
    "numbers_in_one.tsv": Case(
        ["1 | 비가 온다 | 8", "2 | 눈이 온다 | 2,3", "3 | 해가 뜬다 | 8", "4 | 달이 뜬다 | 0,4,7"],
        text() | learned(),
        notes={"no column of ids": 4},
        warned=["2 of 3 classes look like several labels"],
    ),
    "under_a_key.json": Case(
        ["1 | 비가 온다 | 나쁨", "2 | 눈이 온다 | 좋음"],
        text() | learned(),
        notes={"no column of ids": 2},
        warned=["one JSON object, read as the list under 'annotations': 2 rows"],
    ),
    "triples.json": Case(
        ["! spo_list is a list of 1, which have no subject as a whole; a row has one: make the items of spo_list"],
        {"columns": Columns(text="text", subject="spo_list.subject")},
    ),
    "triples.json as it is": Case(
        ["! found text, spo_list; expected guid, sentence, subject_entity, object_entity, label; data.columns.text, "
         "subject and object name others, data.format other forms"],
    ),
    "several_a.csv": Case(
        ["1 | 비가 온다 | 좋음", "2 | 눈이 온다 | 나쁨", "several_b.jsonl:2 | 해가 뜬다 | 좋음", "3 | 달이 뜬다 | 나쁨",
         "! id '3' was already used in row 2; data.columns.id row"],
        text()
        | learned(on_bad_row="skip")
        | {"train": [str(FILES / "several_a.csv"), str(FILES / "several_b.jsonl")]},
        notes={"from several_a.csv": 2, "from several_b.jsonl": 2, "stands in an earlier file, too: it is FILE:ID": 1},
    ),
    "several_b.jsonl": Case(
        ["2 | 해가 뜬다 | 좋음", "3 | 달이 뜬다 | 나쁨", "! id '3' was already used in row 2"],
        text() | learned(on_bad_row="skip"),
    ),
}  # fmt: skip

CASES = LABELS | ENTITIES | IDS | TACRED | SMALL | FORMS


@pytest.mark.parametrize("name", CASES)
def test_what_comes_out_of_a_file(name):
    comes_out(FILES / name.split()[0], CASES[name])


def test_an_unknown_label_leads_to_what_helps(folder, capsys):
    path = str(FILES / "label_unknown.json")
    with_labels = ["--data.train", path, "--data.dev", "null"]
    refused(
        folder, capsys, with_labels, ["unknown label '본사'", "; data.labels learned takes those of the training rows"]
    )
    refused(folder, capsys, [*with_labels, "--data.on_bad_row", "skip"], ["such as row 2: unknown label 'No_Relation'"])


def test_an_empty_name_of_a_column_is_refused(folder, capsys):
    """It ended in a KeyError."""
    empty = ["--data.format", "text", "--data.columns.text", ""]
    refused(folder, capsys, empty, ["data.columns.text: got '', expected the name of a column, or null"])


def test_semeval_proposes_no_option_that_it_ignores(tmp_path):
    path = tmp_path / "rows.tsv"
    rows = [f"관계 {n}\t<e1>가{n}</e1> <e2>나</e2>\n" for n in range(60)]
    path.write_text("".join(rows), encoding="utf-8")
    config = Config(data=DataConfig(**{"train": str(path), "dev": None, "format": "semeval"} | learned()))
    with pytest.raises(ValueError, match="learned finds 60 different labels in 60 rows") as caught:
        open_sources(config)
    assert "data.columns" not in str(caught.value)


def test_every_file_has_its_case():
    """Those of documents/ have theirs in test_document_files.py."""
    assert {path.name for path in FILES.iterdir()} == {
        *(name.split()[0] for name in CASES),
        "label_unknown.json",
        "documents",
    }
