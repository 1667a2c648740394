"""Data files with one fault each: of a row, or of the whole file."""

import codecs
import csv
import gzip
import io
import itertools
import json
import zipfile
from unicodedata import normalize

from refusals import dumped, good_rows, row

SENTENCE = good_rows()[2]["sentence"]  # 작가 마루는 소설 '새벽'을 지었다.
LONG = "가나 " * 33_333  # 10^5 characters
NUMBERS = itertools.count()


def third(**change) -> dict:
    """The third good row, changed; with an id of its own, since ids are checked before labels and types."""
    return good_rows()[2] | {"guid": f"나쁜 줄 {next(NUMBERS)}"} | change


def spoiled(**change) -> str:
    return json.dumps(third(**change), ensure_ascii=False)


def spoiled_subject(**change) -> str:
    return spoiled(subject_entity=good_rows()[2]["subject_entity"] | change)


def spoiled_object(**change) -> str:
    return spoiled(object_entity=good_rows()[2]["object_entity"] | change)


def without(key: str) -> str:
    return json.dumps({name: value for name, value in third().items() if name != key})


def moved(sentence: str, by: int) -> dict:
    """A row whose offsets are counted in another way, which puts them `by` too far."""
    content = row(f"나쁜 줄 {next(NUMBERS)}", sentence, "마루", "PER", "새벽", "POH", "per:product")
    for role in ("subject_entity", "object_entity"):
        content[role] |= {key: content[role][key] + by for key in ("start_idx", "end_idx")}
    return content


def long_entities() -> str:
    """10^5 characters, all of them in two entities that fit no window."""
    words = {"subject_entity": LONG[:50_000], "object_entity": LONG[50_001:-1]}
    starts = {"subject_entity": 0, "object_entity": 50_001}
    return spoiled(
        sentence=LONG,
        **{
            role: {"word": word, "start_idx": starts[role], "end_idx": starts[role] + len(word) - 1, "type": "PER"}
            for role, word in words.items()
        },
    )


