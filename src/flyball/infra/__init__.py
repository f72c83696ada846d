"""Machinery: database, tables, blobs, jobs, events, sockets, processes. Knows no noun of the product.

Deliberately re-exports nothing: `infra.lake` and `infra.jobs` are heavy, and the gateway must not import them.
"""
