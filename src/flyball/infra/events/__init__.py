"""News between processes: PostgreSQL's NOTIFY, sent inside the transaction that makes it true."""

from .channels import INBOX, RUNS, SNAPSHOT, notify

__all__ = ["INBOX", "RUNS", "SNAPSHOT", "notify"]
