"""Small files and folders of annotation tools and research data sets, each with what must come out of it.

How rows are written: see file_cases.py. A name may be followed by what is different about a case.
"""

import json
import pickle
from dataclasses import replace
from itertools import pairwise

import pytest

from data.readers import FORMATS
from data.readers.options import DEFAULT, Columns, ReaderOptions
from data.readers.source import open_source
from data.schema import Example
from engine.arguments.parse import parse
from engine.config import Config, DataConfig, prediction_settings
from engine.data_report.__main__ import main as data_report
from engine.predict.__main__ import main as predict
from file_cases import FILES, Case, comes_out, learned, written
from refusals import refused
from train import main

FOLDER = FILES / "documents"
SKIP = {"on_bad_row": "skip"}
WITHOUT = r"no row is made of {} text\(s\) without a relation; data.negatives makes rows of their pairs"
NUMBERED = "no id of documents"
SEVERAL = "several relations of one pair"


def doccano(**options) -> dict:
    return {"format": "doccano"} | options


def studio(**options) -> dict:
    return {"format": "label_studio"} | options


FOUNDED = "⟨다온전자:ORG⟩는 ⟪한별:PER⟫이 세웠고 나래시에 있다."
LOCATED = "⟨다온전자:ORG⟩는 한별이 세웠고 ⟪나래시:LOC⟫에 있다."
SEEN = "다온전자는 ⟨한별:PER⟩이 세웠고 ⟪나래시:LOC⟫에 있다."
WORKS = "⟨가람:PER⟩은 ⟪누리건설:ORG⟫에서 일한다."


def turned(sentence: str) -> str:
    """The same with subject and object the other way round."""
    return sentence.translate(str.maketrans("⟨⟩⟪⟫", "⟪⟫⟨⟩"))


DOCCANO = {
    "doccano_relations.jsonl": Case(
        [f"101:1 | {FOUNDED} | founded_by", f"101:2 | {LOCATED} | located_in", f"102:3 | {WORKS} | works_for"],
        doccano() | learned(),
        ["founded_by", "located_in", "works_for"],
        warned=[WITHOUT.format(1)],
    ),
    "doccano_relations.jsonl with negatives": Case(
        [
            f"101:1 | {FOUNDED} | founded_by",
            f"101:2 | {LOCATED} | located_in",
            f"101:12>11 | {turned(FOUNDED)} | no_relation",
            f"101:12>13 | {SEEN} | no_relation",
            f"101:13>11 | {turned(LOCATED)} | no_relation",
            f"101:13>12 | {turned(SEEN)} | no_relation",
            f"102:3 | {WORKS} | works_for",
            f"102:22>21 | {turned(WORKS)} | no_relation",
        ],
        doccano(negatives="no_relation") | learned(negative_label="no_relation"),
        ["founded_by", "located_in", "no_relation", "works_for"],
    ),
    "doccano_bad.jsonl": Case(
        [
            "! relation 1: names entity '99', which its text does not have",
            "! relation 2: entity 14 at characters 20..90 is not in its text of 22",
            "! relation 3: entity 15 at characters 5..6 holds only blanks",
            "! subject '다온' and object '다온전자' overlap in the sentence",
            f"1:5 | {FOUNDED} | founded_by",
            f"1:6 | {FOUNDED} | led_by",
            "! subject '한별' and object '한별' overlap in the sentence",
            "! no key text or data; found id, entities, relations; data.columns.text names another",
            "! found list ['id', 3], expected an object",
            "! relation 8: type holds 2 labels, ['works_for', 'leads']: multi-label data are not supported",
        ],
        doccano(),
        notes={SEVERAL: 2},
    ),
    "doccano_import.jsonl": Case(
        [f"1:0 | {FOUNDED} | founded_by", f"1:1 | {turned(LOCATED)} | seat_of"], doccano(), notes={NUMBERED: 2}
    ),
    "doccano_import.jsonl by number": Case(
        [f"1:0 | {FOUNDED} | founded_by", f"1:1 | {turned(LOCATED)} | seat_of"], doccano(columns=Columns(id="row"))
    ),
    "doccano_entities.json": Case([f"1:21>22 | {WORKS} | None", f"1:22>21 | {turned(WORKS)} | None"], doccano()),
    "doccano_entities.json with negatives": Case(
        [f"1:21>22 | {WORKS} | None", f"1:22>21 | {turned(WORKS)} | None"], doccano(negatives="no_relation")
    ),
    "doccano_tagging.jsonl": Case(
        [
            *(f"{n}:{pair} | {text} | None" for n in (1, 2) for pair, text in (("0>1", WORKS), ("1>0", turned(WORKS)))),
            "3:0>1 | ⟨가람:4⟩은 ⟪누리건설:5⟫에서 일한다. | None",
            "3:1>0 | ⟪가람:4⟫은 ⟨누리건설:5⟩에서 일한다. | None",
        ],
        doccano(),
    ),
    "doccano_classes.jsonl": Case(
        [
            "1 | 비가 온다 | 날씨",
            "2 | 공을 찬다 | 운동",
            "! label holds 2 labels, ['날씨', '운동']: multi-label data are not supported",
            "4 | 책을 산다 | None",
            "5 | 눈이 온다 | 날씨",
            "! label is ['entities'], which doccano wrote in place of entities",
        ],
        doccano() | learned() | SKIP,
        ["날씨", "운동"],
    ),
    "doccano_numbers.jsonl": Case(
        ["1 | 비가 온다 | 4", "2 | 공을 찬다 | 9", "! annotations holds 2 labels, ['4', '9']"],
        doccano() | learned() | SKIP,
        ["4", "9"],
    ),
    "doccano_empty.jsonl": Case(
        r"no row is made of its 2 document\(s\): 2 text\(s\) without a relation; data.negatives", doccano()
    ),
    "doccano_empty.jsonl with negatives": Case("none has two entities", doccano(negatives="no_relation")),
}

