"""SemEval-2010 Task 8: inline tags to spans, both forms of the files, labels with direction."""

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.encode import Encoder, EncodingOptions
from data.labels import learned_labels
from data.readers import semeval
from data.readers.source import Source
from models.tokens import add_tokens, wordpiece_tokenizer

SEMEVAL = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "semeval2010-tsv"
real_data = pytest.mark.skipif(not SEMEVAL.is_dir(), reason="../shared/data/semeval2010-tsv is absent")

RELEASE = """\
8001\t"The <e1>mason</e1> built the <e2>wall</e2>, stone by stone."
Product-Producer(e2,e1)
Comment: e2 is the product.

8002\t"A "quoted" <e1>word</e1>'s <e2>sense</e2>"
Other
Comment:

"""


def read(text: str, name: str = "rows.txt") -> list:
    return [one for _, one in Source(name, text.encode(), "semeval").examples()]


def one(sentence: str, label: str = "Other"):
    (found,) = read(f"{label}\t{sentence}\n")
    if isinstance(found, ValueError):
        raise found
    return found


# sentence of the file, sentence as it was, subject, object
SENTENCES = {
    "blanks inside": ("The <e1> mason </e1> built the <e2> wall </e2>.", "The mason built the wall.", "mason", "wall"),
    "no blanks inside": ("The <e1>mason</e1> built the <e2>wall</e2>.", "The mason built the wall.", "mason", "wall"),
    "genitive": ("The <e1> mason </e1>'s <e2> wall </e2>", "The mason's wall", "mason", "wall"),
    "in quotes": ('"<e1> Masons </e1>" and \'<e2> walls </e2>\'', "\"Masons\" and 'walls'", "Masons", "walls"),
    "commas": ("<e1> Masons </e1>, <e2> walls </e2>, (mud)", "Masons, walls, (mud)", "Masons", "walls"),
    "several words": ("A <e1> tall man </e1> at <e2> sea  shore </e2>;", "A tall man at sea  shore;", "tall man",
                      "sea  shore"),
    "only blank is inside": ("a sheet of<e2> mud </e2> on<e1> walls</e1> here", "a sheet of mud on walls here",
                             "walls", "mud"),
    "only blank is inside, after": ("the <e1>mud </e1>on <e2>walls </e2>here", "the mud on walls here", "mud", "walls"),
    "glued in the file": ("un<e1>known</e1>s <e2>x</e2>", "unknowns x", "known", "x"),
    "touching": ("<e1> mud </e1><e2> wall </e2>", "mud wall", "mud", "wall"),
    "e2 first": ("<e2> Walls </e2> need <e1> masons </e1>", "Walls need masons", "masons", "Walls"),
    "other brackets": ("a < b <e1> c </e1> <e3> <e2> d </e2> > e", "a < b c <e3> d > e", "c", "d"),
    "beyond the first plane": ("😀 <e1> 나래</e1>는 <e2>가람</e2>의", "😀 나래는 가람의", "나래", "가람"),
}  # fmt: skip


@pytest.mark.parametrize("written, text, subject, object", SENTENCES.values(), ids=SENTENCES)
def test_sentence_is_as_it_was_and_tags_are_spans(written, text, subject, object):
    found = one(written, "Entity-Origin(e2,e1)")
    assert (found.text, found.subject.text, found.object.text) == (text, subject, object)
    assert (found.subject.type, found.object.type) == ("", "")
    assert found.label == "Entity-Origin(e2,e1)"


WORDS = st.text("ab1., '가", max_size=4)


@settings(max_examples=200, deadline=None)
@given(WORDS, WORDS.filter(str.strip), WORDS, WORDS.filter(str.strip), WORDS, st.booleans())
def test_any_sentence_without_blanks_inside_survives(before, first, between, second, after, swapped):
    first, second = first.strip(), second.strip()
    a, b = ("e2", "e1") if swapped else ("e1", "e2")
    found = one(f"{before}<{a}>{first}</{a}>{between}<{b}>{second}</{b}>{after}x")
    assert found.text == before + first + between + second + after + "x"
    where = (len(before), len(before + first + between))
    subject, object = where[::-1] if swapped else where
    assert (found.subject.start, found.object.start) == (subject, object)


def test_release_form_has_ids_labels_and_comments():
    for text in (RELEASE, RELEASE.replace("\n", "\r\n"), RELEASE.rstrip()):
        first, second = read(text)
        assert (first.id, first.label) == ("8001", "Product-Producer(e2,e1)")
        assert first.text == "The mason built the wall, stone by stone."
        assert (second.id, second.label) == ("8002", "Other")
        assert second.text == 'A "quoted" word\'s sense'


def test_release_form_without_answers():
    lines = [line for line in RELEASE.splitlines() if line[:1].isdigit()]
    assert [(found.id, found.label) for found in read("\n".join(lines))] == [("8001", None), ("8002", None)]


def test_lines_have_their_number_as_id_and_quotes_are_text():
    found = read('Other\t"<e1> A </e1> "b" <e2> c </e2>\r\n\r\nOther\t<e1> A </e1>\t<e2> c </e2>"\r\n')
    assert [one.id for one in found] == ["1", "2"]
    assert [one.text for one in found] == ['"A "b" c', 'A\tc"']


