"""OTLP, the protocol by which OpenTelemetry sends spans, log records and metric points: taken in, decoded, written again.

`taking.py` makes a request durable, `decoding.py` tells what is in one, `encoding.py` writes it again. Knows the protocol;
knows nothing of what attributes mean (`traces/normalising.py`), nor of tables.
"""
