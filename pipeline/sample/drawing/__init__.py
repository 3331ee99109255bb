"""How a person of the sample world is drawn: head, hair, eyes, skin, clothes, scenery."""
