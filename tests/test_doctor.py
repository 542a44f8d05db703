"""Each finding of the doctor, provoked by a machine that answers accordingly."""

import json
from pathlib import Path

import pytest

from sam_crack import doctor, machine
from sam_crack.doctor import Finding, examine
from sam_crack.machine import Machine

GIB = 2**30
FACTS = {
    "torch": "2.14.1",
    "built_for_cuda": None,
    "devices": {"cpu": "2 threads"},
    "kernels": {"cpu": "chunked"},
    "bf16_slowdown": 0.4,
}


def healthy(**changes) -> Machine:
    """A machine without a fault, but for the changes."""
    facts = FACTS | changes.pop("facts", {})
    answers = {
        "version_of": {"torch": "2.14.1", "torchvision": "0.29.2"}.get,
        "requirements": lambda: ["torch>=2.6"],
        "run_child": lambda argv: (0, json.dumps(facts)),
        "which": lambda name: None,
        "cpu": lambda: {"model name": "A CPU", "flags": "sse avx512_bf16"},
        "memory_bytes": lambda: 16 * GIB,
        "free_bytes": lambda folder: 50 * GIB,
        "python": (3, 12, 1),
    }
    return Machine(**(answers | changes))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SAM_CRACK_HOME", str(tmp_path))
    return tmp_path


def named(name: str, machine: Machine) -> Finding:
    (found,) = [each for each in examine(machine) if each.name == name]
    return found


def test_a_healthy_machine_lacks_only_the_weights():
    assert {each.name for each in examine(healthy()) if each.verdict != "ok"} == {"weights"}


@pytest.mark.parametrize("version", [(3, 10, 9), (3, 14, 0), (4, 0, 0)])
def test_an_unsupported_python_fails(version):
    assert named("python", healthy(python=version)).verdict == "fail"


def test_little_memory_warns():
    found = named("memory", healthy(memory_bytes=lambda: 4 * GIB))
    assert found.verdict == "warn"
    assert "batch_size 1" in found.cure


def test_memory_that_nobody_knows_is_no_finding():
    assert "memory" not in {each.name for each in examine(healthy(memory_bytes=lambda: None))}


def test_an_absent_and_an_old_package_fail():
    lines = ["torch>=2.6", "peft>=0.15", "torchvision>=0.30"]
    sick = healthy(requirements=lambda: lines)
    assert named("peft", sick) == Finding(
        "peft", "fail", "absent; >=0.15 is needed", "pip install 'peft>=0.15'"
    )
    assert named("torchvision", sick).text == "0.29.2; >=0.30 is needed"


def test_a_local_version_satisfies():
    assert named("torch", healthy(version_of={"torch": "2.13.0+cpu"}.get)).verdict == "ok"


def test_two_opencv_builds_clash():
    versions = {"opencv-python": "5.0", "opencv-python-headless": "4.13"}
    found = named("opencv", healthy(version_of=versions.get))
    assert found.verdict == "warn"
    assert found.cure.startswith("pip uninstall -y opencv-python opencv-python-headless && pip")


def test_a_torch_that_crashes_is_a_finding():
    dies = healthy(run_child=lambda argv: (-11, "libfoo.so: cannot open"))
    found = named("torch", healthy(run_child=dies.run_child, requirements=lambda: []))
    assert (found.verdict, found.text) == ("fail", "libfoo.so: cannot open")


def test_a_torch_that_says_nothing_is_a_finding():
    found = named("torch", healthy(run_child=lambda a: (-11, ""), requirements=lambda: []))
    assert found.text == "exit code -11"


def test_an_idle_gpu_warns():
    found = named("devices", healthy(which={"nvidia-smi": "/usr/bin/nvidia-smi"}.get))
    assert found.verdict == "warn"
    assert "CUDA build" in found.cure


def test_a_used_gpu_is_fine_and_excuses_slow_bf16():
    facts = {
        "devices": {"cpu": "2 threads", "cuda:0": "H200, 139 GiB"},
        "kernels": {"cpu": "chunked", "cuda:0": "folded_flash"},
        "bf16_slowdown": 60.0,
    }
    both = healthy(which={"nvidia-smi": "/usr/bin/nvidia-smi"}.get, facts=facts)
    assert named("devices", both).verdict == named("bf16", both).verdict == "ok"
    assert named("attention", both).text == "cpu: chunked, cuda:0: folded_flash"