LABEL_STUDIO = {
    "studio_relations.json": Case(
        [
            f"7:0 | {FOUNDED} | founded_by",
            f"7:1 | {turned(LOCATED)} | seat_of",
            f"7:2 | {SEEN} | seen_in",
            f"7:3 | {turned(SEEN)} | seen_in",
            f"7:4 | {turned(SEEN)} | None",
        ],
        studio(),
        notes={"both directions": 2, SEVERAL: 2},
        warned=[
            WITHOUT.format(1), "1 .* whose annotations were all skipped", "1 .* predictions of a model", "1 .* nobody",
        ],
    ),
    "studio_bad.json": Case(
        [
            "! relation 0: names entity 'zz', which its text does not have",
            "! relation 1: labels holds 2 labels, ['x', 'y']: multi-label data are not supported",
            "! relation 2: direction is 'up', expected right, left or bi",
            "! relation 0: region a is '가람', but characters 1..3 of its text are '람은'",
            "! data has no key text; found a, b; data.columns.text names another",
        ],
        studio(),
    ),
    "studio_annotators.json": Case(
        [
            f"1:0 | {FOUNDED} | founded_by",
            "! 1 of 2 annotations have located_in between '다온전자' and '나래시'; mark one annotation as ground truth",
            f"2:0 | {FOUNDED} | founded_by",
        ],
        studio(),
        notes={"2 annotations agree": 1, "marked as ground truth are read": 1},
        warned=[r"1 skipped annotation\(s\)"],
    ),
    "studio_annotators.json with negatives": Case(
        [
            f"1:0 | {FOUNDED} | founded_by",
            "! 1 of 2 annotations have located_in",
            f"1:6-8>0-4 | {turned(FOUNDED)} | 없음",
            f"2:0 | {FOUNDED} | founded_by",
            f"2:y>x | {turned(FOUNDED)} | 없음",
        ],
        studio(negatives="없음"),
        notes={"2 annotations agree": 1, "marked as ground truth are read": 2},
        warned=[r"1 skipped annotation\(s\)", "1 entity or entities that only some annotations of a task have"],
    ),
    "studio_completions.json": Case(
        [f"1:0 | {WORKS} | works_for"], studio(), notes={"several types, of which the first is read": 1}
    ),
    "studio_utf16.json": Case(
        ["1:0 | 😀 ⟨가람:PER⟩은 누리건설에서 ⟪일한다.\n끝:X⟫ | does"], studio(), notes={"UTF-16 units": 1}
    ),
    "studio_choices.json": Case(
        [
            "1 | 비가 온다 | 날씨",
            "2 | 공을 찬다 | 운동",
            "! choices holds 2 labels, ['날씨', '운동']: multi-label data are not supported",
            "! its 2 annotations disagree: 날씨, 운동; mark one as ground truth",
            "5 | 책을 산다 | None",
            "6 | 눈이 온다 | 날씨",
        ],
        studio() | learned() | SKIP,
        ["날씨", "운동"],
        {"2 annotations agree": 1},
        [r"1 result\(s\) of type 'rating', which are neither relations nor choices"],
    ),
    "studio_two_choices.json": Case("choices are called mood, topic; data.columns.label says which", studio()),
    "studio_two_choices.json named": Case(
        ["1 | 비가 온다 | 좋음", "2 | 공을 찬다 | 나쁨"],
        studio(columns=Columns(label="mood")) | learned(),
        ["나쁨", "좋음"],
    ),
    "studio_min_choices.json": Case(
        [
            "1 | 비가 온다 | 날씨",
            "2 | 공을 찬다 | 운동",
            "! choices holds 2 labels, ['날씨', '운동']: multi-label data are not supported",
            "! its 2 annotations disagree: 날씨, 운동",
            "5 | 책을 산다 | None",
        ],
        studio(),
    ),
    "studio_min_columns.json": Case(
        ["! topic, source may be the choices; data.columns.label says which are"] * 2, studio()
    ),
    "studio_min_columns.json named": Case(
        ["1 | 비가 온다 | 날씨", "2 | 공을 찬다 | 운동"], studio(columns=Columns(label="topic"))
    ),
    "studio_min_relations.json": Case([f"1:0 | {WORKS} | works_for"], studio()),
    "studio_min_entities.json": Case(
        [f"1:label0>label1 | {WORKS} | None", f"1:label1>label0 | {turned(WORKS)} | None"],
        studio(),
        warned=["JSON-MIN keeps no relations, so that rows have no labels; export as JSON"],
    ),
    "studio_predictions.json": Case(r"2 task\(s\) with predictions of a model only, which are no labels", studio()),
    "studio_tasks.json": Case(["1 | 비가 온다 | None", "2 | 공을 찬다 | None"], studio(), notes={NUMBERED: 1}),
}  # fmt: skip

