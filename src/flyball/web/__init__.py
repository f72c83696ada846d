"""The HTTP door: flat tables of routers and pages, and the start-up of the gateway and control processes."""