# the JSON text of one row, fragments of what is said about it
JSON_ROWS = {
    # the row
    "another data set": ('{"id": 1, "text": "가"}', ["no key sentence", "found id, text", "expected id"]),
    "no sentence": (without("sentence"), ["no key sentence; found guid, subject_entity"]),
    "no object": (without("object_entity"), ["no key object_entity; found guid, sentence"]),
    "no label": (without("label"), ["no label"]),
    "a number": ("7", ["found int 7, expected an object"]),
    "null": ("null", ["found NoneType None, expected an object"]),
    "a text": ('"가람"', ["found str '가람', expected an object"]),
    "list of fields": ('["1", "가람은", {}, {}]', ["found list ['1', '가람은', {}, {}], expected an object"]),
    "row in a list": (f"[{spoiled()}]", ["found list [{'guid'", "expected an object"]),
    "label twice": (spoiled()[:-1] + ', "label": "no_relation"}', ["key 'label' stands twice"]),
    # sentence
    "empty sentence": (spoiled(sentence=""), ["the sentence is empty"]),
    "blank sentence": (spoiled(sentence=" \t\u3000\n"), ["the sentence is empty"]),
    "sentence is a number": (spoiled(sentence=3), ["sentence is 3, expected a text"]),
    "sentence is null": (spoiled(sentence=None), ["sentence is None, expected a text"]),
    "sentence in words": (spoiled(sentence=SENTENCE.split()), ["sentence is ['작가', '마루는'", "expected a text"]),
    "half a character": (spoiled(sentence=SENTENCE + "\ud83d").replace("\ud83d", "\\ud83d"), ["\\ud83d", "surrogate"]),
    "other half of a character": (spoiled(sentence="\ude00" + SENTENCE).replace("\ude00", "\\ude00"), ["\\ude00"]),
    # id
    "id null": (spoiled(guid=None), ["guid is empty"]),
    "id empty": (spoiled(guid=""), ["guid is empty"]),
    "id blank": (spoiled(guid=" \n"), ["guid is empty"]),
    "id in a list": (spoiled(guid=["1"]), ["guid is ['1'], expected a text or a whole number"]),
    "id is an object": (spoiled(guid={"$oid": "1"}), ["guid is {'$oid': '1'}, expected"]),
    "id true": (spoiled(guid=True), ["guid is True, expected"]),
    "id with a fraction": (spoiled(guid=1.0), ["guid is 1.0, expected"]),
    "id NaN": (spoiled(guid=float("nan")), ["guid is nan, expected"]),
    "id used before": (spoiled(guid="줄-1"), ["id '줄-1' was already used in row 1"]),
    "id with half a character": (spoiled(guid="\udfff").replace("\udfff", "\\udfff"), ["\\udfff", "surrogate"]),
    # label
    "unknown label": (
        spoiled(label="per:freind"),
        ["unknown label 'per:freind'", "data.labels lists no_relation, "],
    ),
    "label inside blanks of another kind": (
        spoiled(label="no relation"),
        ["'no relation' is written like 'no_relation'"],
    ),
    "label in capitals": (spoiled(label="No_Relation"), ["unknown label 'No_Relation'"]),
    "label is no class number": (spoiled(label=30), ["unknown label '30'"]),
    "label of 10^5 characters": (spoiled(label=LONG), ["unknown label '가나 가나", "lists no_relation"]),
    "label null": (spoiled(label=None), ["no label"]),
    "label empty": (spoiled(label=""), ["no label"]),
    "label placeholder": (spoiled(label=100), ["no label"]),
    "label NaN": (spoiled(label=float("nan")), ["label is nan, expected a text"]),
    "label true": (spoiled(label=True), ["label is True, expected a text"]),
    "label with a fraction": (spoiled(label=100.0), ["label is 100.0, expected a text"]),
    "label in a list": (spoiled(label=["no_relation"]), ["label is ['no_relation'], expected a text"]),
    "label is an object": (spoiled(label={"name": "no_relation"}), ["label is {'name'", "expected a text"]),
    # entity
    "entity null": (spoiled(subject_entity=None), ["subject_entity is None, expected an object with word"]),
    "entity is its word": (spoiled(subject_entity="마루"), ["subject_entity is '마루', expected an object"]),
    "entity is a list": (spoiled(object_entity=["새벽", 11, 12, "POH"]), ["object_entity is ['새벽'", "expected"]),
    "entity in a list": (spoiled(object_entity=[good_rows()[2]["object_entity"]]), ["object_entity is [{'word'"]),
    "entity empty": (spoiled(object_entity={}), ["object_entity is {}, expected an object with word, start_idx"]),
    "entity without a word": (
        spoiled(subject_entity={"start_idx": 3, "end_idx": 4, "type": "PER"}),
        ["subject_entity is", "expected an object with word, start_idx"],
    ),
    "entity under two names": (
        spoiled(subject_entity={"text": "마루", "name": "마루", "start": 3, "end": 4, "type": "PER"}),
        ["subject_entity has text and name; data.columns.word says which is the word"],
    ),
    "word twice": (
        spoiled_subject().replace('"word": "마루"', '"word": "나래", "word": "마루"'),
        ["subject_entity: key 'word'"],
    ),
    "word null": (spoiled_subject(word=None), ["subject_entity: word is None", "expected two texts"]),
    "word is a number": (spoiled_object(word=2003), ["object_entity: word is 2003", "expected two texts"]),
    "word empty": (spoiled_subject(word=""), ["subject entity is '', but characters 3..4 of the sentence are '마루'"]),
    "word blank": (spoiled_subject(word=" ", start_idx=2, end_idx=2), ["subject entity holds only blanks"]),
    "word with a blank more": (spoiled_subject(word="마루 "), ["subject entity is '마루 '", "3..4", "are '마루'"]),
    "another word": (spoiled_subject(word="나래"), ["subject entity is '나래'", "3..4", "are '마루'"]),
    "word in NFC, sentence in NFD": (
        spoiled(sentence=normalize("NFD", SENTENCE)),
        ["subject entity is '마루'", "another Unicode form (NFC, NFD)"],
    ),
    "word in NFD, sentence in NFC": (
        spoiled_subject(word=normalize("NFD", "마루"), end_idx=6),
        ["3..6", "'마루는 '", "another Unicode form (NFC, NFD)"],
    ),
    "word of 10^5 characters": (
        spoiled_subject(word=LONG, end_idx=10**5),
        ["subject entity at characters 3..100000 lies"],
    ),
    "word without a token": (
        spoiled(
            sentence="\u200b" + SENTENCE[1:],
            subject_entity={"word": "\u200b", "start_idx": 0, "end_idx": 0, "type": "PER"},
        ),
        ["the tokenizer drops the subject", "yields no token"],
    ),
    "type empty": (spoiled_subject(type=""), ["no types, which data.marker typed_punct writes"]),
    "type null": (spoiled_subject(type=None), ["no types, which data.marker typed_punct writes"]),
    "type blank": (spoiled_object(type=" "), ["type ' ' is none of PER, ORG, LOC"]),
    "type unknown": (spoiled_object(type="CLS"), ["type 'CLS' is none of PER, ORG, LOC", "data.types"]),
    # offsets
    "offset as text": (spoiled_subject(start_idx="셋"), ["subject_entity: start_idx is '셋', expected a whole number"]),
    "offset true": (spoiled_subject(start_idx=True), ["subject_entity: start_idx is True, expected a whole number"]),
    "offset with a fraction": (
        spoiled_object(end_idx=12.5),
        ["object_entity: end_idx is 12.5, expected a whole number"],
    ),
    "offset null, word twice": (
        spoiled_object(word="'", start_idx=None),
        ["object_entity has no start, and", "stands 2 times"],
    ),
    "offset NaN": (spoiled_subject(end_idx=float("nan")), ["subject_entity: end_idx is nan, expected a whole number"]),
    "offset infinite": (
        spoiled_subject(end_idx=float("inf")),
        ["subject_entity: end_idx is inf, expected a whole number"],
    ),
    "offset of 4000 digits": (
        spoiled_subject(end_idx=10**4000),
        ["characters 3..1000000", "outside the sentence of 20"],
    ),
    "counted from the end": (
        spoiled_object(start_idx=-9, end_idx=-8),
        ["object entity at characters -9..-8 lies outside"],
    ),
    "one character too many": (spoiled(sentence=SENTENCE[:12]), ["11..12 lies outside the sentence of 12 characters"]),
    "out of range": (
        spoiled_object(start_idx=40, end_idx=41),
        ["object entity at characters 40..41", "of 20 characters"],
    ),
    "reversed": (spoiled_object(start_idx=12, end_idx=11), ["object_entity: start_idx 12 comes after end_idx 11"]),
    "roles swapped": (
        spoiled(
            subject_entity=good_rows()[2]["subject_entity"] | {"start_idx": 11, "end_idx": 12},
            object_entity=good_rows()[2]["object_entity"] | {"start_idx": 3, "end_idx": 4},
        ),
        ["subject entity is '마루'", "11..12", "it stands at 3..4"],
    ),
    "exclusive end": (
        spoiled_subject(end_idx=5),
        ["subject entity is '마루'", "3..5", "are '마루는'; it stands at 3..4"],
    ),
    "counted from one": (spoiled_subject(start_idx=4, end_idx=5), ["4..5", "are '루는'; it stands at 3..4"]),
    "UTF-16 units": (json.dumps(moved(f"😀 {SENTENCE}", 1)), ["6..7", "are '루는'; it stands at 5..6"]),
    "bytes": (
        spoiled_subject(start_idx=len("작가 ".encode()), end_idx=len("작가 마루".encode()) - 1),
        ["subject entity is '마루'", "7..12", "it stands at 3..4"],
    ),
    "counted after the sentence was stripped": (
        json.dumps(moved(f" {SENTENCE}", -1)),
        ["3..4", "are ' 마'; it stands at 4..5"],
    ),
    # both entities
    "overlap": (
        spoiled_object(word="루는", start_idx=4, end_idx=5),
        ["subject '마루' and object '루는' overlap in the sentence"],
    ),
    "one in the other": (
        spoiled_object(word="마루는 소설", start_idx=3, end_idx=8),
        ["'마루' and object '마루는 소설' overlap"],
    ),
    "the same": (spoiled_object(word="마루", start_idx=3, end_idx=4), ["'마루' and object '마루' overlap"]),
    "10^5 characters of entities": (long_entities(), ["the entities with their markers take", "data.max_length 128"]),
}

