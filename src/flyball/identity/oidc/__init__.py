"""OpenID Connect as a client speaks it: what a provider says of itself, the exchange of a code, the proof in an ID token. Knows no member.

Verbs are imported by module: `oidc.metadata`, `oidc.exchange`, `oidc.tokens`. After OpenID Connect Core 1.0, RFC 7636 (S256) and RFC 9207.
"""
