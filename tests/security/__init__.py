"""Attacks on flyball, made from its own tables: a route, a parameter or a module that is added later is attacked as well."""
