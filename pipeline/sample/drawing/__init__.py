"""Drawing a person of the sample world: head, hair, eyes, skin, clothes, scenery."""
