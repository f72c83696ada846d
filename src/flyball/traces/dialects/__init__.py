"""The dialects in which applications tell their traces: one file each, a table of names, and what reads the tables.

`tables.py` lists them in order and makes one table of all; `messages.py`, `contents.py` and `usages.py` read what several
of them say alike. A dialect is added with its file and one line in `tables.py`. What all this makes is `normalising.py`'s.
"""
