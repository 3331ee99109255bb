"""How many threads read and decode pictures for a model."""

from pipeline.faces.protocols import OnCard

CARD_THREADS = 4  # a card waits for them; beside a model on the processor there is one, for that core is busy


def prepare_threads(model: object) -> int:
    """How many threads prepare the next pictures for a detector or an embedder while it works."""
    return CARD_THREADS if isinstance(model, OnCard) and model.on_card else 1
