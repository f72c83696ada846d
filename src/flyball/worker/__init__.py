"""The door for background processes: the jobs worker and the runner."""
