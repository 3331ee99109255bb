"""The sample world: people drawn by numpy and OpenCV, and photos of them with every kind of noise, truth beside it."""

from pipeline.sample.drawing.portraits import Drawn, draw_people, portrait
from pipeline.sample.people import Person, person
from pipeline.sample.world import WorldAccount, draw_world

__all__ = ["Drawn", "Person", "WorldAccount", "draw_people", "draw_world", "person", "portrait"]
