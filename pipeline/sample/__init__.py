"""The sample world: photos of people drawn with numpy and OpenCV, with every kind of label noise, and the true labels.

It stands in for MS-Celeb-1M where no real photos may be used: in the demo, in tests and in the first steps of a user.
"""
