"""Those who answer, one file per vendor's protocol. A provider knows addresses, keys and wires, and no noun of flyball."""
