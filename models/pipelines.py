"""Two tokenizers part by part: what each does with a text, not how it is written down."""

import json

from transformers import PreTrainedTokenizerBase

# case, accents, blanks, rare and unknown characters, a long word: what pipelines treat differently
PROBES = (
    "가나다는 Éa Abc 라마 漢字 12,345", " 두  칸\t탭\n줄 ", "\u1100\u1161 ﬁ ① Ａ", "쀍龘\U0001f9ff",
    "가" * 101 + " " + "a" * 120, "``가'' 나—다…“라”", "@#*^ (마)",
)  # fmt: skip


def described(tokenizer: PreTrainedTokenizerBase) -> dict:
    return json.loads(tokenizer.backend_tokenizer.to_str())


def differences(plain: PreTrainedTokenizerBase, rebuilt: PreTrainedTokenizerBase) -> list[str]:
    """The parts in which two tokenizers can cut a text differently. Equal ones may be written in several ways."""
    one, other = described(plain), described(rebuilt)
    found = [f"model.{key}" for key in sorted(one["model"].keys() | other["model"].keys()) if differ(one, other, key)]
    cut_first = words_first(one["pre_tokenizer"]) and words_first(other["pre_tokenizer"])
    for part in ("normalizer", "pre_tokenizer"):
        if steps(one[part], cut_first) != steps(other[part], cut_first):
            found.append(part)
    if any(plain(*texts)["input_ids"] != rebuilt(*texts)["input_ids"] for texts in (["a"], ["a", "a"])):
        found.append("post_processor")
    added = {token["content"] for token in one["added_tokens"] + other["added_tokens"]}
    texts = [f"가{token} {token}a" for token in sorted(added)]
    if (
        texts
        and not {"model.vocab", "normalizer", "pre_tokenizer"} & {*found}
        and ids(plain, texts) != ids(rebuilt, texts)
    ):
        found.append("added_tokens")
    return found


def differ(one: dict, other: dict, key: str) -> bool:
    """Whether an option of the two models differs; none and empty are one, and only training reads dropout."""
    return key != "dropout" and (one["model"].get(key) or None) != (other["model"].get(key) or None)


def steps(part: dict | None, cut_first: bool) -> list[dict]:
    """The steps of a normalizer or pre-tokenizer, in one form."""
    if part is None:
        return []
    if part["type"] == "Sequence":
        inner = part.get("normalizers") or part.get("pretokenizers") or []
        return [step for each in inner for step in steps(each, cut_first)]
    if part["type"] == "BertNormalizer" and part["strip_accents"] is None:
        return [part | {"strip_accents": part["lowercase"]}]
    several_blanks = part["type"] == "Replace" and part["pattern"] == {"Regex": " {2,}"} and part["content"] == " "
    return [] if cut_first and (several_blanks or part["type"] == "Strip") else [part]


def words_first(part: dict | None) -> bool:
    """Whether a pre-tokenizer begins with cutting at blanks, so that nobody sees how many there are."""
    first = steps(part, False)[:1]
    return bool(first) and first[0]["type"] in ("WhitespaceSplit", "BertPreTokenizer", "Whitespace")


def ids(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    return tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]


def example(plain: PreTrainedTokenizerBase, rebuilt: PreTrainedTokenizerBase) -> str:
    """A text of `PROBES` that they cut differently, for a message."""
    for text in PROBES:
        one, other = (tokenizer.tokenize(text) for tokenizer in (plain, rebuilt))
        if one != other:
            at = next(
                (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
            )
            cut = [" ".join(tokens[at : at + 4]) or "nothing" for tokens in (one, other)]
            return f" (in {text[:30]!r}, {cut[0]} would become {cut[1]})"
    return ""


def unknown_token(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """What the model itself writes for what it lacks; None where it has nothing for that."""
    model = described(tokenizer)["model"]
    if "unk_id" in model:  # Unigram
        return None if model["unk_id"] is None else model["vocab"][model["unk_id"]][0]
    return model.get("unk_token")
