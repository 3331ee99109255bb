"""Two small models that see drawn people: an SCRFD-form detector and an ArcFace embedder, trained by this project.

They know drawings, from seeds that no world here is drawn from, and nothing of real faces. `refinery sample models OUT`
makes such a pair again.
"""

from pathlib import Path

DETECTOR = Path(__file__).with_name("detector.onnx")
EMBEDDER = Path(__file__).with_name("embedder.onnx")
