"""Protocols of the papers, measured: rates in, tables out."""
