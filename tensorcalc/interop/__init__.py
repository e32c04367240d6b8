"""Bridges to other libraries, one a module; each imports its library only when it is used."""
