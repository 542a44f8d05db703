"""Every notebook runs from its first cell to its last, and is committed without outputs."""

import json
from pathlib import Path

import matplotlib as mpl
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def code_cells(path: Path) -> list[dict]:
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_holds_no_outputs(path: Path) -> None:
    assert code_cells(path)
    assert all(not cell["outputs"] for cell in code_cells(path))


@pytest.mark.weights
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path: Path, mobile_sam_path: Path) -> None:
    assert mobile_sam_path.is_file()
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    names: dict[str, object] = {"__name__": "__main__"}
    for number, cell in enumerate(code_cells(path)):
        exec(compile("".join(cell["source"]), f"{path.name} cell {number}", "exec"), names)
    plt.close("all")
    assert names["cracks"], "the frame of the notebook shows cracks to measure"
    assert float(names["road"].float().mean()) > 0.1  # type: ignore[attr-defined]
