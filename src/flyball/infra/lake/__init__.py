"""Delta tables and questions over them. Heavy: `flyball.infra.lake.lake` is imported by module."""
