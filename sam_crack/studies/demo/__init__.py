"""The main job on a rendered drive, from training to the map, in minutes."""
