"""One dict of verbs; how a command line becomes a call is in `dispatch`."""

from __future__ import annotations

from collections.abc import Sequence

from sam_crack.dispatch import Verb, run_command_line

VERBS: dict[str, Verb] = {
    "demo": Verb(
        "run the whole chain on a road that is rendered on the spot",
        options="sam_crack.config.verbs:DemoOptions",
        run="sam_crack.studies.demo.verb:run_demo",
    ),
    "doctor": Verb(
        "check this machine and this installation, with a cure for each finding",
        options="sam_crack.doctor:DoctorOptions",
        run="sam_crack.doctor:run_doctor",
    ),
    "config": Verb(
        "print the resolved configuration",
        options="sam_crack.config.verbs:ConfigOptions",
        run="sam_crack.config.verbs:run_config",
        config=True,
    ),
    "train": Verb(
        "train adapters and head on a data set",
        options="sam_crack.config.verbs:TrainOptions",
        run="sam_crack.studies.training.verb:run_train",
        config=True,
    ),
    "adapters": Verb(
        "compare the adapter methods on an encoder",
        options="sam_crack.config.verbs:AdaptersOptions",
        run="sam_crack.model.adapters_table:run_adapters",
    ),
    "predict": Verb(
        "find and measure cracks in images, folders and videos",
        options="sam_crack.config.look_verbs:PredictOptions",
        run="sam_crack.studies.drive.verb:run_predict",
    ),
    "evaluate": Verb(
        "score a model on frames that had no say in how it was made",
        options="sam_crack.config.study_verbs:EvaluateOptions",
        run="sam_crack.studies.evaluation.verb:run_evaluate",
    ),
    "compare": Verb(
        "train and score many methods at one budget, in one table",
        options="sam_crack.config.study_verbs:CompareOptions",
        run="sam_crack.studies.compare.verb:run_compare",
    ),
    "transfer": Verb(
        "train and score on another domain, over the number of images, in one table",
        options="sam_crack.config.study_verbs:TransferOptions",
        run="sam_crack.studies.transfer.verb:run_transfer",
    ),
    "camera calibrate": Verb(
        "find a camera's height, tilt, roll and focal length from points or marks in one frame",
        options="sam_crack.config.look_verbs:CalibrateOptions",
        run="sam_crack.studies.cameras:run_camera_calibrate",
    ),
    "camera grid": Verb(
        "draw a camera's grid of metres over a frame, to be looked at",
        options="sam_crack.config.look_verbs:CameraGridOptions",
        run="sam_crack.studies.cameras:run_camera_grid",
    ),
    "merge": Verb(
        "fold trained adapters into stand-alone weights",
        options="sam_crack.config.verbs:MergeOptions",
        run="sam_crack.model.merge:run_merge",
    ),
    "weights list": Verb(
        "list the base weights and which are here",
        options="sam_crack.config.verbs:WeightsListOptions",
        run="sam_crack.weights.base:run_weights_list",
    ),
    "weights fetch": Verb(
        "download base weights once and verify them",
        options="sam_crack.config.verbs:WeightsFetchOptions",
        run="sam_crack.weights.base:run_weights_fetch",
    ),
    "weights verify": Verb(
        "compare base weights with their published sha256",
        options="sam_crack.config.verbs:WeightsVerifyOptions",
        run="sam_crack.weights.base:run_weights_verify",
    ),
    "weights path": Verb(
        "print where base weights lie",
        options="sam_crack.config.verbs:WeightsPathOptions",
        run="sam_crack.weights.base:run_weights_path",
    ),
    "data list": Verb(
        "list the data sets that can be read, and where to get them",
        options="sam_crack.config.verbs:DataListOptions",
        run="sam_crack.data.catalogue:run_data_list",
    ),
    "data check": Verb(
        "read every frame and say what is wrong: broken files, odd masks, duplicates, leaks",
        options="sam_crack.config.data_verbs:DataCheckOptions",
        run="sam_crack.data.check:run_data_check",
    ),
    "data stats": Verb(
        "count and draw a data set: sizes, classes, lines, heat maps, a card and a poster",
        options="sam_crack.config.data_verbs:DataStatsOptions",
        run="sam_crack.studies.data_card:run_data_stats",
    ),
    "data split": Verb(
        "split a data set so that no road, patient or picture is on both sides",
        options="sam_crack.config.data_verbs:DataSplitOptions",
        run="sam_crack.data.split:run_data_split",
    ),
    "data sheet": Verb(
        "draw the crops that training will see, with their masks",
        options="sam_crack.config.data_verbs:DataSheetOptions",
        run="sam_crack.data.sheet:run_data_sheet",
        config=True,
    ),
    "data prepare": Verb(
        "lay frames out for training, so that a crop is read in under a millisecond",
        options="sam_crack.config.data_verbs:DataPrepareOptions",
        run="sam_crack.data.prepare:run_data_prepare",
    ),
    "data synth": Verb(
        "render a 4K practice drive whose cracks are known to the millimetre",
        options="sam_crack.config.verbs:SynthOptions",
        run="sam_crack.data.synth.drive:run_synth",
    ),
}

GROUPS: dict[str, tuple[str, ...]] = {
    "start": ("demo", "doctor", "config"),
    "data": ("data", "weights"),
    "teach": ("train", "adapters", "merge"),
    "look": ("predict", "measure", "camera"),
    "judge": ("evaluate", "compare", "transfer"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    return run_command_line(VERBS, GROUPS, argv)
