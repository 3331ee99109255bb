"""The sample world: people drawn by numpy and OpenCV, photos of them with every kind of noise, and the truth."""

from pipeline.sample.drawing.portraits import DrawnPhoto, draw_people, draw_portrait
from pipeline.sample.people import Person, make_person
from pipeline.sample.world import WorldAccount, draw_world

__all__ = ["DrawnPhoto", "Person", "WorldAccount", "draw_people", "draw_portrait", "draw_world", "make_person"]
