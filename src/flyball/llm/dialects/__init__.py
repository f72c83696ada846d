"""API shapes, one file each: how callers write requests, and how answers and errors are written for them."""
