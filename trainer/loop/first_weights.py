"""The first weights of a training: random ones, or those of a file."""

import logging

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import UserError
from trainer.backbones.backbone import Backbone
from trainer.data.data_set import Faces, identity_names
from trainer.data.decode import decode_face
from trainer.distributed.ranks import rank
from trainer.embedder import to_input
from trainer.loop.learner import Learner
from trainer.losses.objective import Objective
from trainer.pretrained.start import Loaded, load_start
from trainer.run import Run

log = logging.getLogger("refinery")
CHUNKS, FACES_PER_CHUNK = 8, 32  # of the data, on which statistics are measured that the file does not hold


def load_first_weights(run: Run, faces: Faces, learner: Learner) -> None:
    """Load the weights of the learner's start into it; without a file nothing is changed.

    All ranks read the file, and load their part of its classifier. Raises UserError for a file that does not fit.
    """
    start, net = learner.start, learner.net
    if not start.init:
        return
    assert isinstance(net, Backbone)  # noqa: S101  build_backbone makes no other
    names, sample = identity_names(faces), sample_faces(run, faces).to(learner.device)
    loaded = load_start(start, run, net, faces=sample, names=names, digest=faces.digest)
    net.train(not start.freeze)
    line = loaded.line
    if loaded.classifier is not None and not _load_rows(learner.objective, loaded):
        line += ", but not used: this loss has class weights of another shape"
    if rank() == 0:
        log.info("%s%s", line, "; the backbone is frozen" if start.freeze else "")


def sample_faces(run: Run, faces: Faces) -> Tensor:
    """Some faces [n, c, s, s] of the data, from chunks at equal distances, as the network takes them."""
    chunks = np.unique(np.linspace(0, len(faces.chunk_sizes) - 1, CHUNKS).astype(int))
    decoded = [
        decode_face(jpeg, size=run.size, channels=run.channels)
        for chunk in chunks.tolist()
        for jpeg in faces.read(chunk).jpeg[:FACES_PER_CHUNK]
    ]
    pictures = [face for face in decoded if face is not None]
    if not pictures:
        raise UserError(f"{faces.path} holds no picture that can be decoded: refine or export it again")
    return to_input(torch.from_numpy(np.ascontiguousarray(np.stack(pictures).transpose(0, 3, 1, 2))))


@torch.no_grad()
def _load_rows(objective: Objective, loaded: Loaded) -> bool:
    """Load this rank's rows of a file's classifier; False where they have another shape."""
    fc, weight = objective.fc, loaded.classifier
    if fc is None or weight is None or weight.shape[1:] != fc.all_rows().shape[1:]:
        return False
    rows = fc.all_rows()
    for label, row in loaded.rows.items():
        if fc.owned.start <= label < fc.owned.stop:
            rows[label - fc.owned.start] = weight[row].to(rows)
    return True
