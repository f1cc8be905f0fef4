"""The configuration that a full service has: the same, with stress=yes (STRESS_README)."""

from __future__ import annotations

from postroad.base.config import Config, load_texts


def strained(config: Config) -> Config:
    """Return the configuration under stress; a service that says stress itself stays as it is."""
    main, master = config.texts
    return load_texts(f"{main}\nstress = yes\n", master, config.directory, config.registry, config.facts)
