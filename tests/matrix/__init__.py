"""Routes x verbs x callers x tenants x spellings, generated from the table of routes: each cell is what the route declares."""