HEADER = "id,sentence,subject_entity,object_entity,label,source\n"


def record(values: dict | None = None, **change) -> str:
    """One row as a line of CSV; `change` replaces the text of a column."""
    one = third() if values is None else values
    fields = {"id": one["guid"]} | {key: str(value) for key, value in one.items() if key != "guid"} | change
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerow(fields.values())
    return file.getvalue()


def literal(**change) -> str:
    """The subject's dict as text, with the text of some values replaced."""
    values = {key: repr(value) for key, value in good_rows()[2]["subject_entity"].items()} | change
    return "{" + ", ".join(f"{key!r}: {value}" for key, value in values.items()) + "}"


# one row of a CSV file, fragments
CSV_ROWS = {
    "too few columns": ("7,가람은\n", ["found 2 columns, expected 6"]),
    "comma without quotes": (record().replace('"', ""), ["columns, expected 6"]),
    "header again": (HEADER, ["repeats the header"]),
    "id empty": (record(id=""), ["id is empty"]),
    "id used before": (record(id="줄-1"), ["id '줄-1' was already used in row 1"]),
    "sentence empty": (record(sentence=""), ["the sentence is empty"]),
    "sentence blank": (record(sentence="\n \n"), ["the sentence is empty"]),
    "unknown label": (record(label="관계"), ["unknown label '관계'; data.labels lists no_relation"]),
    "label empty": (record(label=""), ["no label"]),
    "label placeholder": (record(label="100"), ["no label"]),
    "label NaN": (record(label="nan"), ["unknown label 'nan'"]),
    "subject empty": (record(subject_entity=""), ["subject_entity is '', expected a dict"]),
    "subject NaN": (record(subject_entity="nan"), ["subject_entity is 'nan', expected a dict"]),
    "dict cut off": (record(subject_entity=literal()[:-9]), ["subject_entity is \"{'word': '마루'", "expected a dict"]),
    "dict in JSON": (
        record(subject_entity=json.dumps(good_rows()[2]["subject_entity"] | {"type": None})),
        ["no types, which data.marker"],
    ),
    "dict in JSON cut off": (
        record(subject_entity='{"word": null'),
        ['subject_entity is \'{"word"', "expected a dict"],
    ),
    "printed quotes": (record(subject_entity=literal().replace("'", "’")), ["subject_entity is '{’word’"]),
    "dict with a call": (
        record(subject_entity=literal(start_idx="int(3)")),
        ["'start_idx': int(3)", "expected a dict"],
    ),
    "dict of numpy's numbers": (record(subject_entity=literal(end_idx="np.int64(4)")), ["np.int64(4)", "expected"]),
    "code": (record(object_entity="__import__('os').getcwd()"), ["object_entity is", "__import__", "expected a dict"]),
    "list": (record(object_entity="['새벽', 11, 12]"), ["object_entity is ['새벽', 11, 12], expected an object with"]),
    "set": (record(object_entity="{'새벽', 'POH'}"), ["object_entity is {", "expected an object with word"]),
    "dict without type": (record(object_entity="{'word': '새벽', 'start_idx': 11}"), ["no types, which data.marker"]),
    "dict with a key twice": (record(subject_entity=literal()[:-1] + ", 'type': 'ORG'}"), ["key 'type' stands twice"]),
    "dict 10^4 deep": (record(subject_entity="{'word': " * 10**4), ["subject_entity holds 90000 characters", "2000"]),
    "dict 150 deep": (record(subject_entity="{'word': " * 150), ["subject_entity is", "expected a dict"]),
    "entity above the cap": (
        record(subject_entity=literal(word=repr("가" * 2000))),
        ["holds 2057 characters, expected a dict of 2000 at most"],
    ),
    "offset as text": (
        record(subject_entity=literal(start_idx="'셋'")),
        ["start_idx is '셋', expected a whole number"],
    ),
    "offset true": (record(subject_entity=literal(start_idx="True")), ["start_idx is True, expected a whole number"]),
    "offset with a fraction": (record(subject_entity=literal(end_idx="4.5")), ["end_idx is 4.5, expected"]),
    "start missing": (
        record(subject_entity=literal(start_idx="None", word=repr("'"))),
        ["has no start, and", "stands 2 times"],
    ),
    "word as bytes": (record(subject_entity=literal(word="b'ab'")), ["word is b'ab'", "expected two texts"]),
    "line ends counted once": (record(moved(f"첫 줄\r\n{SENTENCE}", -1)), ["7..8", "are ' 마'; it stands at 8..9"]),
    "exclusive end": (record(subject_entity=literal(end_idx="5")), ["3..5", "are '마루는'; it stands at 3..4"]),
    "reversed": (record(subject_entity=literal(end_idx="2")), ["start_idx 3 comes after end_idx 2"]),
    "out of range": (record(subject_entity=literal(end_idx="99")), ["3..99 lies outside the sentence of 20"]),
    "overlap": (record(object_entity=literal()), ["subject '마루' and object '마루' overlap"]),
    "roles swapped": (
        record(subject_entity=literal(start_idx="11", end_idx="12")),
        ["'마루'", "are '새벽'; it stands at 3..4"],
    ),
}