COLLEAGUE = "⟨가람:PER⟩은 마루의\n⟪동료:ROLE⟫이다. 둘은 산에 간다."
BRAT_ROWS = [
    "! found 'R7 knows Arg1:T4 Arg2:T5', expected T1, TAB, type",
    f"news/01:R1 | {FOUNDED} | founded_by",
    f"news/01:R2 | {LOCATED} | located_in",
    f"news/01:R3 | {COLLEAGUE} | is",
    "! relation R4: entity T6 is in several pieces ('33 35;43 44'), which a span cannot be",
    "! relation R5: entity T7 is '강', but characters 46..47 of its text are '산'",
    "! relation R6: names entity 'E1', which its text does not have",
]
BRAT_WARNED = [
    r"1 text\(s\) without a file name.ann", r"1 event\(s\) \(E\)", r"2 attribute\(s\) \(A, M\)",
    r"1 normalisation\(s\) \(N\)", r"1 equivalence\(s\) \(\*\)", r"1 note\(s\) \(#\)",
]  # fmt: skip
LEADS = "⟨한별:PER⟩은 ⟪다온:ORG⟫의 대표이다."
BRAT = {
    "brat": Case(BRAT_ROWS, {"format": "brat"}, warned=[*BRAT_WARNED, WITHOUT.format(1)]),
    "brat with negatives": Case(
        [
            *BRAT_ROWS,
            f"news/01:T2>T1 | {turned(FOUNDED)} | no_relation",
            f"news/01:T2>T3 | {SEEN} | no_relation",
            f"news/01:T3>T1 | {turned(LOCATED)} | no_relation",
            f"news/01:T3>T2 | {turned(SEEN)} | no_relation",
        ],
        {"format": "brat", "negatives": "no_relation"},
        warned=[*BRAT_WARNED, r"20 pair\(s\) of entities without a relation that overlap or do not fit their text"],
    ),
    "brat_entities": Case([f"a:T1>T2 | {LEADS} | None", f"a:T2>T1 | {turned(LEADS)} | None"], {"format": "brat"}),
    "brat_windows": Case(
        [f"a:R1 | {LEADS} | leads"], {"format": "brat"}, notes={"a line end of two characters as one": 1}
    ),
    "brat_alone": Case(r"a\.ann has no text \(\.txt\) of that name", {"format": "brat"}),
    "brat_none": Case(r"holds no file name\.ann; expected a folder of texts \(name\.txt\)", {"format": "brat"}),
    "brat/02.txt": Case(r"found a file; expected a folder of texts \(name\.txt\)", {"format": "brat"}),
    "brat_windows as doccano": Case("is a folder, expected a file", {"format": "doccano"}),
}

