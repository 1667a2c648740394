"""Texts that look like something else in YAML stay texts, in a file and on the command line."""

import warnings

import pytest
import yaml

from data.labels import negative_number
from engine.arguments.parse import parse

TEXTS = (
    "NULL",
    "Null",
    "~",
    "#3",
    "&x",
    "---",
    "none",
    "no",
    "on",
    "2000",
    "1e3",
    "0x10",
    "[a]",
    "{a: 1}",
    "'q'",
    "a: b",
)
KEYS = ("data.negative_label", "run.name", "data.cache_dir", "data.labels", "data.columns.text", "model.tokenizer")


def value_of(config, key: str):
    for part in key.split("."):
        config = getattr(config, part)
    return config


def in_file(tmp_path, content: dict) -> list[str]:
    path = tmp_path / "run.yaml"
    content = {"model": {"tokenizer": "sample"}} | content
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return ["--config", str(path)]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_that_text(tmp_path, text):
    """A negative class called NULL became none, and micro-F1 the accuracy: 56.67 for 0.00."""
    nested: dict = {}
    for key in KEYS:
        inner = nested
        *sections, name = key.split(".")
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[name] = text
    arguments = in_file(tmp_path, nested)
    config = parse(arguments)[0]
    assert {key: value_of(config, key) for key in KEYS} == dict.fromkeys(KEYS, text)
    (tmp_path / "again.yaml").write_text(config.to_yaml(), encoding="utf-8")  # as a run leaves it
    assert parse(["--config", str(tmp_path / "again.yaml")])[0] == config
    told = parse([word for key in KEYS for word in (f"--{key}={text}",)])[0]
    assert {key: str(value_of(told, key)) for key in KEYS} == dict.fromkeys(KEYS, text)


def test_only_null_is_null_on_the_command_line(tmp_path):
    assert parse(["--data.negative_label", "null"])[0].data.negative_label is None
    assert parse(in_file(tmp_path, {"data": {"negative_label": "null"}}))[0].data.negative_label == "null"
    assert parse(["--data.columns.text", "3", "--data.columns.label", "03"])[0].data.columns.text == 3
    assert parse(["--data.columns.label", "03"])[0].data.columns.label == "03"


@pytest.mark.parametrize("words", [{"가": "no", "나": "2000", "다": "null", "라": None}, ["no", "2000", "null"]])
def test_added_tokens_are_texts(tmp_path, words):
    assert (
        parse(in_file(tmp_path, {"model": {"tokenizer": "sample", "added_tokens": words}}))[0].model.added_tokens
        == words
    )
    if isinstance(words, dict):
        single = [f"--model.added_tokens.{key}={'null' if text is None else text}" for key, text in words.items()]
        assert parse(single)[0].model.added_tokens == words | {"다": None}


def test_settings_of_a_backbone_are_what_yaml_says(tmp_path):
    settings = {"a": "no", "b": "null", "c": "2000", "d": "1e-6", "e": 0.1, "f": None, "g": [1, "2"]}
    content = {"model": {"backbone": "x", "overrides": settings}}
    assert parse(in_file(tmp_path, content))[0].model.overrides == settings | {"d": 1e-6}


@pytest.mark.parametrize(
    "key, value, reads",
    [
        ("data.types", "[PER, NO]", "no, off and false as false"),
        ("data.types", "[PER, on]", "yes, on and true as true"),
        ("data.types", "[PER, 2000]", "a number"),
        ("data.types", "[PER, ~]", "nothing at all as null"),
        ("model.added_tokens", "{x: no}", "no, off and false as false"),
        ("data.negative_label", "no", "no, off and false as false"),
    ],
)
def test_what_yaml_made_of_a_text_is_said(tmp_path, key, value, reads):
    section, name = key.split(".")
    path = tmp_path / "run.yaml"
    path.write_text(f"{section}: {{{name}: {value}}}\n", encoding="utf-8")
    with pytest.raises(
        ValueError, match=rf"^{key}: got .*, expected .*; YAML reads .*{reads}.*: put it in \"quotes\"$"
    ):
        parse(["--config", str(path), "--model.tokenizer", "sample"])


def test_a_class_called_null_without_quotes_is_told():
    with pytest.warns(UserWarning, match="one called 'NULL'; if that is meant, write \"NULL\" in quotes"):
        assert negative_number(None, ["NULL", "친구"]) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert negative_number("NULL", ["친구", "NULL"]) == 1
        assert negative_number(None, ["친구", "가족"]) is None
