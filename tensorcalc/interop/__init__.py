"""Bridges to other libraries, one module each; a module is imported only when it is asked for."""
