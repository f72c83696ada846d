"""The door for background processes: the jobs worker, the runner and the flusher."""
