"""Where rows come from. Each source is one module with `collect(location, licence)`, which runs in a child process."""
