"""How well few identities are refined alone, beside the same identities inside their whole data set."""
