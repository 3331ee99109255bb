"""The steps of resolve(): each changes the fates of photos according to the findings of one kind."""