DAON = "⟨한별:Peop⟩ founded ( the ) ⟪Daon Works:Org⟫ in Narae ."
NARAE = "한별 founded ( the ) ⟨Daon Works:Org⟩ in ⟪Narae:Loc⟫ ."
MET = "⟨Maru:Peop⟩ met ⟪Gaon:Peop⟫"
USED = "We use ⟨tree kernels:Method⟩ for ⟪parsing:Task⟫ ."
COMPARED = "⟨Tree kernels:Method⟩ beat ⟪chains:Method⟫ ."
SCIERC_BAD = [
    "! subject 'Tree kernels' and object 'kernels' overlap in the sentence",
    "! relation 3: names entity '2-3', which its text does not have",
    "! relation 4: names entity '9-9', which its text does not have",
]
WORDS = {
    "conll04.json": Case(
        [
            f"5178:0 | {DAON} | Founded",
            f"5178:1 | {NARAE} | OrgBased_In",
            "! subject 'Maru' and object 'Maru met Gaon' overlap in the sentence",
            "! relation 1: entity 2 at words 2..4 is not in its text of 3 words",
            "! relation 2: entity 3 at words 2..2 is not in its text of 3 words",
            "! relation 3: names entity '7', which its text does not have",
            "! relation 4: head is None, expected an id",
        ],
        {"format": "conll04"},
        warned=[WITHOUT.format(1)],
    ),
    "conll04_hub.json": Case([f"3:0 | {MET} | Met"], {"format": "conll04"}),
    "conll04_hub.json with negatives": Case(
        [f"3:0 | {MET} | Met", f"3:1>0 | {turned(MET)} | none"], {"format": "conll04", "negatives": "none"}
    ),
    "conll04_entities.jsonl": Case(
        [f"1:0>1 | {MET} | None", f"1:1>0 | {turned(MET)} | None"], {"format": "conll04"}, notes={NUMBERED: 2}
    ),
    "scierc.jsonl": Case(
        [f"X96-1:0 | {USED} | USED-FOR", f"X96-1:1 | {COMPARED} | COMPARE", *SCIERC_BAD], {"format": "scierc"}
    ),
    "scierc.jsonl with negatives": Case(
        [
            f"X96-1:0 | {USED} | USED-FOR",
            f"X96-1:5-5>2-3 | {turned(USED)} | none",
            f"X96-1:1 | {COMPARED} | COMPARE",
            *SCIERC_BAD,
            f"X96-1:10-10>7-8 | {turned(COMPARED)} | none",
            "X96-1:10-10>8-8 | Tree ⟪kernels:Generic⟫ beat ⟨chains:Method⟩ . | none",
            "X96-1:8-8>10-10 | Tree ⟨kernels:Generic⟩ beat ⟪chains:Method⟫ . | none",
        ],
        {"format": "scierc", "negatives": "none"},
        warned=[r"1 pair\(s\) of entities without a relation that overlap"],
    ),
    "scierc_bad.jsonl": Case(
        [
            "! ner is [[]], expected a list for each of 2 sentences",
            "! no key sentences; found doc_key; data.format says what the file is",
            f"c:0 | {USED} | USED-FOR",
            "! relation 1: entity 0-1 is not in its sentence, which has words 7 to 11 of the document",
        ],
        {"format": "scierc"},
        notes={"several types, of which the first is read": 1},
    ),
    "scierc_no_ner.jsonl": Case(
        ["d:0 | We use ⟨tree kernels⟩ for ⟪parsing⟫ . | USED-FOR"], {"format": "scierc"}, warned=[WITHOUT.format(1)]
    ),
}  # fmt: skip

