"""An adapter on disk is complete, finite and made for this model, or it is refused."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from sam_crack.errors import BadInput, IntegrityError

FILES = {"lora": "adapter_model.safetensors", "bottleneck": "adapter.safetensors"}

kinds = pytest.mark.parametrize("method", FILES)


@pytest.fixture
def saved(bench, tmp_path):
    """Save an adapter, change its tensors, and try to load it."""

    def check(method, change, **settings):
        case = bench(method)
        case.adapted.save(tmp_path)
        path = tmp_path / FILES[method]
        tensors = load_file(path)
        change(tensors, sorted(tensors)[0])
        save_file(tensors, path)
        bench(method, **settings).adapted.load(tmp_path)

    return check


@kinds
def test_missing_tensor_is_named(saved, method):
    with pytest.raises(IntegrityError, match=r"no tensor .*blocks\.0\.attn"):
        saved(method, lambda tensors, first: tensors.pop(first))


@kinds
def test_extra_tensor_is_named(saved, method):
    with pytest.raises(IntegrityError, match="unknown tensor spare"):
        saved(method, lambda tensors, _: tensors.update(spare=torch.ones(2)))


@kinds
def test_other_shape_is_named(saved, method):
    with pytest.raises(IntegrityError, match=r"blocks\.0\.attn.* has shape \[3\]"):
        saved(method, lambda tensors, first: tensors.update({first: torch.ones(3)}))


@kinds
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_named(saved, method, value):
    with pytest.raises(IntegrityError, match=r"blocks\.0\.attn.* holds NaN or infinity"):
        saved(method, lambda tensors, first: tensors[first].view(-1)[-1:].fill_(value))


@pytest.mark.parametrize(
    ("method", "setting", "value"),
    [
        ("lora", "alpha", 3.0),
        ("lora", "rank", 4),
        ("bottleneck", "width", 8),
        ("lora", "blocks", (1,)),
    ],
)
def test_other_settings_are_named(saved, method, setting, value):
    word = {"alpha": "lora_alpha", "rank": "r", "blocks": "target_modules"}.get(setting, setting)
    with pytest.raises(IntegrityError, match=rf"{word} is .*this model was built with {word}"):
        saved(method, lambda *_: None, **{setting: value})


@pytest.mark.parametrize(("made", "built"), [("lora", "dora"), ("loha", "lokr"), ("norm", "bias")])
def test_other_method_is_refused(bench, tmp_path, made, built):
    bench(made).adapted.save(tmp_path)
    with pytest.raises(IntegrityError, match="this model was built with"):
        bench(built).adapted.load(tmp_path)


@kinds
def test_truncated_file_is_refused(bench, tmp_path, method):
    case = bench(method)
    case.adapted.save(tmp_path)
    path = tmp_path / FILES[method]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(IntegrityError, match="complete safetensors file"):
        case.adapted.load(tmp_path)


@kinds
def test_broken_description_is_refused(bench, tmp_path, method):
    case = bench(method)
    case.adapted.save(tmp_path)
    description = next(tmp_path.glob("*.json"))
    description.write_text("{")
    with pytest.raises(IntegrityError, match="not JSON"):
        case.adapted.load(tmp_path)
    description.write_text(json.dumps([1]))
    with pytest.raises(IntegrityError, match="not a JSON object"):
        case.adapted.load(tmp_path)


@kinds
def test_pickles_are_never_opened(bench, tmp_path, method):
    case = bench(method)
    case.adapted.save(tmp_path)
    path = tmp_path / FILES[method]
    shutil.move(path, path.with_name("adapter_model.bin"))
    with pytest.raises(BadInput, match=r"adapter_model\.bin would be unpickled"):
        case.adapted.load(tmp_path)


@kinds
def test_missing_folder_is_no_hub_name(bench, tmp_path, method):
    with pytest.raises(BadInput, match=r"no adapter.*json.*check the path"):
        bench(method).adapted.load(tmp_path / "typo")


@kinds
def test_a_refused_load_changes_nothing(bench, same, tmp_path, method):
    case = bench(method)
    case.adapted.save(tmp_path)
    tensors = load_file(tmp_path / FILES[method])
    tensors[sorted(tensors)[-1]].view(-1)[-1:].fill_(float("nan"))
    save_file(tensors, tmp_path / FILES[method])
    before = [p.clone() for p in case.adapted.parameters().values()]
    with pytest.raises(IntegrityError):
        case.adapted.load(tmp_path)
    assert same(before, [*case.adapted.parameters().values()])
