"""Readers and writers of e-invoice documents: bytes to :class:`backend.domain.invoice.Invoice`.

Pure functions. One bill gives one canonical record, whatever format it arrived in.
"""
