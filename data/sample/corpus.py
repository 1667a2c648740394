"""The bundled sample: invented Korean sentences in KLUE-RE's form, to train on offline in about a minute.

Everything is made here, from the phrases of `facts.py` and the syllables of `names.py`; nothing comes from a
data set, and no person or company is real. A sentence states one to four facts, several of its entity pairs become
rows, and pairs that it leaves unrelated become `no_relation`. So neither the types nor the words of a pair give its
label away: a model must read who stands where. dev has names, phrases and sentence plans that train never shows, made
of the syllables and words of train. Every process and Python version makes the same rows: `random.Random` is seeded
with the part's name.
"""

import json
import random
import re
import string
from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from itertools import permutations
from typing import NamedTuple

from data.sample.facts import FOUNDER, INVERSE, RELATIONS, TYPE, UNRELATED, Relation
from data.sample.names import READING, final_consonant, invent, particle

ALIASES = {"per:alternate_names", "org:alternate_names"}
NAMED_AGAIN = {"PER", "ORG", "SCHOOL", "UNION"}  # kinds that can be a subject, or the topic of a clause
KINSHIP = {label for label, relation in RELATIONS.items() if relation.object in NAMED_AGAIN} | {"founder"}

NEGATIVE = "no_relation"
NEGATIVE_ROWS = 1160  # of 4,000: KLUE's 29 %
LABELS = (NEGATIVE, *RELATIONS)
MARKER_WORDS = ("사람", "단체", "장소", "날짜", "기타", "수량", "와", "과", "의", "관계", "는", "무엇입니까", "?")
WORD_ENDINGS = "이다|이고|이며|다|고|으며|며|으로|[을를이가은는의에로인]"
PARTS = {"train": 1, "dev": 5}  # dev holds a fifth of train's rows, at least 4 a label

# A sentence plan: clauses, each a topic and what is said of it. n: a new entity by its name; N: in a phrase that states
# a fact; s, o: the last clause's topic or object, named again; p: states a fact; q: one whose object comes as N does.
PLANS = {
    "train": ("N p", "N p", "n p p", "n p, n p", "n p, n p", "n p, N p", "N p, n p", "n q", "n p, s p", "n p, o p"),
    "dev": ("N q", "N p, N p", "n p, n p p"),
}
PLAIN = {"train": 0.45, "dev": 0.3}  # how often a sentence is "n p": these teach the words, the others who is meant
OPENINGS = {
    "train": ("당시 기록에 따르면 ", "한편 ", "널리 알려진 대로 ", "{d}에 나온 기사에 따르면 ", "{d} 기록을 보면 "),
    "dev": ("당시 기사에 따르면 ", "{d}에 나온 기록을 보면 ", "한편 널리 알려진 대로 "),
}


class Mention(NamedTuple):
    word: str
    kind: str
    start: int

    def entity(self) -> dict:
        end = self.start + len(self.word) - 1
        return {"word": self.word, "start_idx": self.start, "end_idx": end, "type": TYPE[self.kind]}


