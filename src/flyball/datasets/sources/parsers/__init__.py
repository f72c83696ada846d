"""Text out of files, one module per format. Each returns text or raises `UnreadableError` with a stable reason."""
