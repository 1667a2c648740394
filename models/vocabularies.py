"""A vocabulary that lies alone in its folder: the commonest form in Korean repositories, without tokenizer.json and
tokenizer_config.json."""

from collections.abc import Collection
from pathlib import Path

from tokenizers.processors import TemplateProcessing
from transformers import BertTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from models.casing import casing_options

NAMES = {
    "pad": ("[PAD]", "<pad>"),
    "unk": ("[UNK]", "<unk>"),
    "cls": ("[CLS]", "<cls>", "<s>"),
    "sep": ("[SEP]", "<sep>", "</s>"),
    "mask": ("[MASK]", "<mask>"),
}
NEEDED = ("pad", "unk", "cls", "sep")
FAIRSEQ = "sentencepiece.bpe.model"  # of XLM-R and its kin, whose numbers are not those of the file


def special_names(vocabulary: Collection[str]) -> dict[str, str]:
    """Role -> its token, by the names that encoders use."""
    found = {role: next((name for name in names if name in vocabulary), None) for role, names in NAMES.items()}
    return {role: name for role, name in found.items() if name is not None}


def read_vocabulary(folder: Path, named: str | None) -> tuple[PreTrainedTokenizerBase, str]:
    """The tokenizer of the one vocabulary in `folder`, and how it was read. `named`: a class that reads none of it.

    Raises ValueError where there is none, or several.
    """
    texts = [path for path in sorted(folder.glob("*.txt")) if path.name != "merges.txt"]
    words = {path: lines(path) for path in texts}
    words = {path: found for path, found in words.items() if {*NEEDED} <= special_names({*found}).keys()}
    models = sorted(folder.glob("*.model"))
    if len(words) + len(models) != 1:
        files = ", ".join(sorted(path.name for path in folder.iterdir())[:10])
        wanted = f"its class {named} finds no vocabulary" if named else "no class is named"
        raise ValueError(
            f"{wanted}, and the folder has {files}; expected a tokenizer.json, one vocabulary of WordPiece (.txt, a "
            "token a line, with [PAD], [UNK], [CLS] and [SEP]) or one of SentencePiece (.model), or a "
            "tokenizer_config.json that names the tokenizer_class of its files"
        )
    but = (
        f", which the class {named} that it names does not read,"
        if named
        else " and no tokenizer.json that says how to use it; it"
    )
    if models:
        tokenizer = sentencepiece_tokenizer(models[0])
        return tokenizer, f"{models[0].name}{but} is read as SentencePiece itself reads it, {around(tokenizer)}"
    ((path, vocabulary),) = words.items()
    tokenizer = wordpiece_of(vocabulary)
    options = casing_options(tokenizer)
    tokenizer = wordpiece_of(vocabulary, **options) if options else tokenizer
    case = f"do_lower_case {str(tokenizer.do_lower_case).lower()}, as its words say" + (
        " with strip_accents false" if tokenizer.strip_accents is False else ""
    )
    how = f"{path.name}{but} is read as BERT's WordPiece of {len(vocabulary):,} words with {case}, {around(tokenizer)}"
    return (
        tokenizer,
        f"{how}; write a tokenizer_config.json with tokenizer_class BertTokenizer and do_lower_case to say so",
    )


def around(tokenizer: PreTrainedTokenizerBase) -> str:
    return f"{tokenizer.cls_token} before a text and {tokenizer.sep_token} behind it"


def lines(path: Path) -> list[str]:
    """The words of a file, a line each; other characters that end lines are words like others. Empty where no text."""
    try:
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            text = file.read()
    except ValueError:
        return []
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def wordpiece_of(vocabulary: list[str], **options) -> BertTokenizer:
    numbers = {word: number for number, word in enumerate(vocabulary)}
    names = {f"{role}_token": name for role, name in special_names(numbers).items()}
    return BertTokenizer(vocab=numbers, **names, **options)


def sentencepiece_tokenizer(path: Path) -> PreTrainedTokenizerBase:
    """The pieces of a file with their own numbers, cut as SentencePiece does, with special tokens put around a text."""
    if path.name == FAIRSEQ:
        raise ValueError(
            f"{path.name} alone: models with a file of this name number its pieces in their own way; write a "
            "tokenizer_config.json with their tokenizer_class, such as XLMRobertaTokenizer"
        )
    from transformers.convert_slow_tokenizer import SentencePieceExtractor, SpmConverter

    proto = SentencePieceExtractor(str(path)).proto
    pieces = [piece.piece for piece in proto.pieces]
    names = special_names(pieces) | {"unk": pieces[proto.trainer_spec.unk_id]}
    if missing := [role for role in NEEDED if role not in names]:
        raise ValueError(
            f"{path.name} alone has no token for {', '.join(missing)}; write a tokenizer_config.json with the "
            "tokenizer_class of its model"
        )
    unigram = proto.trainer_spec.model_type == 1
    numbers = {piece: number for number, piece in enumerate(pieces)}
    vocabulary = [(piece.piece, piece.score) for piece in proto.pieces] if unigram else numbers
    backend = SpmConverter.build_tokenizer_from_spm_proto(proto, vocabulary)
    cls, sep = names["cls"], names["sep"]
    twice = f"{sep} {sep}" if cls == "<s>" else sep  # RoBERTa's and BERT's pairs
    backend.post_processor = TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=f"{cls} $A {twice} $B:1 {sep}:1",
        special_tokens=[(token, numbers[token]) for token in (cls, sep)],
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, **{f"{role}_token": name for role, name in names.items()})
