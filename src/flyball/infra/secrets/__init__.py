"""The machinery of secrets: references and what they stand for, envelope encryption, the master key. Knows no noun and no SQL.

A reference is all that is ever stored: `env:NAME`, `file:/path`, `cmd:NAME`, `vault:path#field`, `secret:NAME`. A process asks
its keyring what one stands for; what the answer may be sent to, and by whom a reference may be used, rooms above decide.
"""
