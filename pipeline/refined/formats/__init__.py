"""Formats of an export that other libraries read: the Hugging Face hub's, WebDataset's and FiftyOne's."""
