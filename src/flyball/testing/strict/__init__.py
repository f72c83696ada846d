"""What the vendors refuse, so that a translation that a vendor would refuse fails in a test: one module per dialect.

Each rule is in the vendor's own words as far as they are published. A body is looked at as plain JSON.
"""
