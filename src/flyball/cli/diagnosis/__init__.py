"""What `flyball doctor` looks at: one function per check, each returning what it found and what to do. Changes nothing."""
