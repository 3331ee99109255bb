"""Published test sets: where their photos lie, and which pairs, templates or videos they list."""
