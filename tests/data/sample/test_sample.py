"""The bundled sample: exact spans, the same bytes everywhere, a dev part of unseen names, no way around reading."""

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from data import sample
from data.sample import corpus

ROOT = Path(__file__).resolve().parents[3]
SHA256 = {
    "train": "e745854343b9fefcda98a98798b512154c4527ac22f5ac78f0b24447024ed78d",
    "dev": "8cd6db240d5466dc2c6cc6b91a9ecb6a9ded56858333ed9e424edbe8d029deb1",
    "vocabulary": "55608c788245283b5cbdd0cf68aa61a4eff2b1a830c36aac15676809e76fa58d",
}
ROLES = ("subject_entity", "object_entity")


def span(entity: dict) -> range:
    return range(entity["start_idx"], entity["end_idx"] + 1)


def key(row: dict, *roles: str) -> tuple:
    return (row["sentence"], *(row[role]["start_idx"] for role in roles))


@pytest.fixture(scope="module", params=["train", "dev"])
def rows(request) -> list[dict]:
    return sample.rows(request.param)


def test_rows_have_the_form_of_klue(rows):
    part = rows[0]["guid"].split("_")[1]
    assert [row["guid"] for row in rows] == [f"plainloop-sample_{part}_{number:05d}" for number in range(len(rows))]
    for row in rows:
        assert set(row) == {"guid", "sentence", *ROLES, "label", "source"}
        assert row["source"] == "sample"
        for role in ROLES:
            entity = row[role]
            assert row["sentence"][entity["start_idx"] : entity["end_idx"] + 1] == entity["word"]
            assert entity["type"] in {"PER", "ORG", "LOC", "DAT", "POH", "NOH"}
        assert not set(span(row["subject_entity"])) & set(span(row["object_entity"]))
        assert row["subject_entity"]["type"] in {"PER", "ORG"}
        if row["label"] != "no_relation":
            assert row["label"].split(":")[0] == row["subject_entity"]["type"].lower()


def test_no_pair_is_asked_twice(rows):
    assert len({key(row, *ROLES) for row in rows}) == len(rows)


def test_another_part_is_an_error():
    with pytest.raises(ValueError, match=r"'test'.*'train', 'dev'"):
        sample.rows("test")


def test_rows_are_copies():
    sample.rows("dev")[0]["sentence"] = ""
    assert sample.rows("dev")[0]["sentence"]


def digest() -> dict[str, str]:
    texts = {part: sample.json_bytes(part) for part in ("train", "dev")}
    texts["vocabulary"] = "\n".join(sample.vocabulary()).encode()
    return {name: hashlib.sha256(text).hexdigest() for name, text in texts.items()}


def test_every_process_makes_the_same_bytes(tmp_path):
    assert digest() == SHA256
    environment = {**os.environ, "PYTHONHASHSEED": "123", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "data.sample", str(tmp_path / "new")]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    written = {name: (tmp_path / "new" / name).read_bytes() for name in ("train.json", "dev.json", "vocab.txt")}
    for part in ("train", "dev"):
        assert hashlib.sha256(written[f"{part}.json"]).hexdigest() == SHA256[part]
    assert tuple(written["vocab.txt"].decode().splitlines()) == sample.vocabulary()
    assert re.fullmatch(r"wrote [\d,]+ train rows, [\d,]+ dev rows and a vocabulary of [\d,]+ to .+\n", done.stdout)


def test_labels_have_klues_long_tail():
    train, dev = (Counter(row["label"] for row in sample.rows(part)) for part in ("train", "dev"))
    assert len(train) == len(dev) == len(sample.LABELS) == 30
    assert min(train.values()) >= 12
    assert min(dev.values()) >= 4
    for counts in (train, dev):
        assert 0.27 < counts["no_relation"] / counts.total() < 0.31
    order = """
        no_relation org:top_members/employees per:employee_of per:title org:member_of org:alternate_names per:origin
        org:place_of_headquarters per:date_of_birth per:alternate_names per:spouse per:colleagues per:parents
        org:founded org:members per:date_of_death org:product per:children per:place_of_residence per:other_family
        per:place_of_birth org:founded_by per:product per:siblings org:political/religious_affiliation per:religion
        per:schools_attended org:dissolved org:number_of_employees/members per:place_of_death
    """  # KLUE's, by its train counts
    counts = [train[label] for label in order.split()]
    assert counts == sorted(counts, reverse=True)


def test_dev_speaks_of_names_that_train_never_shows():
    text = "\n".join({row["sentence"] for row in sample.rows("train")})
    entities = [row[role] for row in sample.rows("dev") for role in ROLES]
    words = {entity["word"] for entity in entities if entity["type"] in ("PER", "ORG", "POH")}
    assert len(words) > 200
    assert not [word for word in words if word in text]


