"""Trains the sample world's detector in minutes on one core; the same seed and photos give the same network."""

import logging
from collections.abc import Sequence
from math import cos, pi

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.errors import UserError
from pipeline.progress import stage_progress
from trainer.sample_detector.loss import GroundTruth, detection_loss
from trainer.sample_detector.network import MEAN, STD, Network, decode
from trainer.sample_detector.scenes import Photo, make_scene

SIDE = 256  # pixels of a scene
LR, WARMUP, DECAY, CLIP = 2e-2, 100, 0.02, 10.0
log = logging.getLogger("refinery")


def train_detector(photos: Sequence[Photo], *, seed: int, steps: int = 2500, batch: int = 12) -> Network:
    """A detector trained on scenes made of the photos, in evaluation mode.

    photos: with known faces, or without a face. steps: updates; batch: scenes of an update, which depend on the seed
    and the update's number alone. Raises UserError when no photo has a face.
    """
    if not any(len(p.boxes) for p in photos):
        raise UserError("no photo shows a face: give photos with the boxes and landmarks of their faces")
    torch.manual_seed(seed)
    net = Network()
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    net.train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=LR, weight_decay=DECAY)
    average_loss = torch.zeros(())
    with stage_progress("detector", total=steps // 100, unit="hundred steps") as advance:
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = LR * min(1.0, (step + 1) / WARMUP) * (1 + cos(pi * step / steps)) / 2
            x, truth = draw_batch(photos, np.random.default_rng([seed, step]), batch)
            loss = detection_loss(decode(net(x), SIDE, SIDE), truth, height=SIDE, width=SIDE)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(net.parameters(), CLIP)
            optimizer.step()
            average_loss = loss.detach() if step == 0 else average_loss.lerp(loss.detach(), 0.02)
            if step % 100 == 99:
                advance(100 * batch)
    log.info("detector: loss %.3f after %d steps of %d scenes", float(average_loss), steps, batch)
    return net.eval()


def draw_batch(photos: Sequence[Photo], rng: np.random.Generator, batch: int) -> tuple[Tensor, list[GroundTruth]]:
    """Random scenes as the network's input [batch, 3, SIDE, SIDE], and the faces in each of them."""
    scenes = [make_scene(photos, SIDE, rng) for _ in range(batch)]
    truth = [GroundTruth(torch.from_numpy(s.boxes), torch.from_numpy(s.landmarks)) for s in scenes]
    return to_input(np.stack([s.picture for s in scenes])), truth


def to_input(pictures: NDArray[np.uint8]) -> Tensor:
    """The network's input from BGR pictures [n, h, w, 3]: [n, 3, h, w] in RGB, normalised as (x - 127.5) / 128."""
    x = torch.from_numpy(np.ascontiguousarray(pictures[..., ::-1])).permute(0, 3, 1, 2)  # channels last in memory
    return (x.float() - MEAN) / STD
