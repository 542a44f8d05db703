"""The one dict of data sets; adding a set adds a spec to a family module, nothing else."""

from __future__ import annotations

from sam_crack.data.sets.closeups import CLOSEUPS
from sam_crack.data.sets.folder import FOLDER
from sam_crack.data.sets.medical import MEDICAL
from sam_crack.data.sets.roads import ROADS
from sam_crack.data.sets.spec import DatasetSpec
from sam_crack.data.sets.streets import STREETS

DATASETS: dict[str, DatasetSpec] = {
    spec.name: spec for spec in (*ROADS, *CLOSEUPS, *STREETS, *MEDICAL, *FOLDER)
}
