"""How a published model is loaded: lines of Python for this package, onnxruntime and insightface."""

from collections.abc import Iterator

from flows.train.release.markdown import code
from trainer.run import Run

OURS = """
import cv2

from trainer.embedder import Embedder

face = cv2.imread("face.png")  # an aligned face, in BGR
embedding = Embedder("model.safetensors")(face[None])[0]
"""
ONNXRUNTIME = """
import cv2
import numpy as np
import onnxruntime

face = cv2.imread("face.png")
session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
{pixels}
embedding = session.run(None, {{"data": x[None].astype(np.float32)}})[0][0]
"""
COLOUR = "x = (face[..., ::-1].transpose(2, 0, 1) - 127.5) / 127.5  # RGB, from -1 to 1"
GREY = "x = (cv2.cvtColor(face, cv2.COLOR_BGR2GRAY)[None] - 127.5) / 127.5  # grey, from -1 to 1"
INSIGHTFACE = """
import cv2
from insightface.model_zoo import get_model

face = cv2.imread("face.png")
embedding = get_model("model.onnx", providers=["CPUExecutionProvider"]).get_feat(face)[0]
"""
RESIZE = "face = cv2.resize(face, ({size}, {size}))\n"


def loading(run: Run) -> Iterator[str]:
    """The lines for each library, in Markdown; insightface takes colour faces of 112x112 alone."""
    yield "With refinery, which resizes the face and turns it to grey where the network wants that:\n"
    yield code("python", OURS)
    pixels = COLOUR if run.channels == 3 else GREY
    if run.size != 112:
        pixels = RESIZE.format(size=run.size) + pixels
    yield "With onnxruntime:\n"
    yield code("python", ONNXRUNTIME.format(pixels=pixels))
    if run.input == "3x112x112":
        yield "With insightface:\n"
        yield code("python", INSIGHTFACE)
    yield "The cosine of two embeddings is compared with a threshold. `model.safetensors` starts a training, too:\n"
    network = f"--backbone {run.backbone} --set embedding={run.embedding} --set input={run.input}"
    yield code("bash", f"refinery train DATA --init model.safetensors {network} --out OUT")
