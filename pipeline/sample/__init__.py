"""The sample world: photos of people drawn with numpy and OpenCV, with every kind of label noise, and the true labels.

It stands in for MS-Celeb-1M where no real photos may be used: in the demo, in tests and in the first steps of a user.
"""

from pipeline.sample.drawing.portraits import DrawnPhoto, draw_people, draw_portrait
from pipeline.sample.people import Person, make_person
from pipeline.sample.world import WorldAccount, draw_world

__all__ = ["DrawnPhoto", "Person", "WorldAccount", "draw_people", "draw_portrait", "draw_world", "make_person"]