def skeletons(part: str) -> set[str]:
    """The sentences of a part with every entity replaced by its type, and particles by one form."""
    found = set()
    for sentence in corpus.generate(part)[1]:
        text = sentence.text
        for mention in reversed(sentence.mentions):
            text = text[: mention.start] + corpus.TYPE[mention.kind] + text[mention.start + len(mention.word) :]
        for one, other in (("은", "는"), ("이", "가"), ("과", "와"), ("을", "를"), ("으로", "로")):
            text = re.sub(rf"(?<=[A-Z'])({one}|{other})(?= )", one, text)
        found.add(text)
    return found


def test_dev_sentences_are_built_as_no_sentence_of_train():
    assert not skeletons("train") & skeletons("dev")


def test_dev_phrases_are_made_of_words_of_train():
    def words(phrases):
        return set(re.findall(r"[가-힣]+", re.sub(r"\{\w\}'?(\{\w+\})?", " ", " ".join(phrases))))

    def stems(phrases):
        return {
            re.sub(r"(?<=.)(이다|인)$|(?<=..)(했다|한|되었다|된|으로|로|[을를이가은는])$", "", word)
            for word in words(phrases)
        }

    relations = (*corpus.RELATIONS.values(), corpus.FOUNDER, *corpus.UNRELATED)
    seen = stems(phrase for relation in relations for phrase in relation.train)
    for relation in relations:
        assert not set(relation.train) & set(relation.dev)
        assert stems(relation.dev) <= seen, stems(relation.dev) - seen


def test_pairs_of_one_sentence(rows):
    asked = {key(row, "subject_entity", "object_entity"): row["label"] for row in rows}
    inverse = Counter()
    by_sentence = defaultdict(set)
    for (sentence, subject, object), label in asked.items():
        back = asked.get((sentence, object, subject))
        inverse[label, back] += back is not None
        by_sentence[sentence].add(label)
    pairs = [("per:parents", "per:children"), ("per:employee_of", "org:top_members/employees")]
    pairs += [("org:members", "org:member_of"), ("per:spouse",) * 2, ("org:alternate_names",) * 2]
    for pair in pairs:
        assert inverse[pair] == inverse[pair[::-1]] >= 3, pair
    sizes = Counter(row["sentence"] for row in rows)
    assert sum(size >= 3 for size in sizes.values()) >= 50
    assert sum(len(labels - {"no_relation"}) >= 2 and "no_relation" in labels for labels in by_sentence.values()) >= 30


def test_order_repetition_and_odd_characters(rows):
    entities = [(row, row[role]) for row in rows for role in ROLES]
    before = sum(row["object_entity"]["start_idx"] < row["subject_entity"]["start_idx"] for row in rows)
    assert 0.3 < before / len(rows) < 0.7
    assert sum(row["sentence"].index(entity["word"]) < entity["start_idx"] for row, entity in entities) >= 5
    for odd in ("'", ",", "(", r"[\u4e00-\u9fff]", "[A-Za-z]"):
        assert any(re.search(odd if len(odd) > 1 else re.escape(odd), entity["word"]) for _, entity in entities), odd


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("누리시", "은", "는"), ("가온동", "은", "은"), ("가온동", "으로", "으로"), ("하늘", "으로", "로"),
        ("바다", "으로", "로"), ("高雪", "이", "이"), ("高海", "이", "가"), ("'겨울, 그리고 강(江)'", "을", "을"),
        ("Pelu", "과", "와"), ("320명", "이", "이"),
    ],
)  # fmt: skip
def test_particles_follow_the_last_sound(text, form, expected):
    assert corpus.particle(form, text) == expected


def test_vocabulary_reads_dev_without_unknown_pieces(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    words = sample.vocabulary()
    assert words[:6] == ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]")
    assert len(set(words)) == len(words) <= 4000
    file = tmp_path / "vocab.txt"
    file.write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    options = {"lowercase": False, "strip_accents": False}
    for chinese in (True, False):
        tokenizer = tokenizers.BertWordPieceTokenizer(str(file), handle_chinese_chars=chinese, **options)
        texts = {row["sentence"] for part in ("train", "dev") for row in sample.rows(part)}
        texts |= {"@ * 사람 * # ^ 단체 ^ 장소 날짜 기타 수량", "가온와 나래과 다온의 관계는 무엇입니까?"}
        assert not [text for text in texts if "[UNK]" in tokenizer.encode(text).tokens]


def test_nothing_but_reading_scores_well(baseline_scores):
    scores = baseline_scores
    for name in ("majority", "type_pair", "entity_words", "bag_of_words"):
        assert scores[name] < 55, scores
