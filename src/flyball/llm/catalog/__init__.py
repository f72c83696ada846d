"""The vendors, one TOML file each: where they are, which dialects they speak, how they depart from them."""
