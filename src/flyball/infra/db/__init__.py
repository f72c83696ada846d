"""PostgreSQL: the pool, the embedded server, the migrations. Knows no table of any noun."""