FIRST = "⟨다온전자:ORG⟩ 는 ⟪한별:PER⟫ 이 세웠다 ."
CEO = "⟪Maru Han⟫ led ⟨Daon Works⟩ and Daon Works grew ."
NRE = "⟪Maru Han⟫ led ⟨Daon Works⟩."
CROSSRE_ROWS = [
    "n-1:0 | 배우 ⟨한별:PER⟩ 은 ⟪가람전자:ORG⟫ 소속이다 . | role",
    "n-2:0 | ⟪누리:LOC⟫ 에 ⟨다온:ORG⟩ 이 있다 . | physical",
]
DOCRED_ROWS = [
    f"다온전자:0 | {FIRST} | P112",
    "다온전자:1 | ⟪한별:PER⟫ 은 ⟨다온전자:ORG⟩ 의 대표 이고 한별 은 쉰다 . | P169",
    "! fact 3: entity 3: sent_id is 9, but there are 3 sentences",
    "! fact 4: names entity '8', which its document does not have",
]
DOCRED_WARNED = [r"1 fact\(s\) of which no sentence holds both entities", r"1 mention\(s\) that do not fit"]
DATA_SETS = {
    "crossre.jsonl": Case(CROSSRE_ROWS, {"format": "scierc"}),
    "prodigy.jsonl": Case(
        "is no export of Label Studio: found text, answer, spans, relations; expected annotation_id, annotations, .*"
        "data.format text reads",
        studio(columns=Columns(label="answer")),
    ),
    "prodigy.jsonl as conll04": Case(
        ["! no key tokens; found text, answer, spans, relations"] * 2, {"format": "conll04"}
    ),
    "docred.json": Case(DOCRED_ROWS, {"format": "docred"}, notes={SEVERAL: 2}, warned=DOCRED_WARNED),
    "docred.json with negatives": Case(
        [*DOCRED_ROWS, f"다온전자:1>0 | {turned(FIRST)} | none"],
        {"format": "docred", "negatives": "none"},
        notes={SEVERAL: 2},
        warned=DOCRED_WARNED,
    ),
    "docred_test.json": Case(
        [f"다온전자:0>1 | {FIRST} | None", f"다온전자:1>0 | {turned(FIRST)} | None"],
        {"format": "docred"},
        warned=DOCRED_WARNED[1:],
    ),
    "docred_hub.json": Case(["T:0 | ⟨Maru:PER⟩ met ⟪Gaon:PER⟫ | P3"], {"format": "docred"}),
    "docred_far.json": Case(
        r"no row is made of its 1 document\(s\): 1 fact\(s\) of which no sentence holds both", {"format": "docred"}
    ),
    "fewrel.json": Case(
        [
            f"P169:0 | {CEO} | P169",
            "! t is 'gaon', but the words at its positions are 'Maru Han'",
            "P112:0 | ⟪Maru Han⟫ led Daon Works and ⟨Daon Works⟩ grew . | P112",
            "! h: its positions are [3, 7], expected neighbours: a span has no gaps",
            "! h: its positions are [3, 14], expected neighbours",
        ],
        {"format": "fewrel"} | learned() | SKIP,
        ["P112", "P169"],
        {"several mentions, of which the first is read": 1},
    ),
    "fewrel_list.json": Case(
        [f"1 | {CEO} | None", "! an episode of few-shot training (meta_train), expected an instance"],
        {"format": "fewrel"},
    ),
    "fewrel_hub.jsonl": Case([f"1 | {CEO} | P169"], {"format": "fewrel"}),
    "opennre.txt": Case(
        [
            f"1 | {NRE} | ceo",
            "! entity is 'Daon Works', but characters 13 to 22 (exclusive) are 'Daon Work'; it stands at 13..22; "
            "data.offsets inclusive fits it",
            "! entity is 'Gaon', but characters 13 to 17 (exclusive) are 'Daon'",
            "! no key t; found text, h, relation; data.format",
            "5 | ⟪Maru⟫ led ⟨Daon⟩ | ceo",
        ],
        {"format": "opennre"},
        notes={"no column of ids": 2},
    ),
    "opennre.txt inclusive": Case(
        [
            "! entity is 'daon works', but characters 13 to 23 (inclusive) are 'Daon Works.'; data.offsets exclusive",
            f"2 | {NRE} | ceo",
            "! entity is 'Gaon'",
            "! no key t",
            "! subject entity at words 2 to 3 (inclusive) is not inside the sentence of 3 words; data.offsets ",
        ],
        {"format": "opennre", "offsets": "inclusive"},
        notes={"no column of ids": 1},
    ),
}

