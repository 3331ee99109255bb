"""Knowledge distillation: a term of the loss that draws a network's features towards those of a teacher.

The teacher sees the same faces, augmented in the same way (Beyer et al., "Knowledge distillation: A good teacher is
patient and consistent", arXiv 2106.05237, section 3), so nothing is cached.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pipeline.errors import UserError
from trainer.distributed.ranks import gather, rank, world_size
from trainer.distributed.replicated import counts_steps_on_device, load_replicated
from trainer.losses.l2_normalize import l2_normalize

KINDS = ("cosine", "feature")
LARGEST = 1e6  # of the weight
MOMENTS = ("momentum_buffer", "exp_avg", "exp_avg_sq")  # that SGD and AdamW keep of a weight, beside a count of steps
WEIGHT = "teacher_map"  # in the state of a checkpoint; with .NAME the tensors of its optimizer


@dataclass(frozen=True)
class DistillationLoss:
    """weight times the mean distance of the features x to the teacher's t; a cosine's is 1 - cos(x, t).

    A feature's is |A x - t|^2, divided by the mean of |t|^2 over the batch, with a matrix A that is learned beside the
    network (the regressor of FitNets: Romero et al., arXiv 1412.6550, section 2.2), so the norms count as well. A
    cosine has such a matrix only where the features have another length than the teacher's.
    """

    kind: str = "cosine"
    weight: float = 10.0


def parse_distillation(text: str) -> DistillationLoss:
    """The distillation that "cosine" or "feature:weight=5" describes. Raises UserError for any other text."""
    match = re.fullmatch(r"(\w+)(?::weight=(.+))?", text)
    if not match or match[1] not in KINDS:
        raise UserError(f"distillation {text!r}: expected cosine or feature, or one with a weight: cosine:weight=5")
    default = DistillationLoss(match[1])
    try:
        weight = float(match[2]) if match[2] else default.weight
    except ValueError:
        weight = -1.0
    if not 0 < weight < LARGEST:
        raise UserError(f"distillation {text!r}: expected a weight above 0, less than {LARGEST:g}, as in weight=5")
    return DistillationLoss(match[1], weight)


class Distillation(nn.Module):
    """The term for features of length dim and a teacher's of length teacher_dim; seed: of the matrix."""

    def __init__(self, term: DistillationLoss, *, dim: int, teacher_dim: int, seed: int = 0) -> None:
        super().__init__()
        self.term = term
        self.matrix: nn.Parameter | None = None
        if term.kind == "feature" or dim != teacher_dim:
            generator = torch.Generator().manual_seed(seed)
            self.matrix = nn.Parameter(torch.randn(teacher_dim, dim, generator=generator) * dim**-0.5)

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """The term over all ranks' features x [n, dim] and their teacher's [n, teacher_dim]; n is equal on all ranks.

        Each rank computes it for all photos, so that the matrix has the same gradient everywhere. The gradient of x
        comes from each rank's own photos alone.
        """
        x, target = gather(x), gather(target.to(x.dtype))
        photos = len(x) // world_size()
        own = slice(rank() * photos, (rank() + 1) * photos)
        x = torch.cat([x[: own.start].detach(), x[own], x[own.stop :].detach()])
        y = x if self.matrix is None else x @ self.matrix.T
        if self.term.kind == "cosine":
            distance = 1 - (l2_normalize(y) * l2_normalize(target)).sum(1)
        else:
            distance = (y - target).square().sum(1) / target.square().sum(1).mean().clamp(min=1e-12)
        return self.term.weight * distance.mean()

    def whole_state(self, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        """The matrix with its optimizer state, for a checkpoint; empty on all ranks but rank 0."""
        if self.matrix is None or rank() > 0:
            return {}
        state = {f"{WEIGHT}.{name}": v for name, v in optimizer.state[self.matrix].items() if isinstance(v, Tensor)}
        return {name: v.detach().cpu().clone() for name, v in ({WEIGHT: self.matrix} | state).items()}

    def load_whole_state(self, state: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
        """Load the matrix of a checkpoint, the state that rank 0 has; all ranks call this.

        Raises UserError where it has none, or one of another shape.
        """
        if self.matrix is None:
            return
        matrix = load_replicated(state, WEIGHT, self.matrix.detach())
        if matrix is None:
            raise UserError("the checkpoint has no matrix to this teacher's features: give the teacher that it had")
        count = torch.zeros((), dtype=torch.get_default_dtype(), device=matrix.device)
        loaded = {name: load_replicated(state, f"{WEIGHT}.{name}", matrix) for name in MOMENTS}
        step = load_replicated(state, f"{WEIGHT}.step", count)
        loaded["step"] = step if step is None or counts_steps_on_device(optimizer, self.matrix) else step.cpu()
        optimizer.state[self.matrix] = {name: value for name, value in loaded.items() if value is not None}
        with torch.no_grad():
            self.matrix.copy_(matrix)
