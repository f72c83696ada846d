"""What may come in as a model's weights: safetensors and GGUF, alone or in a zip with JSON and plain text. Everything else is refused.

    admitted = judge(Source(file, name="model.safetensors"), Limits())

Judged by content, never by name, and by parsers written for the purpose: no library that could load what is looked at is anywhere near.
"Scanned" is not "safe": nothing is searched for bad content, a file is admitted because all of it is understood.
"""