CASES = DOCCANO | LABEL_STUDIO | BRAT | WORDS | DATA_SETS
DOCUMENTS = ("doccano", "label_studio", "brat", "conll04", "scierc", "docred", "fewrel", "opennre")


@pytest.mark.parametrize("name", CASES)
def test_what_comes_out_of_a_file(name):
    comes_out(FOLDER / name.split()[0], CASES[name])


def test_every_file_has_its_case():
    assert {path.name for path in FOLDER.iterdir()} == {name.split()[0].split("/")[0] for name in CASES}


def source(name: str, format: str, **options):
    return open_source(str(FOLDER / name), format, "train", "data.train", ReaderOptions(**options))


PLACES = {
    "doccano_bad.jsonl": ("doccano", [(1, "row 1 (line 1)"), (8, "row 8 (line 2)"), (10, "row 10 (line 4)")]),
    "studio_annotators.json": ("label_studio", [(2, "row 2 (document 1)"), (3, "row 3 (document 2)")]),
    "studio_min_choices.json": ("label_studio", [(4, "row 4 (document 4)"), (5, "row 5 (document 6)")]),
    "brat": ("brat", [(1, "row 1 (news/01.ann, line 20)"), (5, "row 5 (news/01.ann, line 11)")]),
    "conll04.json": ("conll04", [(3, "row 3 (document 3)")]),
    "scierc_bad.jsonl": ("scierc", [(1, "row 1 (line 1)"), (4, "row 4 (line 3, sentence 1)")]),
    "docred.json": ("docred", [(3, "row 3 (document 1)")]),
    "fewrel.json": ("fewrel", [(2, "row 2 (P169, instance 1)")]),
    "opennre.txt": ("opennre", [(3, "row 3")]),
}


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.filterwarnings("ignore")
def test_messages_say_where_a_row_stands(name):
    format, places = PLACES[name]
    read = source(name, format)
    assert [read.place(number) for number, _ in places] == [place for _, place in places]


@pytest.mark.parametrize("format", DOCUMENTS)
def test_a_predictor_takes_texts_and_objects(format):
    """Characters of an object's entities are counted as Python does, ends are exclusive."""
    reader = FORMATS[format]
    assert reader.from_python("가람은 일한다.", 3, DEFAULT) == Example("3", "가람은 일한다.")
    row = {
        "text": "가람은 누리건설에서 일한다.",
        "subject": {"start": 0, "end": 2, "type": "PER"},
        "object": {"start": 4, "end": 8, "type": "ORG"},
    }
    assert written(reader.from_python(row, 1, DEFAULT)) == f"1 | {WORKS} | None"
    for change, message in (
        ({"object": {"start": 4}}, r"object is {'start': 4}, expected an object with start, end \(exclusive\)"),
        ({"object": {"start": 4, "end": 99}}, "object entity at characters 4..98 lies outside the sentence"),
        ({"object": {"start": 1, "end": 4}}, "overlap in the sentence"),
        ({"object": {"start": 4, "end": 8, "word": "누리"}}, "object entity is '누리', but characters 4..7"),
        ({"text": 3}, "text is 3, expected a text"),
    ):
        with pytest.raises(ValueError, match=message):
            reader.from_python(row | change, 1, DEFAULT)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name, format", [("doccano_bad.jsonl", "doccano"), ("docred.json", "docred")])
def test_rows_reach_a_process_that_encodes(name, format):
    """Bad ones too, with their labels: such processes get rows through a pipe."""
    rows = [row for _, row in source(name, format, negatives="none").rows()]
    sent = pickle.loads(pickle.dumps(rows))
    assert [(str(one), one.where, getattr(one, "label", None)) for one in sent] == [
        (str(one), one.where, getattr(one, "label", None)) for one in rows
    ]