class Sentence:
    """One sentence: its text, the entities placed in it and the facts it states, as (subject, object, label)."""

    def __init__(self, part: str, rng: random.Random, wanted: Counter):
        self.part, self.rng, self.wanted = part, rng, wanted
        self.text, self.mentions, self.facts = "", [], []
        if rng.random() < 0.15:
            self.write(rng.choice(OPENINGS[part]), d=partial(self.place_object, "DAT", ""))
        plan = "n p" if rng.random() < PLAIN[part] else rng.choice(PLANS[rng.choice(("train", "train", part))])
        for number, clause in enumerate(plan.split(", ")):
            if number:  # 했다 becomes 했고 or 했으며, 이다 becomes 이고 or 이며; or a sentence ends here
                past = final_consonant(self.text[:-1]) > 0
                joints = ("다. ",) if clause[0] == "s" else ("고, ", "으며, " if past else "며, ", "다. ")
                self.text = self.text[:-1] + rng.choice(joints)
            self.clause(*clause.split())
        self.text += "."

    def clause(self, topic: str, *predicates: str) -> None:
        """Write a topic and what is said of it, in the letters of PLANS."""
        if topic in "so":
            subject, object, _ = self.facts[-1]
            about = object if topic == "o" and object.kind in NAMED_AGAIN else subject
            about = self.place(about.kind, about.word)
        elif topic == "N":
            about = self.describe(self.topic_kind())
        else:
            about = self.place(*self.invent(self.topic_kind()))
        self.write("{은} ")
        for number, predicate in enumerate(predicates):
            if number:
                self.text = self.text[:-1] + "고 "
            stated = {fact[2] for fact in self.facts if fact[0].word == about.word} - {NEGATIVE}
            label, relation, phrase = self.draw(about.kind, noun_phrase=False)
            while label in stated:  # nobody is born twice
                label, relation, phrase = self.draw(about.kind, noun_phrase=False)
            if predicate == "q" and relation.object in NAMED_AGAIN:
                placed = self.write(phrase, b=partial(self.describe, relation.object))
            else:
                placed = self.write(phrase, b=partial(self.place_object, relation.object, about.word))
            self.facts.append((about, placed["b"], label))

    def topic_kind(self) -> str:
        """Mostly the type of the last topic, so that two of a type compete for the facts."""
        while True:
            kind = self.draw(None, noun_phrase=False)[1].subject
            if not self.facts or TYPE[kind] == TYPE[self.facts[-1][0].kind] or self.rng.random() < 0.2:
                return kind

    def describe(self, kind: str) -> Mention:
        """Write a noun phrase that states a fact about a new entity, and return the entity."""
        kind, word = self.invent(kind)
        label, relation, phrase = self.draw(kind, noun_phrase=True)
        placed = self.write(
            phrase, a=partial(self.place, kind, word), b=partial(self.place_object, relation.object, word)
        )
        self.facts.append((placed["a"], placed["b"], label))
        return placed["a"]

    def draw(self, kind: str | None, noun_phrase: bool) -> tuple[str, Relation, str]:
        """A relation that can be said of that kind of subject, those still wanted first, and a phrase for it."""
        options, weights = [], []
        unrelated = [(NEGATIVE, relation) for relation in UNRELATED]
        for label, relation in (*RELATIONS.items(), ("founder", FOUNDER), *unrelated):
            if kind in (None, relation.subject) or (relation.subject == "ORG" and TYPE[kind] == "ORG"):
                options.append((label, relation))
                missing = self.wanted[label] + self.wanted[INVERSE.get(label)] / 2
                weights.append(self.wanted[NEGATIVE] / 80 + 0.001 if label == NEGATIVE else missing)
        label, relation = self.rng.choices(options, weights)[0]
        fits = [[phrase for phrase in phrases if noun_phrase == ("{a}" in phrase)] for phrases in relation[3:]]
        unseen = self.part == "dev" and fits[1] and (not self.facts or self.rng.random() < 0.4)
        return label, relation, self.rng.choice(fits[1] if unseen else fits[0])

    def write(self, phrase: str, **slots: Callable[[], Mention]) -> dict[str, Mention]:
        """Append the phrase, its slots filled and its particles in the right form; returns what the slots placed."""
        placed = {}
        for piece in re.findall(r"\{\w+\}|[^{]+", phrase):
            name = piece.strip("{}")
            if name in slots:
                placed[name] = slots[name]()
            else:
                self.text += particle(name, self.text) if piece[0] == "{" else piece
        return placed

    def invent(self, kind: str, owner: str = "") -> tuple[str, str]:
        """The kind, an ORG of any sort, and a word that the sentence does not have yet."""
        if kind == "ORG":
            kind = self.rng.choice(("ORG", "ORG", "ORG", "SCHOOL", "UNION"))
        while (word := invent(kind, self.part, self.rng, owner)) in f"{self.text} {owner}":
            pass
        return kind, word

    def place_object(self, kind: str, owner: str) -> Mention:
        """An object for the owner: now and then one that the sentence has named already, the same word once more."""
        known = {owner, *(object.word for about, object, _ in self.facts if about.word == owner)}
        again = [mention.word for mention in self.mentions if mention.kind == kind and mention.word not in known]
        if again and kind in ("LOC", "DAT", "SCHOOL", "UNION") and self.rng.random() < 0.2:
            return self.place(kind, self.rng.choice(again))
        return self.place(*self.invent(kind, owner))

    def place(self, kind: str, word: str) -> Mention:
        self.mentions.append(Mention(word, kind, len(self.text)))
        self.text += word
        return self.mentions[-1]

    def pairs(self) -> tuple[list, list]:
        """The pairs that the sentence relates, both ways round, and those that it clearly leaves unrelated."""
        links: dict[str, dict[str, set]] = {mention.word: {} for mention in self.mentions}
        for subject, object, label in self.facts:
            links[subject.word].setdefault(object.word, set()).add(label)
            links[object.word].setdefault(subject.word, set()).add(label)
        facts = [fact for fact in self.facts if len(links[fact[0].word][fact[1].word]) == 1]
        facts += [(object, subject, INVERSE[label]) for subject, object, label in facts if label in INVERSE]

        def unclear(x: str, y: str) -> bool:  # a sister's father, an alias's birthplace: a reader could work it out
            shared = [links[x][other] | links[y][other] for other in links[x].keys() & links[y].keys()]
            return any(ALIASES & both or both <= KINSHIP for both in shared)

        unrelated = [(x, y, NEGATIVE) for x, y, label in facts if label == NEGATIVE]
        for x, y in permutations(self.mentions, 2):
            linked = x.word == y.word or y.word in links[x.word] or unclear(x.word, y.word)
            if x.kind in NAMED_AGAIN and not linked:
                unrelated.append((x, y, NEGATIVE))
        return [fact for fact in facts if fact[2] in RELATIONS], unrelated


