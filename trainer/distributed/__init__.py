"""Training one model with several processes: ranks, a classifier spread over them, batch norm over all of them."""
