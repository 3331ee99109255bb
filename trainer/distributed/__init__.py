"""Several processes training one model: ranks, Partial FC, synchronised batch norm."""
