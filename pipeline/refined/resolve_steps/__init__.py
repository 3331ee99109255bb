"""The steps of resolve(): each changes the fates of photos by the findings of one kind."""
