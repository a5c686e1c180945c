"""`kubectl registrar`: what an application team uses instead of reading conditions by hand."""
