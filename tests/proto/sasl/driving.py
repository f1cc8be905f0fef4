"""Drives a server mechanism in a test."""

from __future__ import annotations

from postroad.proto.sasl.server import Challenge, Done, Exchange, Failed, Mechanism


class Driver:
    """Runs a mechanism; ``answers`` are asked for what is no challenge, by the question's type."""

    def __init__(self, mechanism: Mechanism, answer=lambda wish: None):
        self.mechanism = mechanism
        self.answer = answer
        self.exchange: Exchange | None = None
        self.asked: list[object] = []

    def step(self, response: bytes | None) -> bytes | Done | Failed:
        try:
            if self.exchange is None:
                self.exchange = self.mechanism(response)
                wish = next(self.exchange)
            else:
                wish = self.exchange.send(response)
            while not isinstance(wish, Challenge):
                self.asked.append(wish)
                wish = self.exchange.send(self.answer(wish))
        except StopIteration as stop:
            return stop.value
        return wish.data


def run(mechanism: Mechanism, responses, answer=lambda wish: None) -> list[bytes | Done | Failed]:
    """Return what follows from each response, up to the end."""
    driver = Driver(mechanism, answer)
    found: list[bytes | Done | Failed] = []
    for response in responses:
        found.append(driver.step(response))
        if not isinstance(found[-1], bytes):
            break
    return found
