"""Small machinery without nouns: clocks, ids, hashes, money, paging, retry, secrets, the base of errors."""
