"""The main job as a story: eleven steps, each a command that a user could have typed."""
