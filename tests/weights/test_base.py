"""Base weights that are here: where, whether whole, and what loading them yields."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sam_crack.config.home import home
from sam_crack.errors import BadInput, IntegrityError
from sam_crack.weights import base as weights
from sam_crack.weights import cache
from sam_crack.weights.table import Address, Package

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}


def _put(offer, monkeypatch, content: object, *, raw: bytes | None = None) -> Path:
    """Make `toy` a file with this content and its true hash, as if it had been fetched."""
    spec = offer()
    path = cache.writable(cache.weights_folder()) / spec.file
    if raw is None:
        torch.save(content, path)
    else:
        path.write_bytes(raw)
    content = path.read_bytes()
    true = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    monkeypatch.setitem(weights.WEIGHTS, "toy", replace(spec, **true))
    return path


@pytest.mark.parametrize("content", [TENSORS, {"model": TENSORS, "epoch": 3}])
def test_load_base_gives_tensors_and_their_hash(offer, monkeypatch, content):
    path = _put(offer, monkeypatch, content)
    tensors, sha256 = weights.load_base("toy")
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_a_truncated_file_is_refused_with_the_cure(offer, monkeypatch, cut):
    path = _put(offer, monkeypatch, TENSORS)
    path.write_bytes(path.read_bytes()[:cut])
    for check in (weights.load_base, weights.verify):
        with pytest.raises(IntegrityError, match=r"run `sam-crack weights fetch toy`") as caught:
            check("toy")
        assert caught.value.exit_code == 4


def test_one_flipped_bit_is_found(offer, monkeypatch):
    path = _put(offer, monkeypatch, TENSORS)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="has sha256"):
        weights.verify("toy")
    with pytest.raises(IntegrityError, match="and sha256"):
        weights.load_base("toy")


class _Evil:
    def __reduce__(self):
        return (os.system, ("echo pwned > /dev/null",))


@pytest.mark.parametrize(
    "raw", [b"no torch file", pickle.dumps(_Evil()), pickle.dumps([1]), pickle.dumps({})]
)
def test_a_published_file_with_no_tensors_in_it_is_refused(offer, monkeypatch, raw):
    _put(offer, monkeypatch, None, raw=raw)
    with pytest.raises(IntegrityError, match=r"cannot be read|no table of tensors"):
        weights.load_base("toy")


@pytest.mark.parametrize("content", [[1, 2], {}, {"a": 1}])
def test_other_content_is_refused(offer, monkeypatch, content):
    _put(offer, monkeypatch, content)
    with pytest.raises(IntegrityError, match=r"no table of tensors|other than tensors"):
        weights.load_base("toy")


def test_what_was_not_fetched_names_the_command(home):
    for call in (weights.load_base, weights.verify):
        with pytest.raises(BadInput, match=r"run `sam-crack weights fetch vit_b`"):
            call("vit_b")
    assert weights.find("vit_b") is None


def test_an_unknown_name_gets_a_suggestion(home):
    with pytest.raises(BadInput, match="did you mean vit_b"):
        weights.find("vit-b")


def test_the_stamp_is_trusted_only_when_asked_and_unchanged(offer, monkeypatch):
    path = _put(offer, monkeypatch, TENSORS)
    weights.verify("toy")
    stat = path.stat()
    torch.save({name: value + 1 for name, value in TENSORS.items()}, path)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_size == stat.st_size
    assert weights.load_base("toy", trust_stamp=True)[0]["a.bias"][0] == 2
    with pytest.raises(IntegrityError):
        weights.load_base("toy")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    with pytest.raises(IntegrityError):
        weights.load_base("toy", trust_stamp=True)


def test_a_read_only_cache_still_loads(offer, monkeypatch):
    _put(offer, monkeypatch, TENSORS)

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(cache, "write_text", refuse)
    assert weights.load_base("toy")[0].keys() == TENSORS.keys()


def test_home_follows_the_variable_and_the_system(monkeypatch, tmp_path):
    monkeypatch.setenv("SAM_CRACK_HOME", "~/elsewhere")
    assert home() == Path.home() / "elsewhere"
    monkeypatch.delenv("SAM_CRACK_HOME")
    monkeypatch.setattr(cache.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert home() == tmp_path / "sam-crack"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/void")
    assert home() == Path.home() / ".cache" / "sam-crack"
    monkeypatch.setattr(cache.sys, "platform", "darwin")
    assert home() == Path.home() / "Library" / "Caches" / "sam-crack"


def test_the_table_of_weights_is_complete():
    assert list(weights.WEIGHTS) == ["mobile_sam", "vit_b", "vit_l", "vit_h", "lite_medsam"]
    for spec in weights.WEIGHTS.values():
        assert len(spec.sources) >= 2
        assert isinstance(spec.sources[0], Address)
        packages = [source for source in spec.sources if isinstance(source, Package)]
        hashes = [spec.sha256, *(source.sha256 for source in packages)]
        assert all(len(bytes.fromhex(sha256)) == 32 for sha256 in hashes)
        assert spec.licence == "Apache-2.0"


def test_verbs_answer_in_words_and_json(home, run_cli):
    code, out, _ = run_cli("weights", "list", "--json")
    assert code == 0
    assert '"mobile_sam": {"state": "not fetched"' in out
    assert run_cli("weights", "path", "vit_b")[0] == 3
    assert run_cli("weights", "verify", "vit_b")[0] == 3
    assert run_cli("weights", "fetch", "vit_h", "--offline")[0] == 3
    assert run_cli("weights", "fetch", "vit_x")[0] == 2


def test_verify_without_a_name_looks_at_all_that_is_here(offer, monkeypatch, run_cli):
    assert run_cli("weights", "verify")[0] == 3  # nothing is here
    path = _put(offer, monkeypatch, TENSORS)
    code, out, _ = run_cli("weights", "verify", "--json")
    assert code == 0
    assert list(json.loads(out)["weights"]) == ["toy"]
    (path.parent / "mobile_sam.pt").write_bytes(b"cut")
    path.write_bytes(b"cut too")
    code, _, err = run_cli("weights", "verify")
    assert code == 4
    assert "fetch mobile_sam" in err
    assert "fetch toy" in err


def test_the_module_starts_without_torch():
    code = "import sys, sam_crack.weights.base; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.weights
def test_published_mobile_sam_is_what_it_should_be(mobile_sam_path):
    assert mobile_sam_path.stat().st_size == 40_728_226
    tensors, sha256 = weights.load_base("mobile_sam")
    assert sha256.startswith("6dbb9052")
    encoder = [name for name in tensors if name.startswith("image_encoder.")]
    assert tensors["image_encoder.neck.0.weight"].shape == (256, 320, 1, 1)
    assert len(encoder) == 302