def test_a_folder_is_known_by_its_texts(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for name in ("2.txt", "1.ann", "1.txt", "2.ann")[:: 1 if folder == "a" else -1]:
            text = "T1\tPER 0 2\t가람\nT2\tPER 4 6\t나래\n" if name.endswith("ann") else "가람과 나래\n"
            (tmp_path / folder / name).write_text(text, encoding="utf-8")
    first, second = (open_source(str(tmp_path / folder), "brat", "train", "data.train") for folder in "ab")
    assert first.identity == second.identity
    assert [written(one)[:8] for _, one in first.examples()] == ["1:T1>T2 ", "1:T2>T1 ", "2:T1>T2 ", "2:T2>T1 "]
    (tmp_path / "b" / "1.txt").write_text("가람과 나래.\n", encoding="utf-8")
    again = open_source(str(tmp_path / "b"), "brat", "train", "data.train")
    assert again.identity["sha256"] != first.identity["sha256"]
    assert replace(first, options=ReaderOptions(negatives="none")).identity != first.identity


def test_negatives_are_an_option_of_formats_with_documents(capsys):
    config, _, notices = parse(["--data.format", "doccano", "--data.negatives", "NULL", "--data.offsets", "exclusive"])
    assert config.data.negatives == "NULL"
    assert notices == ["warning: data.offsets has no effect: data.format doccano does not read it"]
    assert parse(["--data.format", "klue", "--data.negatives", "x"])[2] == [
        "warning: data.negatives has no effect: data.format klue does not read it"
    ]
    with pytest.raises(ValueError, match=r"data\.negatives: got ' ', expected a label, or null"):
        parse(["--data.negatives", " "])
    settings = prediction_settings(Config(data=DataConfig(format="brat", negatives="none")), "fp32")
    assert settings["reader"]["negatives"] == "none"


@pytest.mark.timeout(120)
@pytest.mark.filterwarnings("ignore")
def test_documents_from_training_to_prediction(folder, capsys):
    """Relations and the pairs between them in, pairs of documents that nobody looked through out."""
    names = ["가람", "나래", "다온", "라온", "마루", "바다"]

    def document(number: int, subject: str, object: str, relations: bool) -> dict:
        entities = [
            {"id": 1, "label": "사람", "start_offset": 0, "end_offset": 2},
            {"id": 2, "label": "사람", "start_offset": 4, "end_offset": 6},
        ]
        related = {"relations": [{"id": 5, "from_id": 1, "to_id": 2, "type": "친구"}]} if relations else {}
        return {"id": number, "text": f"{subject}은 {object}의 친구이다.", "entities": entities} | related

    def lines(relations: bool) -> str:
        pairs = enumerate(pairwise(names))
        return "\n".join(json.dumps(document(number, *pair, relations)) for number, pair in pairs)

    train, unlabelled = folder.write("a.jsonl", lines(True)), folder.write("b.jsonl", lines(False))
    own = [
        "--data.format", "doccano", "--data.train", train, "--data.dev", train, "--data.labels", "learned",
        "--data.types", "learned", "--data.type_words", "english", "--data.negatives", "없음", "--data.negative_label",
        "없음", "--track.errors", "false", "--eval.resamples", "0",
    ]  # fmt: skip
    unread = ["row 1 (line 1): the row has no label, which training and evaluation need"]
    refused(
        folder, capsys, [*own, "--data.train", unlabelled, "--data.labels", folder.write("l", "친구\n없음")], unread
    )
    assert main(folder.command(*own)) == 0
    run = folder.runs / "try"
    assert json.loads((run / "best" / "labels.json").read_text(encoding="utf-8")) == ["없음", "친구"]
    assert len((run / "predictions" / "dev.csv").read_text(encoding="utf-8").splitlines()) == 11
    output = folder.path / "out.csv"
    assert predict([str(run), "--input", unlabelled, "--output", str(output), "--threads", "1"]) == 0
    ids = [line.split(",")[0] for line in output.read_text(encoding="utf-8").splitlines()[1:]]
    assert ids == [f"{number}:{pair}" for number in range(5) for pair in ("1>2", "2>1")]
    capsys.readouterr()
    assert data_report([word.replace("try", "report") for word in folder.command(*own)]) == 0
    assert "친구" in capsys.readouterr().out