def test_the_math_kernel_warns():
    assert named("attention", healthy(facts={"kernels": {"cpu": "math"}})).verdict == "warn"


def test_slow_bf16_warns_with_flags_and_factor():
    slow = healthy(cpu=lambda: {"flags": "sse"}, facts={"bf16_slowdown": 44.0})
    found = named("bf16", slow)
    assert found.verdict == "warn"
    assert found.text == "bf16 takes 44 x the time of fp32; CPU flags: none"


def test_a_torchvision_of_another_torch_fails_with_the_pair():
    def child(argv):
        if argv[0] == "-c":
            return 1, f"Traceback ...\nRuntimeError: {doctor.BROKEN_PAIR}\n"
        return 0, json.dumps(FACTS)

    found = named("torchvision import", healthy(run_child=child))
    assert found.verdict == "fail"
    assert found.text == "torchvision 0.29.2 does not fit torch 2.14.1"
    assert found.cure == "pip install 'torch==2.14.*' 'torchvision==0.29.*'"


def test_the_broken_cpu_release_is_never_the_cure():
    assert "2.13" not in doctor._matching_pair("2.13.0+cpu")
    assert "'torch==2.6.*' 'torchvision==0.21.*'" in doctor._matching_pair("2.6.0")


def test_another_torchvision_failure_keeps_its_last_line():
    found = named("torchvision import", healthy(run_child=lambda argv: (1, "a\nImportError: b")))
    assert found.text == "ImportError: b"


def test_a_cache_that_cannot_be_written_fails(home, monkeypatch):
    (home / "file").write_text("")
    monkeypatch.setenv("SAM_CRACK_HOME", str(home / "file" / "below"))
    found = named("cache", healthy())
    assert found.verdict == "fail"
    assert "SAM_CRACK_HOME" in found.cure


def test_weights_of_the_wrong_size_fail(home):
    (home / "weights").mkdir()
    (home / "weights" / "mobile_sam.pt").write_bytes(b"cut")
    found = named("weights mobile_sam", healthy())
    assert (found.verdict, found.cure) == ("fail", "sam-crack weights fetch mobile_sam")
    assert named("weights", healthy()).text == "none whole here"


@pytest.mark.parametrize(("free", "verdict"), [(0.1, "fail"), (2, "warn"), (50, "ok")])
def test_free_disk(free, verdict):
    found = named("disk of the cache", healthy(free_bytes=lambda folder: int(free * GIB)))
    assert found.verdict == verdict


def test_video_tells_what_is_there():
    machine = healthy(which={"ffmpeg": "/bin/ffmpeg"}.get)
    assert "OpenCV's own FFmpeg; the program ffmpeg present" in named("video", machine).text


def test_a_check_that_breaks_is_a_finding_itself():
    def broken():
        raise OSError("no such device")

    assert named("check_python", healthy(cpu=broken)).text == "OSError: no such device"


def test_every_fault_has_a_one_line_cure():
    sick = healthy(
        python=(3, 9),
        memory_bytes=lambda: 1,
        run_child=lambda argv: (1, ""),
        free_bytes=lambda folder: 0,
        version_of=lambda name: None,
    )
    for found in examine(sick):
        assert found.verdict == "ok" or found.cure
        assert "\n" not in found.cure


def test_a_failure_is_exit_code_3(monkeypatch, run_cli):
    monkeypatch.setattr(doctor, "Machine", lambda: healthy(python=(3, 9)))
    code, out, err = run_cli("doctor", "--json")
    assert json.loads(out)["exit_code"] == code == 3
    assert "use Python 3.11" in err


def test_warnings_alone_are_exit_code_0(monkeypatch, run_cli):
    monkeypatch.setattr(doctor, "Machine", healthy)
    code, out, _ = run_cli("doctor")
    assert code == 0
    assert "warn: weights: sam-crack weights fetch mobile_sam" in out


def test_this_machine_can_be_examined():
    real = Machine()
    assert isinstance(real.torch_facts, dict)
    assert real.torch_facts["kernels"]["cpu"] == "chunked"
    assert any(line.startswith("torch>=") for line in real.requirements())
    assert real.version_of("no-such-package") is None
    assert real.free_bytes(Path("/no/such/folder")) > 0
    assert machine.memory_bytes() > GIB
