"""How well this flyball is locked: what is on, what is off, and what to do. Looks at the other rooms; changes nothing.

A fact is a function of what was looked up, in a table of its topic (`checks_*.py`); one more is one more row.
"""
