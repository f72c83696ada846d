"""Content-addressed bytes. Verbs are imported by module: `flyball.infra.blobs.store`."""
