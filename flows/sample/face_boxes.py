"""The box of a picture's main face by a detector, for makers of cases, which know no detector."""

from pipeline.faces.align import main_face
from pipeline.faces.protocols import FaceDetector
from pipeline.sample.cases.edited_duplicates import FindFace
from pipeline.sample.cases.picture_edits import Box, Pixels


def face_finder(detector: FaceDetector) -> FindFace:
    """A function that gives the box of the main face in a picture, None where there is no face."""

    def find_face(pixels: Pixels) -> Box | None:
        faces = detector(pixels)
        if not len(faces.scores):
            return None
        x1, y1, x2, y2 = faces.boxes[main_face(faces, width=pixels.shape[1], height=pixels.shape[0])].tolist()
        return x1, y1, x2, y2

    return find_face
