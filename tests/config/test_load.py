"""Defaults, file, environment and flags, in this order; every mistake is one precise line."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_crack.config.load import (
    build,
    config_hash,
    dump_config,
    from_text,
    leaves,
    load_config,
    overlay_of,
    shipped_config,
    value_at,
)
from sam_crack.config.schema import AdapterConfig, ModelConfig, RunConfig, TrainConfig
from sam_crack.errors import UsageError


def load(text: str | bytes, tmp_path: Path, **more) -> RunConfig:
    file = tmp_path / "x.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return load_config(RunConfig, file=file, **more)


def refusal(text: str | bytes, tmp_path: Path, **more) -> str:
    with pytest.raises(UsageError) as caught:
        load(text, tmp_path, **more)
    line = str(caught.value)
    assert "\n" not in line
    assert caught.value.accepted
    return line


def one_line(error: UsageError) -> None:
    assert "\n" not in str(error)
    assert str(error)


def test_defaults_are_the_schema():
    assert load_config(RunConfig) == RunConfig()


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "train:\n"])
def test_an_empty_file_changes_nothing(text, tmp_path):
    assert load(text, tmp_path) == RunConfig()


def test_later_sources_win(tmp_path):
    text = "train: {lr: 0.1, steps: 5, warmup: 3}"
    environ = {"SAM_CRACK__TRAIN__LR": "0.2", "SAM_CRACK__TRAIN__STEPS": "6", "PATH": "/bin"}
    train = load(text, tmp_path, environ=environ, flags={"train.lr": "0.3"}).train
    assert (train.lr, train.steps, train.warmup) == (0.3, 6, 3)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("train.lr", "1e-4", 1e-4),
        ("train.steps", "1e3", 1000),
        ("model.head.boundary", "yes", True),
        ("model.head.stride", "2", 2),
        ("model.head.stride", "none", None),
        ("model.adapter.blocks", "late_half", "late_half"),
        ("model.adapter.blocks", "8,9, 10", (8, 9, 10)),
        ("model.adapter.targets", "q,v", ("q", "v")),
        ("model.adapter.targets", "", ()),
        ("model.window", "[512, 640]", (512, 640)),
        ("data.scale", "0.5,2", (0.5, 2.0)),
        ("data.root", "a b/c", Path("a b/c")),
        ("data.root", "null", None),
        ("data.classes", "no", ("no",)),
        ("train.losses", "bce=1,dice=0.5", {"bce": 1.0, "dice": 0.5}),
        ("infer.threshold", "0.3", 0.3),
        ("seed", "7", 7),
    ],
)
def test_every_kind_of_setting_reads_alike_everywhere(name, text, expected, tmp_path):
    variable = "SAM_CRACK__" + name.upper().replace(".", "__")
    for config in (
        load_config(RunConfig, flags={name: text}),
        load_config(RunConfig, environ={variable: text}),
    ):
        assert value_at(config, name) == expected
    file = tmp_path / "y.yaml"
    file.write_text(dump_config(config))
    assert value_at(load_config(RunConfig, file=file), name) == expected


def test_yaml_lists_maps_and_bare_exponents(tmp_path):
    text = "train:\n  lr: 1e-4\n  losses: {bce: 1}\nmodel: {window: [640, 512]}\nname: 0123\n"
    config = load(text, tmp_path)
    assert config.train.lr == 1e-4
    assert config.train.losses == {"bce": 1.0}
    assert config.model.window == (640, 512)
    assert config.name == "0123"


def test_a_byte_order_mark_is_no_key(tmp_path):
    assert load(b"\xef\xbb\xbfseed: 4\n", tmp_path).seed == 4


MISTAKES = [
    ("trian: {lr: 1}", ["'trian' is not a setting", "known here: model.*, data.*, train.*"]),
    ("train: {lrr: 1}", ["'train.lrr' is not a setting", "did you mean train.lr"]),
    ("lr: 1", ["'lr' is not a setting", "did you mean", "train.lr"]),
    ("train: {lr: fast}", ["train.lr: 'fast'", "must be a number, 0 to 1"]),
    ("train: {lr: 2}", ["train.lr: '2'", "must be a number, 0 to 1"]),
    ("train: {lr: .nan}", ["train.lr: '.nan'", "must be a number, 0 to 1"]),
    ("train: {steps: 1.5}", ["train.steps: '1.5'", "a whole number, at least 1"]),
    ("train: {steps: 0}", ["train.steps: '0'", "at least 1"]),
    ("train: {steps: [1]}", ["train.steps: ['1']", "a whole number"]),
    ("train: {losses: {bce: much}}", ["train.losses", "NAME=VALUE", "each value a number"]),
    ("train: {losses: bce}", ["train.losses: 'bce'", "NAME=VALUE"]),
    ("train: 3", ["train: '3'", "section"]),
    ("model: {head: {boundary: maybe}}", ["model.head.boundary: 'maybe'", "true or false"]),
    ("model: {head: {stride: 3}}", ["model.head.stride: '3'", "one of 2, 4 or none"]),
    ("model: {window: 512}", ["model.window: '512'", "2 comma-separated values"]),
    ("model: {window: [500, 512]}", ["model.window: [500, 512]", "multiples of 16", "use 496"]),
    ("data: {crop: [224, 230]}", ["data.crop: [224, 230]", "multiples of 16", "use 224,224"]),
    ("infer: {scale: [9]}", ["infer.scale: 9", "0.05 to 8"]),
    ("model: {adapter: {method: lorra}}", ["'lorra'", "did you mean lora?"]),
    ("model: {adapter: {blocks: 1;2}}", ["'1;2'", "one of all, late_half or"]),
    ("infer: {threshold: 2}", ["infer.threshold: '2'", "a number, 0 to 1 or none"]),
    ("data: {root: ''}", ["data.root: ''", "a path"]),
    ("seed: 1\nseed: 2", ["line 2", "'seed' stands twice"]),
    ("train.lr: 0.1", ["'train.lr' has a dot", "below its section"]),
    ("- 1\n- 2", ["holds a list", "map"]),
    ("hello", ["holds a single value"]),
    ("a: b: c", ["line 1", "not valid YAML"]),
    ("seed: !!python/object/apply:os.system [ls]", ["line 1", "tag"]),
    ("seed: &a 1\nname: *a", ["anchor or alias 'a'"]),
    ("? [a]\n: 1", ["a key that is not a word"]),
    ("~: 1", ["a key that is not a word"]),
    ("seed: 1\n---\nseed: 2", ["2 documents"]),
    ("train: " + "[" * 5000, ["nested deeper"]),
    (b"name: \xff\xfe", ["byte 6 is not UTF-8"]),
    (b"name: a\x00b", ["not valid YAML"]),
    ("#" * 100_001, ["larger than 100,000 bytes"]),
]


@pytest.mark.parametrize(("text", "clauses"), MISTAKES)
def test_a_mistake_is_one_precise_line(text, clauses, tmp_path):
    line = refusal(text, tmp_path)
    assert line.startswith(str(tmp_path / "x.yaml"))
    for clause in clauses:
        assert clause in line


def test_mistakes_name_the_command_line_and_the_environment():
    with pytest.raises(UsageError, match=r"command line: train\.lr: 'x'"):
        load_config(RunConfig, flags={"train.lr": "x"})
    with pytest.raises(UsageError, match=r"environment SAM_CRACK__TRAIN__STEP: .*train\.steps"):
        load_config(RunConfig, environ={"SAM_CRACK__TRAIN__STEP": "3"})
    with pytest.raises(UsageError, match=r"command line: model\.window: .*multiples of 16"):
        load_config(RunConfig, flags={"model.window": "100,100"})


def test_an_absent_file_and_a_folder_are_named(tmp_path):
    for file in (tmp_path / "no.yaml", tmp_path, Path("a\0b")):
        with pytest.raises(UsageError, match="readable YAML file"):
            load_config(RunConfig, file=file)


def test_overlay_holds_only_what_differs(tmp_path):
    config = RunConfig(
        train=TrainConfig(lr=1e-3), model=ModelConfig(adapter=AdapterConfig(blocks=(1, 2)))
    )
    assert overlay_of(RunConfig()) == {}
    assert overlay_of(config) == {
        "train": {"lr": 1e-3},
        "model": {"adapter": {"blocks": [1, 2]}},
    }


@pytest.mark.parametrize("written", ["none", "null", "~"])
def test_a_file_says_none_as_the_command_line_does(written, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(f"data: {{crop: {written}}}\ninfer: {{threshold: {written}}}")
    config = load_config(RunConfig, file=file)
    assert (config.data.crop, config.infer.threshold) == (None, None)
    assert load_config(RunConfig, file=file, flags={"data.crop": "64,32"}).data.crop == (64, 32)


def test_the_hash_follows_the_values_only():
    first = load_config(RunConfig, flags={"train.lr": "1e-4"})
    assert config_hash(first) == config_hash(RunConfig(train=TrainConfig(lr=0.0001)))
    assert config_hash(first) != config_hash(RunConfig())
    assert len(config_hash(first)) == 64


def test_shipped_config_names_what_there_is():
    assert shipped_config("demo").name == "demo.yaml"
    with pytest.raises(UsageError, match=r"did you mean demo\?"):
        shipped_config("demmo")


WORDS = st.text(max_size=12)
NUMBERS = st.floats(0, 1).map(repr)


@st.composite
def configs(draw) -> RunConfig:
    """Any config whose flags are drawn over the whole schema."""
    flags = {
        "train.lr": draw(NUMBERS),
        "train.steps": str(draw(st.integers(1, 10**9))),
        "model.head.stride": draw(st.sampled_from(["2", "4", "none"])),
        "model.adapter.blocks": draw(st.sampled_from(["all", "late_half", "3", "0,1,5", ""])),
        "model.adapter.targets": draw(st.sampled_from(["", "q,v", "qkv"])),
        "infer.threshold": draw(NUMBERS | st.just("none")),
        "name": draw(WORDS),
    }
    config = load_config(RunConfig, flags=flags)
    classes = tuple(draw(st.lists(WORDS, max_size=3)))
    losses = draw(st.dictionaries(WORDS.filter(bool), st.floats(-1e9, 1e9), max_size=3))
    from dataclasses import replace

    return replace(
        config,
        data=replace(config.data, classes=classes),
        train=replace(config.train, losses=losses),
    )


@settings(max_examples=60, deadline=None)
@given(config=configs())
def test_a_dumped_config_loads_back_equal(config, tmp_path_factory):
    import yaml

    file = tmp_path_factory.mktemp("round") / "c.yaml"
    file.write_text(dump_config(config), encoding="utf-8")
    assert load_config(RunConfig, file=file) == config
    file.write_text(yaml.safe_dump(overlay_of(config)), encoding="utf-8")
    assert load_config(RunConfig, file=file) == config


@settings(max_examples=150, deadline=None)
@given(
    text=st.text(
        alphabet=st.characters(codec="utf-8") | st.sampled_from(":-{}[]&*!|>%@ \n\t'\"#?,"),
        max_size=60,
    )
)
def test_any_text_is_a_config_or_one_line(text, tmp_path_factory):
    file = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    file.write_text(text, encoding="utf-8")
    try:
        assert isinstance(load_config(RunConfig, file=file), RunConfig)
    except UsageError as error:
        one_line(error)


@settings(max_examples=100, deadline=None)
@given(blob=st.binary(max_size=80))
def test_any_bytes_are_a_config_or_one_line(blob, tmp_path_factory):
    file = tmp_path_factory.getbasetemp() / "fuzz.bin"
    file.write_bytes(blob)
    try:
        load_config(RunConfig, file=file)
    except UsageError as error:
        one_line(error)


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(sorted(leaves(RunConfig))), text=st.text(max_size=30) | NUMBERS)
def test_any_flag_is_a_value_or_one_line(name, text):
    try:
        load_config(RunConfig, flags={name: text})
    except UsageError as error:
        one_line(error)


def test_a_missing_required_option_is_one_line():
    from sam_crack.config.verbs import ConfigOptions

    with pytest.raises(UsageError, match="config"):
        build(ConfigOptions, {})
    built = build(ConfigOptions, {"config": from_text(Path, "x.yaml", "command line")})
    assert built.config == Path("x.yaml")
