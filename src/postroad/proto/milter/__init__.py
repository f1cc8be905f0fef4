"""The milter protocol, the side of the mail server: packets, negotiation, the course of an event."""