def as_csv(rows: list[dict] | None = None) -> str:
    return HEADER + "".join(record(one) for one in rows or good_rows())


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xl/worksheets/sheet1.xml", as_csv())
    return file.getvalue()


JSON = dumped(good_rows()).decode()
LINES = [json.dumps(one, ensure_ascii=False) for one in good_rows()]
# a whole file, fragments
FILES = {
    "empty": (b"", [": the file is empty"]),
    "blank lines": ("\n \r\n\t", [": the file is empty"]),
    "only a byte-order mark": (codecs.BOM_UTF8, [": the file is empty"]),
    "no rows": ("[]", [": holds no rows"]),
    "object without rows": ('{"data": []}', ["holds no rows"]),
    "columns of two lengths": ('{"guid": [1, 2], "sentence": ["가"]}', ["of different lengths (guid 2, sentence 1)"]),
    "object with a key twice": ('{"data": [], "data": []}', ["key 'data' stands twice in an object; expected a list"]),
    "two lists": (JSON + "\n" + JSON, ["no valid JSON (Extra data: line 2 column 1"]),
    "cut off": (JSON[:-30], ["no valid JSON", "line 1 column"]),
    "list left open": (JSON[:-1], ["no valid JSON", "line 1 column"]),
    "comma after the last row": (JSON[:-1] + ",]", ["no valid JSON", "line 1 column"]),
    "comma missing": ("[" + " ".join(LINES) + "]", ["no valid JSON (Expecting ',' delimiter: line 1 column"]),
    "comment": ("[ // rows\n" + JSON[1:], ["no valid JSON", "line 1 column 3"]),
    "as Python prints it": (str(good_rows()), ["no valid JSON (Expecting property name", "line 1 column 3"]),
    "keys without quotes": (JSON.replace('"guid"', "guid"), ["no valid JSON (Expecting property name"]),
    "Python's None": (JSON.replace('"시험"', "None"), ["no valid JSON (Expecting value: line 1 column"]),
    "line end in a text": (JSON.replace("2003년에 ", "2003년에\n"), ["no valid JSON (Invalid control character"]),
    "escape that JSON has not": (JSON.replace("'새벽'", "\\'새벽\\'"), ["no valid JSON (Invalid \\escape"]),
    "escape cut off": (JSON.replace("새벽", "\\uC0C"), ["no valid JSON (Invalid \\uXXXX escape"]),
    "deeper than JSON goes": ("[" * 10**5, ["JSON nested too deeply"]),
    "number of 5000 digits": ("[" + "9" * 5000 + "]", ["no valid JSON", "4300 digits"]),
    "JavaScript": (f"const rows = {JSON};", ["no column sentence", "found const rows = "]),
    "NUL in JSON": (JSON.replace("나래의", "나래\0"), ["line 1: holds a NUL character"]),
    "NUL in CSV": (as_csv().replace("2003년에", "2003년\0"), ["line 3: holds a NUL character"]),
    "CP949 in JSON": (JSON.encode("cp949"), ["line 1: byte 0xc1 at position 11 is not UTF-8", "CP949"]),
    "CP949 in CSV": (as_csv().encode("cp949"), ["line 2: byte 0xc1 at position 54 is not UTF-8", "CP949"]),
    "Latin-1": (as_csv().encode("ascii", "ignore") + "café".encode("latin-1"), ["line 10: byte 0xe9", "UTF-8"]),
    "cut in a character": (as_csv().encode()[:-5], ["line 9: byte 0xec", "is not UTF-8"]),
    "half characters as bytes": (as_csv().encode() + b"\xed\xa0\xbd", ["line 10: byte 0xed", "is not UTF-8"]),
    "UTF-16": (as_csv().encode("utf-16"), ["found UTF-16 text, expected a JSON or CSV file in UTF-8"]),
    "UTF-16, the other order": (codecs.BOM_UTF16_BE + JSON.encode("utf-16-be"), ["found UTF-16 text, expected"]),
    "UTF-16 without a mark": ("id,sentence".encode("utf-16-le"), ["line 1: holds a NUL character"]),
    "gzip": (gzip.compress(as_csv().encode()), ["found a gzip archive, expected"]),
    "Excel": (zipped(), ["found a ZIP archive or an Excel workbook, expected"]),
    "old Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), ["found an old Excel workbook, expected"]),
    "picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", ["found a picture, expected"]),
    "web page": ("\n<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n", ["found a web page, expected"]),
    "LFS pointer": (
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        ["Git LFS pointer", "git lfs"],
    ),
    "header only": (HEADER, [": holds no rows"]),
    "other columns": ("idx,text,label\n1,가,x\n", ["no column sentence", "found idx, text, label; expected sentence"]),
    "column missing": (as_csv().replace("object_entity", "object"), ["no column object_entity; found id, sentence"]),
    "columns in capitals": (as_csv().replace(HEADER, HEADER.upper()), ["no column sentence", "found ID, SENTENCE"]),
    "no header": (as_csv().removeprefix(HEADER), ["no column sentence", "found 줄-1, 가람은 나래의 형이다."]),
    "column twice": (
        as_csv().replace("label,source", "label,label"),
        ["column label stands twice; found id, sentence"],
    ),
    "tabs": (HEADER.replace(",", "\t") + "1\t2\t3\t4\t5\n", ["the first: found 5 columns, expected 6"]),
    "semicolons": (HEADER.replace(",", ";") + "1;2;3;4;5\n", ["the first: found 5 columns, expected 6"]),
    "bars": (as_csv().replace(",", "|"), ["no column sentence", "found id|sentence|", "separated by commas, TABs or"]),
    "Excel's first line": ("sep=,\n" + as_csv(), ["no column sentence", "found sep=, "]),
    "header in one pair of quotes": (f'"{HEADER[:-1]}"\n', ["no column", "found id,sentence,subject_entity"]),
    "quote open in the header": (f'"{HEADER}', ["line 1: no valid CSV (unexpected end of data"]),
    "quote open": (as_csv() + '9,"가람은\n나래의 형이다.\n', ["row 9 (line 10): no valid CSV (unexpected end of data"]),
    "quote not doubled": (as_csv() + '9,"그는 "가람"이다.",{},{},x,y\n', ["row 9 (line 10): no valid CSV", "doubled?"]),
    "quote open before 10^5 lines": (
        as_csv() + '9,"' + "가나\n" * 10**5,
        ["row 9 (line 10): no valid CSV (field larger than field limit"],
    ),
}
