"""How flyball itself does: what waits, how fast it is stored, what the disk holds, who runs; and whether the objective for lag is met.

It looks at other rooms and at the machine, keeps one row a minute, and changes nothing. For the server's operator.
"""
