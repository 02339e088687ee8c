"""Rows out: catalogues, coordinate files, regions."""
