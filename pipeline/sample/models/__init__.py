"""Two small models for drawn people: a detector with SCRFD's outputs and an ArcFace embedder, trained by this project.

They were trained on drawings alone, of seeds that no world in the demo or the tests uses, and are of no use for real
faces. `refinery sample models OUT` trains such a pair again.
"""

from pathlib import Path

DETECTOR = Path(__file__).with_name("detector.onnx")
EMBEDDER = Path(__file__).with_name("embedder.onnx")
