"""A model card says what, how good, from what, and how again."""

from sam_crack.report.model_card import model_card

BEST = {
    "step": 900,
    "threshold": 0.4375,
    "f1": 0.5012,
    "iou": 0.3344,
    "precision": 0.61,
    "recall": 0.42,
}
FACTS = {
    "name": "dnit",
    "classes": ["crack", "pothole"],
    "data": {
        "name": "dnit",
        "title": "highways",
        "licence": "MIT",
        "url": "https://example.org",
        "citation": "",
        "train": 1500,
        "val": 300,
        "also": [],
    },
    "model": ["base mobile_sam"],
    "settings": {"loss": "1 bce | 1 dice"},
    "best": BEST,
    "steps": 1200,
    "hashes": {"config": "abc"},
    "versions": {"torch": "2"},
    "figures": {"curves.png": "loss"},
}


def test_card_holds_scores_and_threshold():
    assert "| 0.438 | 0.501 | 0.334 | 0.610 | 0.420 | 900 |" in model_card(FACTS)


def test_card_names_data_licence_and_hash():
    card = model_card(FACTS)
    for part in ("crack, pothole", "| licence | MIT |", "1,500 frames", "| config | abc |"):
        assert part in card


def test_a_bar_does_not_break_the_table():
    assert "1 bce \\| 1 dice" in model_card(FACTS)


def test_a_run_without_validation_says_so():
    assert "Nothing was validated." in model_card(FACTS | {"best": None})


def test_every_set_that_was_learnt_from_is_named_with_its_terms():
    more = FACTS["data"] | {"also": ["60 frames of uav (CC0-1.0; https://example.org)"]}
    assert "| of them | 60 frames of uav (CC0-1.0" in model_card(FACTS | {"data": more})
    assert "of them" not in model_card(FACTS)
