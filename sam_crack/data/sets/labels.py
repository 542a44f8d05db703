"""Label tables of Cityscapes, PASCAL VOC and COCO-Stuff, as their authors publish them."""

from __future__ import annotations

from typing import NamedTuple

Colour = tuple[int, int, int]


class CityLabel(NamedTuple):
    """One Cityscapes label."""

    name: str
    id: int
    train_id: int
    """Index among the 19 training classes; -1 where it is none."""
    void: bool
    """Whether it is never evaluated."""
    colour: Colour


CITYSCAPES = (
    CityLabel("unlabeled", 0, -1, True, (0, 0, 0)),
    CityLabel("ego vehicle", 1, -1, True, (0, 0, 0)),
    CityLabel("rectification border", 2, -1, True, (0, 0, 0)),
    CityLabel("out of roi", 3, -1, True, (0, 0, 0)),
    CityLabel("static", 4, -1, True, (0, 0, 0)),
    CityLabel("dynamic", 5, -1, True, (111, 74, 0)),
    CityLabel("ground", 6, -1, True, (81, 0, 81)),
    CityLabel("road", 7, 0, False, (128, 64, 128)),
    CityLabel("sidewalk", 8, 1, False, (244, 35, 232)),
    CityLabel("parking", 9, -1, True, (250, 170, 160)),
    CityLabel("rail track", 10, -1, True, (230, 150, 140)),
    CityLabel("building", 11, 2, False, (70, 70, 70)),
    CityLabel("wall", 12, 3, False, (102, 102, 156)),
    CityLabel("fence", 13, 4, False, (190, 153, 153)),
    CityLabel("guard rail", 14, -1, True, (180, 165, 180)),
    CityLabel("bridge", 15, -1, True, (150, 100, 100)),
    CityLabel("tunnel", 16, -1, True, (150, 120, 90)),
    CityLabel("pole", 17, 5, False, (153, 153, 153)),
    CityLabel("polegroup", 18, -1, True, (153, 153, 153)),
    CityLabel("traffic light", 19, 6, False, (250, 170, 30)),
    CityLabel("traffic sign", 20, 7, False, (220, 220, 0)),
    CityLabel("vegetation", 21, 8, False, (107, 142, 35)),
    CityLabel("terrain", 22, 9, False, (152, 251, 152)),
    CityLabel("sky", 23, 10, False, (70, 130, 180)),
    CityLabel("person", 24, 11, False, (220, 20, 60)),
    CityLabel("rider", 25, 12, False, (255, 0, 0)),
    CityLabel("car", 26, 13, False, (0, 0, 142)),
    CityLabel("truck", 27, 14, False, (0, 0, 70)),
    CityLabel("bus", 28, 15, False, (0, 60, 100)),
    CityLabel("caravan", 29, -1, True, (0, 0, 90)),
    CityLabel("trailer", 30, -1, True, (0, 0, 110)),
    CityLabel("train", 31, 16, False, (0, 80, 100)),
    CityLabel("motorcycle", 32, 17, False, (0, 0, 230)),
    CityLabel("bicycle", 33, 18, False, (119, 11, 32)),
    CityLabel("license plate", -1, -1, True, (0, 0, 142)),
)

VOC_NAMES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)


def voc_colour(index: int) -> Colour:
    """Return VOC's palette colour: three bits of the index spread over the top of R, G and B."""
    parts = [0, 0, 0]
    for shift in range(8):
        for channel in range(3):
            parts[channel] |= (index >> (3 * shift + channel) & 1) << (7 - shift)
    return parts[0], parts[1], parts[2]


# Things 1 to 91, of which 11 never occur (marked with *), then stuff 92 to 182.
_COCO_TEXT = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire
hydrant, *street sign, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow,
elephant, bear, zebra, giraffe, *hat, backpack, umbrella, *shoe, *eye glasses, handbag, tie,
suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard,
surfboard, tennis racket, bottle, *plate, wine glass, cup, fork, knife, spoon, bowl, banana,
apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted
plant, bed, *mirror, dining table, *window, *desk, toilet, *door, tv, laptop, mouse, remote,
keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, *blender, book, clock, vase,
scissors, teddy bear, hair drier, toothbrush, *hair brush, banner, blanket, branch, bridge,
building-other, bush, cabinet, cage, cardboard, carpet, ceiling-other, ceiling-tile, cloth,
clothes, clouds, counter, cupboard, curtain, desk-stuff, dirt, door-stuff, fence, floor-marble,
floor-other, floor-stone, floor-tile, floor-wood, flower, fog, food-other, fruit, furniture-
other, grass, gravel, ground-other, hill, house, leaves, light, mat, metal, mirror-stuff, moss,
mountain, mud, napkin, net, paper, pavement, pillow, plant-other, plastic, platform,
playingfield, railing, railroad, river, road, rock, roof, rug, salad, sand, sea, shelf, sky-
other, skyscraper, snow, solid-other, stairs, stone, straw, structural-other, table, tent,
textile-other, towel, tree, vegetable, wall-brick, wall-concrete, wall-other, wall-panel, wall-
stone, wall-tile, wall-wood, water-other, waterdrops, window-blind, window-other, wood
"""
COCO_STUFF = {
    number: name.strip()
    for number, name in enumerate(_COCO_TEXT.replace("\n", " ").split(","), 1)
    if not name.strip().startswith("*")
}