GOOD = "Other\t<e1> a </e1> b <e2> c </e2>\n"
BAD = {
    "no tab": ("<e1> a </e1> <e2> b </e2>\n",
               "row 2: found '<e1> a </e1> <e2> b </e2>', expected relation, TAB, sentence"),
    "no relation": ("\t<e1> a </e1> <e2> b </e2>\n", "row 2: found '\\t<e1> a </e1> <e2> b </e2>', expected relation"),
    "tag missing": ("Other\tx <e1> a </e1> b\n", "row 2: found <e2> 0 times, </e2> 0 times in 'x <e1> a </e1> b', "
                    "expected <e1> </e1> <e2> </e2> once each"),
    "tag twice": ("Other\t<e1> a </e1> <e1> b </e1> <e2> c </e2>\n", "row 2: found <e1> 2 times, </e1> 2 times in"),
    "closed first": ("Other\t</e1> a <e1> <e2> b </e2>\n",
                     "row 2: the tags stand in the order </e1> <e1> <e2> </e2>, one inside the other"),
    "nested": ("Other\t<e1> a <e2> b </e2> </e1>\n",
               "row 2: the tags stand in the order <e1> <e2> </e2> </e1>, one inside the other"),
    "empty entity": ("Other\ta <e1>  </e1> <e2> b </e2>\n", "row 2: <e1> holds no word in"),
    "after an empty line": ("\n\nx\n", "row 2 (line 4): found 'x', expected relation, TAB, sentence"),
}  # fmt: skip


@pytest.mark.parametrize("text, message", BAD.values(), ids=BAD)
def test_bad_line(text, message):
    source = Source("rows.tsv", (GOOD + text + GOOD).encode(), "semeval")
    found = list(source.examples())
    errors = [(number, error) for number, error in found if isinstance(error, ValueError)]
    ((number, error),) = errors
    assert f"{source.place(number)}: {error}".startswith(message)
    assert len(found) == 3


def test_bad_row_of_the_release():
    source = Source("TRAIN_FILE.TXT", RELEASE.replace("Comment: e2", "e2").encode(), "semeval")
    (_, error), (_, good) = source.examples()
    assert str(error) == "line 3 is 'e2 is the product.', expected a comment or the next numbered sentence"
    assert source.place(1) == "row 1"
    assert source.place(2) == "row 2 (line 5)"
    assert good.id == "8002"
    source = Source("TRAIN_FILE.TXT", (RELEASE + RELEASE).encode(), "semeval")
    assert [str(one) for _, one in source.examples()][2:] == [
        f"id '{number}' was already used in row {row}" for row, number in ((1, 8001), (2, 8002))
    ]


def test_labels_are_learned_in_sorted_order():
    rows = ["b(e2,e1)", "Other", "b(e1,e2)", "b(e2,e1)", "a(e1,e2)"]
    text = "".join(f"{label}\t<e1> x </e1> <e2> y </e2>\n" for label in rows)
    source = Source("rows.tsv", text.encode(), "semeval")
    assert learned_labels(source, "error") == ["Other", "a(e1,e2)", "b(e1,e2)", "b(e2,e1)"]


@pytest.mark.parametrize("marker", ["none", "entity", "entity_punct", "typed", "typed_punct"])
def test_untyped_entities_are_encoded_with_markers_that_name_no_type(marker):
    tokenizer = wordpiece_tokenizer(["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", *"abc@#*^."])
    add_tokens(tokenizer, ["<subj>", "</subj>", "<obj>", "</obj>"])
    if marker == "typed":
        add_tokens(tokenizer, [f"<{slash}{role}:X>" for role in "SO" for slash in ("", "/")])
    encoder = Encoder(tokenizer, EncodingOptions(marker=marker, types=("X",), max_length=32))
    (encoded,) = encoder.encode([one("<e1> a </e1> b <e2> c </e2>.")])
    if marker.startswith("typed"):
        assert str(encoded) == (
            f"the entities have no types, which data.marker {marker} writes; use one of none, entity, entity_punct"
        )
        return
    words = tokenizer.convert_ids_to_tokens(encoded.tokens.tolist())
    around = {"none": ("", "", "", ""), "entity": ("<subj> ", " </subj>", "<obj> ", " </obj>"),
              "entity_punct": ("@ ", " @", "# ", " #")}[marker]  # fmt: skip
    assert words == "[CLS] {}a{} b {}c{} . [SEP]".format(*around).split()
    assert encoded.types.tolist() == [0, 0]
    assert [words[start] for start, _ in encoded.spans[:, 2]] == ["a", "c"]


# the real data ------------------------------------------------------------------------------------------------------


@real_data
@pytest.mark.real_data
def test_every_real_row():
    """Taking out tags, and the blanks inside them, gives the sentence; blanks come from the file alone."""
    for name, count in (("train.tsv", 8000), ("test.tsv", 2717)):
        raw = (SEMEVAL / name).read_bytes()
        found = [one for _, one in Source(name, raw, "semeval").examples()]
        assert len(found) == count
        for line, example in zip(raw.decode().split("\n"), found, strict=False):
            label, sentence = line.split("\t")
            assert example.label == label
            bare = re.sub(r"<(e[12])> | </e[12]>", "", sentence)
            if example.text != bare:  # two words that only the tag kept apart, 7 in all
                assert re.search(r"\w<e[12]> ", sentence)
            assert example.text.replace(" ", "") == bare.replace(" ", "")
            for role, span in (("e1", example.subject), ("e2", example.object)):
                assert f"<{role}> {span.text} </{role}>" in sentence
    key = list(csv.reader((SEMEVAL / "answer_keys.txt").open(encoding="utf-8"), delimiter="\t"))
    assert [label for _, label in key] == [example.label for example in found]


@real_data
@pytest.mark.real_data
def test_labels_of_the_real_training_rows():
    source = Source("train.tsv", (SEMEVAL / "train.tsv").read_bytes(), "semeval")
    listed = (SEMEVAL / "label.txt").read_text(encoding="utf-8").split()
    assert learned_labels(source, "error") == sorted(listed)
    assert len(semeval.rows(source.raw, "train.tsv")) == 8000
