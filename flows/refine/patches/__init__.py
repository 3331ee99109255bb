"""The commands of `refinery patch`: labels that can be applied to another copy of the same data set."""
