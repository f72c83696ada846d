"""How what waits in an inbox gets into its tables: one file per inbox, all with the same face (`protocol.Mover`)."""
