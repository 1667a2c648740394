"""Tokenizers as their files say.

transformers 5 rebuilds the pipeline of the class that tokenizer_config.json or config.json names and takes only the
vocabulary out of tokenizer.json; a class that finds no file of its own makes a vocabulary of five tokens up.
"""

import importlib.util
import json
import warnings
from collections.abc import Callable
from pathlib import Path

from huggingface_hub import try_to_load_from_cache
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from models.casing import casing, casing_options
from models.pipelines import differences, example, unknown_token
from models.vocabularies import read_vocabulary, special_names

ROLES = ("pad", "unk", "cls", "sep", "mask")
SENTENCEPIECE = (
    "needs the package sentencepiece to be read (pip install sentencepiece protobuf, or this repository with "
    "[sentencepiece]); a tokenizer.json, which transformers writes with save_pretrained, needs no package"
)


def open_tokenizer(name: str, fetch: Callable) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder or hub name; `fetch(name, load)` asks the hub. Raises what the libraries raise.

    Warns where a class would have changed what tokenizer.json says, which is then used as it is, and where a
    vocabulary alone was read and how.
    """
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # of classes that are not those of the file; it is told here
    try:
        folder = Path(name) if Path(name).is_dir() else None
        if folder is not None and not (folder / "tokenizer.json").is_file():
            return from_vocabulary(folder)
        rebuilt, failure = None, None
        try:
            rebuilt = load(AutoTokenizer, name) if folder is not None else fetch(name, auto(name))
        except Exception as error:  # a class for another kind of vocabulary fails in many ways
            if folder is None:
                raise
            failure = error
        if folder is None and not in_cache(name):
            return rebuilt
        return as_written(name, rebuilt, failure)
    finally:
        transformers_logging.set_verbosity(level)


def load(tokenizer_class: type, name: str, **options) -> PreTrainedTokenizerBase:
    return tokenizer_class.from_pretrained(name, trust_remote_code=False, local_files_only=True, **options)


def auto(name: str) -> Callable:
    return lambda **options: AutoTokenizer.from_pretrained(name, trust_remote_code=False, **options)


def in_cache(name: str) -> bool:
    """Whether there is a tokenizer.json of a hub name that was just loaded."""
    return isinstance(try_to_load_from_cache(name, "tokenizer.json"), str)


def as_written(
    name: str, rebuilt: PreTrainedTokenizerBase | None, failure: Exception | None
) -> PreTrainedTokenizerBase:
    """`rebuilt` where it is what tokenizer.json says, else the file as it is, and a warning."""
    if type(rebuilt) is PreTrainedTokenizerFast:
        return with_unknown(rebuilt, name)
    plain = load(PreTrainedTokenizerFast, name)
    names = {role: getattr(rebuilt, f"{role}_token") for role in ROLES} if rebuilt is not None else {}
    names |= {role: token for role, token in special_names(plain.get_vocab()).items() if not names.get(role)}
    for role, token in names.items():
        if getattr(plain, f"{role}_token") is None and token in plain.get_vocab():
            setattr(plain, f"{role}_token", token)
    plain = with_unknown(plain, name)
    if rebuilt is None:
        warnings.warn(
            f"model.tokenizer: the class that {name} names cannot read its tokenizer.json ({failure}); the file is "
            "used as it is; remove tokenizer_class from tokenizer_config.json, or name the right one",
            stacklevel=4,
        )
        return plain
    if parts := differences(plain, rebuilt):
        warnings.warn(
            f"model.tokenizer: {name} names the class {type(rebuilt).__name__}, of which transformers would take other "
            f"parts than its tokenizer.json has: {', '.join(parts)}{example(plain, rebuilt)}; the file is used as it "
            "is. With tokenizer_class PreTrainedTokenizerFast in tokenizer_config.json transformers does the same",
            stacklevel=4,
        )
        return plain
    return rebuilt


def with_unknown(tokenizer: PreTrainedTokenizerBase, name: str) -> PreTrainedTokenizerBase:
    """The tokenizer with the unknown token that its tokenizer.json writes, whatever its other files call so."""
    token = unknown_token(tokenizer)
    if token is not None and token != tokenizer.unk_token:
        if tokenizer.unk_token is not None:
            warnings.warn(
                f"model.tokenizer: unknown characters become {token} by the tokenizer.json of {name}, but its other "
                f"files call {tokenizer.unk_token} unknown; {token} is taken for it",
                stacklevel=4,
            )
        tokenizer.unk_token = token
    return tokenizer


def from_vocabulary(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder without tokenizer.json, by its class where one is named, else by its vocabulary."""
    models = [path.name for path in folder.glob("*.model")]
    others = [*folder.glob("*.txt"), *folder.glob("vocab.json")]
    if models and not others and importlib.util.find_spec("sentencepiece") is None:
        raise ValueError(f"its vocabulary {models[0]} {SENTENCEPIECE}")
    settings = read_settings(folder)
    named = settings.get("tokenizer_class")
    try:
        tokenizer = load(AutoTokenizer, str(folder))
        named = type(tokenizer).__name__
        tokenizer("\U0001f9ff")  # fails where the class has another name for the unknown token than the vocabulary
    except Exception:
        if not models and not others:
            raise
        tokenizer = None
    if tokenizer is None or not (folder / tokenizer.vocab_files_names.get("vocab_file", "")).is_file():
        tokenizer, how = read_vocabulary(folder, named)
        warnings.warn(f"model.tokenizer: {folder} has {how}", stacklevel=4)
        return tokenizer
    stated = {"do_lower_case", "strip_accents"} & settings.keys()
    if stated or not (options := casing_options(tokenizer)):
        return tokenizer
    said = ", ".join(f"{option} {str(value).lower()}" for option, value in options.items())
    warnings.warn(
        f"model.tokenizer: {folder} does not say do_lower_case, which {named} takes as true, but "
        f"{'; '.join(casing(tokenizer))}: it is read with {said}, other than before. Write that into its "
        "tokenizer_config.json",
        stacklevel=4,
    )
    return load(AutoTokenizer, str(folder), **options)


def read_settings(folder: Path) -> dict:
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return settings if isinstance(settings, dict) else {}
