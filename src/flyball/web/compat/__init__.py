"""Faces of other products: their clients work here unmodified. One folder each; a face parses, calls the rooms' verbs, renders."""