def types(fact: tuple[Mention, Mention, str]) -> tuple[str, str]:
    return TYPE[fact[0].kind], TYPE[fact[1].kind]


@cache
def generate(part: str) -> tuple[list[dict], list[Sentence]]:
    """The rows of a part and the sentences that they are about."""
    if part not in PARTS:
        raise ValueError(f"the sample has no part {part!r}; its parts are {', '.join(map(repr, PARTS))}")
    rng = random.Random(f"plainloop-sample {part}")
    wanted = Counter({label: max(4, round(relation.rows / PARTS[part])) for label, relation in RELATIONS.items()})
    wanted[NEGATIVE] = round(NEGATIVE_ROWS / PARTS[part])
    share = wanted[NEGATIVE] / (wanted.total() - wanted[NEGATIVE])
    chosen, sentences, positives, negatives = [], [], Counter(), Counter()

    def surplus(fact: tuple[Mention, Mention, str]) -> int:
        """By how much a type pair's commonest relation outnumbers its no_relation rows: what types alone give away."""
        return max(positives[types(fact), label] for label in RELATIONS) - negatives[types(fact)]

    while wanted.total() > 0:
        sentence = Sentence(part, rng, wanted)
        facts, unrelated = sentence.pairs()
        rng.shuffle(unrelated)
        room = round(share * (positives.total() + len(facts))) - negatives.total()
        unrelated = sorted(unrelated, key=surplus, reverse=True)[: min(max(room, 0), 3)]
        asked = []
        for fact in facts + unrelated:
            if wanted[fact[2]] > 0:
                wanted[fact[2]] -= 1
                asked.append((sentence, *fact))
                if fact[2] == NEGATIVE:
                    negatives[types(fact)] += 1
                else:
                    positives[types(fact), fact[2]] += 1
        chosen += asked
        sentences += [sentence] * bool(asked)
    rng.shuffle(chosen)
    rows = [
        {
            "guid": f"plainloop-sample_{part}_{number:05d}",
            "sentence": sentence.text,
            "subject_entity": subject.entity(),
            "object_entity": object.entity(),
            "label": label,
            "source": "sample",
        }
        for number, (sentence, subject, object, label) in enumerate(chosen)
    ]
    return rows, sentences


def rows(part: str) -> list[dict]:
    """The rows of "train" or "dev" in KLUE's form; `end_idx` is inclusive. ValueError for another part."""
    return json.loads(json_bytes(part))  # a copy: callers may change it


def json_bytes(part: str) -> bytes:
    """What a KLUE-RE JSON file with these rows would hold."""
    return json.dumps(generate(part)[0], ensure_ascii=False, indent=1).encode()


@cache
def vocabulary() -> tuple[str, ...]:
    """A WordPiece vocabulary, line number = id, from train alone: specials, every character, then pieces by count.

    Names stay in characters, so that dev's new ones are read as train's are; the stems around them are whole. (The
    trainer of `tokenizers` gives another vocabulary in every process.)
    """
    sentences = generate("train")[1]
    letters = {letter for sentence in sentences for letter in sentence.text if not letter.isspace()}
    letters |= {*string.ascii_letters, *string.digits, *string.punctuation, *"".join(MARKER_WORDS), *READING}
    around, names = Counter(MARKER_WORDS), Counter()
    for sentence in sentences:
        text = sentence.text
        for mention in sentence.mentions:
            names.update("##" + mention.word[-size:] for size in (2, 3, 4) if size < len(mention.word))
            names[mention.word[:2]] += 1
            text = text[: mention.start] + "\0" * len(mention.word) + text[mention.start + len(mention.word) :]
        for word in re.findall(r"[\w\0]+", text):
            _, name, rest = word.rpartition("\0")
            stem, verb, ending = re.fullmatch(rf"(\w*?)(했|한|되었|된)?({WORD_ENDINGS}|)", rest).groups()
            around.update((stem, "##" + stem) if name else (stem,))  # a marker cuts a particle off its name
            around.update(("##" + (verb or ""), "##" + ending))
    pieces = around + Counter({piece: count for piece, count in names.items() if count >= 40})
    by_count = sorted(pieces, key=lambda piece: (-pieces[piece], piece))
    kept = [piece for piece in by_count if re.fullmatch(r"(##)?\w\w+", piece)]
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"[unused{number}]" for number in range(20))]
    singles = sorted(letters)
    return tuple(dict.fromkeys([*specials, *singles, *("##" + letter for letter in singles), *kept]))
