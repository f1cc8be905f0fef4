"""Postroad, a complete SMTP mail server that runs on Postfix's own configuration."""

__version__ = "0.1.0"
