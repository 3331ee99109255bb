"""Several processes that train one model: ranks, Partial FC, synchronised batch norm."""
