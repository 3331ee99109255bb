"""The sample world: people drawn by numpy and OpenCV, and photos of them with every kind of noise, truth beside it."""

from pipeline.sample.people import Person, person
from pipeline.sample.portraits import Drawn, draw_people, portrait

__all__ = ["Drawn", "Person", "draw_people", "person", "portrait"]
